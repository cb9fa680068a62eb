"""What fuzzers begin with, and all that they ever found, keeps the promises."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

_FOUND = Path(__file__).parents[1] / "fixtures" / "fuzz"

_INPUTS = [(name, seed) for name, target in TARGETS.items() for seed in target.seeds]
_INPUTS += [(path.parent.name, path.read_bytes()) for path in sorted(_FOUND.glob("*/*"))]


@pytest.mark.parametrize(("name", "given"), _INPUTS)
def test_no_promise_is_broken(name: str, given: bytes) -> None:
    TARGETS[name].check(given)
