"""What is compiled comes by itself where there is much to do for it, and nobody waits for it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sluice.native.preparation import Preparation
from sluice.telemetry import METRICS_FOLDER_VARIABLE
from tests.support.waiting import wait_until

_COMPILES = [sys.executable, "-P", "-m", "sluice.native.compile"]
_NUMBA_MODULE = """{imports}
import numba
import sluice.native.compiled

@sluice.native.compiled.entry(numba.int64)
def more(number):
    return number + 1
"""
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


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where modules are looked for, and what is compiled is kept."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def _compile(module: str, folder: Path) -> tuple[int, str]:
    """How compiling ends, and what is said."""
    # Its standard input stays open until then.
    with subprocess.Popen(
        [*_COMPILES, module], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, text=True
    ) as compiling:
        assert compiling.stderr is not None
        said = compiling.stderr.read()
    return compiling.returncode, said


def test_what_a_power_cut_left_of_a_cache_is_made_again_whole(modules: Path) -> None:
    (modules / "first.py").write_text(_NUMBA_MODULE.format(imports=""))
    (modules / "second.py").write_text(_NUMBA_MODULE.format(imports="import first"))
    assert _compile("second", modules) == (0, "")
    whole = {path.name for path in _kept(modules)}
    assert len(whole) == 4
    for index in _kept(modules):
        if index.name.startswith("second") and index.suffix == ".nbi":
            index.write_bytes(b"")

    assert _compile("second", modules) == (0, "")

    assert {path.name for path in _kept(modules)} == whole
    assert all(path.stat().st_size for path in _kept(modules))


def test_what_can_not_be_made_twice_is_told(modules: Path) -> None:
    (modules / "broken.py").write_text("open('tries', 'a').write('x')\nraise EOFError('Ran out of input')\n")

    code, said = _compile("broken", modules)

    assert code == 1
    assert said.endswith("EOFError: Ran out of input\n")
    assert (modules / "tries").read_text() == "xx"


def test_who_compiles_and_is_killed_is_told_of(modules: Path) -> None:
    (modules / "killed.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    prepared = _Prepared("killed")
    prepared.preparation.after(0)

    prepared.preparation.count(1)

    wait_until(lambda: prepared.told != [], within_s=_WITHIN_S)
    prepared.preparation.close()
    assert prepared.told == ["what compiles was ended by signal 9; it needs 450 MiB"]
    assert prepared.loaded == 0


def test_what_is_counted_after_the_end_begins_nothing() -> None:
    prepared = _Prepared()
    prepared.preparation.after(0)
    prepared.preparation.close()

    prepared.preparation.count(1)

    assert prepared.preparation._thread is None


def _kept(modules: Path) -> list[Path]:
    return [path for path in (modules / "cache").rglob("*.nb*") if path.is_file()]


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


def test_of_two_that_compile_into_one_cache_the_second_waits(modules: Path) -> None:
    (modules / "noted.py").write_text(
        "import time\ndef note(what): open('notes', 'a').write(what)\nnote('begins ')\ntime.sleep(0.5)\nnote('ends ')\n"
    )
    both = [
        subprocess.Popen([*_COMPILES, "noted"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=modules)
        for _ in range(2)
    ]

    for each in both:
        with each:
            assert each.wait(_WITHIN_S) == 0
    assert (modules / "notes").read_text() == "begins ends begins ends "


def test_what_compiles_is_told_of_one_module() -> None:
    ended = subprocess.run(_COMPILES, stdin=subprocess.PIPE, capture_output=False, stderr=subprocess.PIPE, check=False)

    assert (ended.returncode, ended.stderr) == (2, b"error: one argument is needed, the name of a module\n")


def test_what_compiles_is_nice_counts_nothing_and_leaves_who_wants_it_as_it_is(
    modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (modules / "noted.py").write_text(
        "import os\nopen(os.path.dirname(__file__) + '/notes', 'w').write(f'{os.nice(0)} {sorted(os.environ)}')\n"
    )
    monkeypatch.setenv(METRICS_FOLDER_VARIABLE, str(modules))
    group = Path("/proc/self/autogroup")
    before = os.nice(0), group.read_text() if group.exists() else None
    prepared = _Prepared("noted")
    prepared.preparation.after(0)
    prepared.preparation.count(1)

    wait_until(lambda: prepared.loaded > 0, within_s=_WITHIN_S)
    prepared.preparation.close()

    niceness, names = (modules / "notes").read_text().split(maxsplit=1)
    assert int(niceness) == min(before[0] + 10, 19)
    assert METRICS_FOLDER_VARIABLE not in names
    assert before == (os.nice(0), group.read_text() if group.exists() else None)
