"""What it costs to decode, in calls of Python: a change that makes something of each event shows here."""

from collections.abc import Callable

import pytest

from bench.events import bodies
from sluice.lake import decode as decoding
from sluice.lake.decode import decode
from sluice.lake.native.ready import CompiledDecoder
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.cost import counted
from tests.support.lake_log import record

_BATCH = 100
_FORMATS = {
    "JSON": (False, storage.BODY_FORMAT_JSON, storage.SOURCE_SDK),
    "protobuf": (True, storage.BODY_FORMAT_LOG_EVENT_REQUEST, storage.SOURCE_GRPC),
}


def _calls(encoding: str, requests: int) -> int:
    """Calls that it takes to decode so many requests."""
    typed, body_format, source = _FORMATS[encoding]
    sent = bodies(requests * _BATCH, batch=_BATCH, seed=11, typed=typed).bodies
    records = [
        record(body, number=number, event_count=_BATCH, body_format=body_format, source=source)
        for number, body in enumerate(sent)
    ]
    with counted() as cost:
        assert sum(batch.num_rows for batch in decode(records).batches) == requests * _BATCH
    return cost.calls


def _per_event(encoding: str) -> float:
    """Calls for each event beyond what a stretch takes in any case."""
    _calls(encoding, 1)  # what is imported when it is first needed
    return (_calls(encoding, 30) - _calls(encoding, 10)) / (20 * _BATCH)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the compiled decoder be used."""
    decoder = CompiledDecoder()
    decoder.load()
    return lambda: monkeypatch.setattr(decoding, "COMPILED", decoder)


@pytest.mark.parametrize(("encoding", "most"), [("JSON", 8), ("protobuf", 80)])
def test_the_plain_decoder_makes_so_many_calls_for_an_event(encoding: str, most: int) -> None:
    assert _per_event(encoding) <= most


@pytest.mark.parametrize("encoding", list(_FORMATS))
def test_the_compiled_decoder_makes_none_for_an_event_and_few_for_a_request(
    encoding: str, compiled: Callable[[], None]
) -> None:
    compiled()

    assert _per_event(encoding) * _BATCH <= 60
