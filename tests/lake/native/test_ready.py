"""The compiled decoder comes by itself where much is decoded, and the plain one does all until then."""

from pathlib import Path

import pytest
import structlog

from sluice.lake import decode
from sluice.lake.native import ready
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
    compiled.preparation.after(100)

    compiled.preparation.count(101)

    wait_until(lambda: bool(compiled.decoders), within_s=_LOADS_WITHIN_S)
    assert bool(compiled.decoders)
    assert compiled.decoders[storage.BODY_FORMAT_JSON]([b'{"events":[]}'], 0)[0] == [0]
    compiled.preparation.close()


def test_where_nothing_can_be_kept_it_is_told_once_and_the_plain_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file/cache"))
    compiled = CompiledDecoder()
    compiled.preparation.after(0)

    with structlog.testing.capture_logs() as told:
        compiled.preparation.count(1)
        wait_until(lambda: told != [], within_s=_LOADS_WITHIN_S)
        compiled.preparation.close()

    assert not compiled.decoders
    [message] = told
    assert (message["event"], message["log_level"]) == ("no compiled decoder; the plain one does its work", "warning")
    assert message["error"]
    assert "NUMBA_CACHE_DIR" in message["hint"]


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


def test_no_one_but_the_lake_writer_asks_for_it() -> None:
    assert ready.COMPILED.preparation._left is None
