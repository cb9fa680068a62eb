"""What is compiled comes by itself where there is much to do for it, and nobody waits for it."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sluice.native.compile import make_with_cache
from sluice.native.preparation import Preparation
from tests.support.waiting import wait_until

_COMPILES = [sys.executable, "-P", "-m", "sluice.native.compile"]
# Where all processors are busy it gets next to nothing of them.
_WITHIN_S = 110


class _Prepared:
    """Notes what becomes of a preparation."""

    def __init__(self, module: str = "json") -> None:
        self.loaded = 0
        self.told: list[str] = []
        self.preparation = Preparation(module, load=self._load, tell=self.told.append)

    def _load(self) -> None:
        self.loaded += 1


def test_it_begins_when_enough_was_done_without_it_and_once() -> None:
    prepared = _Prepared()
    then = threading.Event()
    prepared.preparation.after(100, then=then.set)

    prepared.preparation.count(100)
    assert prepared.preparation._thread is None
    prepared.preparation.count(1)
    prepared.preparation.count(1_000)

    assert then.wait(_WITHIN_S)
    prepared.preparation.close()
    assert (prepared.loaded, prepared.told) == (1, [])


def test_it_never_begins_unless_it_is_asked_for() -> None:
    prepared = _Prepared()

    prepared.preparation.count(10**9)

    assert prepared.preparation._thread is None


def test_what_can_not_be_compiled_is_told_and_not_loaded() -> None:
    prepared = _Prepared("sluice.no_such_module")
    prepared.preparation.after(0)

    prepared.preparation.count(1)

    wait_until(lambda: prepared.told != [], within_s=_WITHIN_S)
    prepared.preparation.close()
    assert prepared.told == ["ModuleNotFoundError: No module named 'sluice.no_such_module'"]
    assert prepared.loaded == 0


def test_what_fails_to_load_is_told() -> None:
    told: list[str] = []

    def load() -> None:
        raise EOFError("Ran out of input")

    preparation = Preparation("json", load=load, tell=told.append)
    preparation.after(0)
    preparation.count(1)

    wait_until(lambda: told != [], within_s=_WITHIN_S)
    preparation.close()
    assert told == ["EOFError: Ran out of input"]


def test_what_a_power_cut_left_of_a_cache_is_made_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "index").write_bytes(b"")

    def make() -> None:
        if (cache / "index").exists():
            raise EOFError("Ran out of input")
        (cache / "made").touch()

    make_with_cache(cache, make)

    assert [path.name for path in cache.iterdir()] == ["made"]


def test_whoever_ends_waits_for_no_compilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    prepared = _Prepared("sluice.lake.native.scanned")
    prepared.preparation.after(0)
    prepared.preparation.count(1)
    wait_until(lambda: prepared.preparation._compiling is not None, within_s=20)

    began = time.monotonic()
    prepared.preparation.close()

    assert time.monotonic() - began < 5
    assert (prepared.loaded, prepared.told) == (0, [])
    assert prepared.preparation._compiling is not None
    assert prepared.preparation._compiling.returncode is not None


def test_what_compiles_ends_with_whoever_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    with subprocess.Popen(
        [*_COMPILES, "sluice.lake.native.scanned"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as compiling:
        assert compiling.stdin is not None
        compiling.stdin.close()

        assert compiling.wait(20) == 1


def test_of_two_that_compile_into_one_cache_the_second_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "noted.py").write_text(
        "import time\ndef note(what): open('notes', 'a').write(what)\nnote('begins ')\ntime.sleep(0.5)\nnote('ends ')\n"
    )
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    both = [
        subprocess.Popen([*_COMPILES, "noted"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
        for _ in range(2)
    ]

    for each in both:
        with each:
            assert each.wait(_WITHIN_S) == 0
    assert (tmp_path / "notes").read_text() == "begins ends begins ends "


def test_what_compiles_is_told_of_one_module() -> None:
    ended = subprocess.run(_COMPILES, stdin=subprocess.PIPE, capture_output=False, stderr=subprocess.PIPE, check=False)

    assert (ended.returncode, ended.stderr) == (2, b"error: one argument is needed, the name of a module\n")


def test_what_compiles_is_nice_and_whoever_wants_it_stays_as_it_is() -> None:
    before = Path("/proc/self/autogroup").read_text() if Path("/proc/self/autogroup").exists() else ""
    prepared = _Prepared()
    prepared.preparation.after(0)
    prepared.preparation.count(1)

    wait_until(lambda: prepared.loaded > 0, within_s=_WITHIN_S)
    prepared.preparation.close()

    assert not before or Path("/proc/self/autogroup").read_text() == before
