"""Records are decoded together in stretches that bound what is in memory at once."""

import json

import pyarrow as pa
import pytest

from sluice.events.v1 import events_pb2 as api
from sluice.lake import decode as decoding
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
        pytest.param(36_000, 100, 100, id="usual ones"),
        pytest.param(160_000, 500, 20, id="usual large ones"),
        pytest.param(100 * _MIB, 1_000_000, 1, id="a large one is alone"),
    ],
)
def test_so_many_records_are_decoded_together(body_bytes: int, events: int, together: int) -> None:
    lengths = _stretches(_record(bytes(body_bytes), events), together + 1)

    assert lengths == [together, 1]


def _json(number: int, *, about: int, events: int, user: int = 0) -> storage.LogRecord:
    """A request that says so many bytes of itself, and of a user that its events share."""
    sent = [{"eventName": f"{number}-{index}", "time": 1} for index in range(events)]
    body: dict[str, object] = {"statsigMetadata": {"x": "y" * about}, "events": sent}
    if user:
        body["user"] = {"userID": "u" * (user // 2), "customIDs": {"k": "v" * (user // 2)}}
    record = _record(json.dumps(body).encode(), events)
    record.request_id = number.to_bytes(16, "big")
    return record


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(_json(1, about=79_000, events=212), id="of themselves"),
        pytest.param(_json(1, about=0, events=212, user=79_000), id="of a user whom their events share"),
    ],
)
def test_what_requests_say_takes_bounded_memory_on_all_their_rows(record: storage.LogRecord) -> None:
    sizes = [
        batch.nbytes
        for stretch in in_stretches(enumerate([record] * 40))
        for batch in decode([one for _, one in stretch]).batches
    ]

    assert max(sizes) < 70 * _MIB
    assert sum(sizes) > 40 * 212 * 79_000


def test_rows_are_the_same_and_in_the_same_order_in_however_many_batches_they_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = [_json(number, about=300 * (number % 4), events=3, user=200 * (number % 3)) for number in range(30)]
    for number in range(0, 30, 4):
        message = api.LogEventRequest(events=[api.Event(event_name=f"{number}-{index}") for index in range(3)])
        message.statsig_metadata.sdk_type = "t" * 500
        records[number].body = message.SerializeToString()
        records[number].body_format = storage.BODY_FORMAT_LOG_EVENT_REQUEST
    whole = list(decode(records).batches)

    monkeypatch.setattr(decoding, "_BATCH_REPEATED_BYTES", 5000)
    parts = list(decode(records).batches)

    assert len(whole) == 1
    assert len(parts) > 5
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches(whole))
    assert whole[0].column("event_name").to_pylist() == [
        f"{number}-{index}" for number in range(30) for index in range(3)
    ]
