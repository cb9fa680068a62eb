"""The compiled decoder comes by itself where much is decoded, and the plain one does all until then."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import structlog

from sluice.lake import decode
from sluice.lake.native import ready
from sluice.lake.native.compile import make_with_cache
from sluice.lake.native.ready import CompiledDecoder
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.lake_log import record
from tests.support.lake_rows import rows
from tests.support.waiting import wait_until

# Where all processors are busy it gets next to nothing of them.
_LOADS_WITHIN_S = 110


@pytest.fixture(scope="module")
def cached() -> None:
    """It was compiled on this machine before."""
    CompiledDecoder().load()


@pytest.mark.usefixtures("cached")
def test_it_is_prepared_when_enough_was_decoded_without_it() -> None:
    compiled = CompiledDecoder()
    told = threading.Event()
    compiled.prepare_after(100, then=told.set)

    compiled.decoded(100)
    assert compiled._preparing is None
    compiled.decoded(1)

    wait_until(lambda: bool(compiled.decoders), within_s=_LOADS_WITHIN_S)
    assert bool(compiled.decoders)
    assert told.wait(_LOADS_WITHIN_S)
    assert compiled.decoders[storage.BODY_FORMAT_JSON]([b'{"events":[]}'], 0)[0] == [0]
    compiled.close()


def test_it_is_never_prepared_unless_it_is_asked_for() -> None:
    compiled = CompiledDecoder()

    compiled.decoded(10**9)

    assert compiled._preparing is None


def test_where_nothing_can_be_kept_it_is_told_once_and_the_plain_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file/cache"))
    compiled = CompiledDecoder()
    compiled.prepare_after(0)

    with structlog.testing.capture_logs() as told:
        compiled.decoded(1)
        wait_until(lambda: told != [], within_s=_LOADS_WITHIN_S)
        compiled.close()

    assert not compiled.decoders
    [message] = told
    assert (message["event"], message["log_level"]) == ("no compiled decoder; the plain one does its work", "warning")
    assert message["error"]
    assert "NUMBA_CACHE_DIR" in message["hint"]


def test_what_a_power_cut_left_of_it_is_made_again(tmp_path: Path) -> None:
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
    compiled = CompiledDecoder()
    compiled.prepare_after(0)
    compiled.decoded(1)
    wait_until(lambda: compiled._compiling is not None, within_s=20)

    began = time.monotonic()
    compiled.close()

    assert time.monotonic() - began < 5
    assert not compiled.decoders
    assert compiled._compiling is not None
    assert compiled._compiling.returncode is not None


def test_what_compiles_ends_with_whoever_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-m", "sluice.lake.native.compile"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as compiling:
        assert compiling.stdin is not None
        compiling.stdin.close()

        assert compiling.wait(20) == 1


def test_records_stay_in_their_order_whoever_decodes_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def events(*names: str, more: str = "") -> bytes:
        return f'{{"events":[{",".join(f"""{{"eventName":"{name}"{more}}}""" for name in names)}]}}'.encode()

    webhook = b'{"event":"w","user":{}}'
    records = [
        record(events("a", "b"), number=0),
        record(events("c", more=',"else":1'), number=1),
        record(events("d", "x", "e"), number=2, quarantined_indices=[1]),
        record(webhook, number=3, body_format=storage.BODY_FORMAT_WEBHOOK_EVENT, source=storage.SOURCE_WEBHOOK),
        record(events(), number=4),
        record(events("f"), number=5),
    ]
    plain = rows(records)
    compiled = CompiledDecoder()
    compiled.load()
    monkeypatch.setattr(decode, "COMPILED", compiled)

    assert rows(records) == plain
    assert [row["event_name"] for row in plain] == ["a", "b", "c", "d", "e", "w", "f"]


@pytest.mark.parametrize("name", ["test_scanned_json.py", "test_scanned_messages.py"])
def test_in_plain_python_which_checks_each_place_it_finds_the_same(name: str) -> None:
    tests = Path(__file__).with_name(name)

    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-k",
            "known or whole or exposures or names or number",
            tests,
        ],
        env={"NUMBA_DISABLE_JIT": "1", "PATH": ""},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert checked.returncode == 0, checked.stdout
    assert " passed" in checked.stdout


def test_no_one_but_the_lake_writer_asks_for_it() -> None:
    assert ready.COMPILED._after_events is None
