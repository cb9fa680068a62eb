"""What fuzzers begin with, and all that they ever found, keeps the promises."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

_FOUND = Path(__file__).parents[1] / "fixtures" / "fuzz"

_SEEDS = [
    pytest.param(name, seed, id=f"{name} seed {number}")
    for name, target in TARGETS.items()
    for number, seed in enumerate(target.seeds)
]
_ONCE_FOUND = [
    pytest.param(path.parent.name, path.read_bytes(), id=f"{path.parent.name} {path.name}")
    for path in sorted(_FOUND.glob("*/*"))
]


@pytest.mark.parametrize(("name", "given"), [*_SEEDS, *_ONCE_FOUND])
def test_no_promise_is_broken(name: str, given: bytes) -> None:
    TARGETS[name].check(given)
