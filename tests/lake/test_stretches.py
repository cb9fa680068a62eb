"""Records are decoded together in stretches that bound what is in memory at once."""

import pytest

from sluice.lake.decode import decode, in_stretches
from sluice.storage.v1 import log_record_pb2 as storage

_MIB = 1024 * 1024


def _record(body: bytes, events: int) -> storage.LogRecord:
    return storage.LogRecord(
        request_id=bytes(16),
        body=body,
        event_count=events,
        body_format=storage.BODY_FORMAT_JSON,
        source=storage.SOURCE_SDK,
    )


def _stretches(record: storage.LogRecord, count: int) -> list[int]:
    return [len(stretch) for stretch in in_stretches(enumerate([record] * count))]


@pytest.mark.parametrize(
    ("body_bytes", "events", "together"),
    [
        pytest.param(4 * _MIB, 1, 1, id="bytes"),
        pytest.param(1000, 1, 4194, id="bytes of small ones"),
        pytest.param(100, 1000, 10, id="events"),
        pytest.param(80_000, 212, 15, id="what may stand on each of their rows"),
        pytest.param(36_000, 100, 74, id="usual ones"),
        pytest.param(100 * _MIB, 1_000_000, 1, id="a large one is alone"),
    ],
)
def test_so_many_records_are_decoded_together(body_bytes: int, events: int, together: int) -> None:
    lengths = _stretches(_record(bytes(body_bytes), events), together + 1)

    assert lengths == [together, 1]


def test_what_requests_say_of_themselves_takes_bounded_memory_on_all_their_rows() -> None:
    event = '{"eventName":"e","time":1,"user":{}}'
    body = f'{{"statsigMetadata":{{"x":"{"y" * 79_000}"}},"events":[{",".join([event] * 212)}]}}'
    record = _record(body.encode(), 212)

    sizes = [
        sum(batch.nbytes for batch in decode([one for _, one in stretch]).batches)
        for stretch in in_stretches(enumerate([record] * 40))
    ]

    assert max(sizes) < 300 * _MIB
