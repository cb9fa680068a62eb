"""What the compiled pass makes of bodies, held against what the plain decoder makes of them."""

from collections.abc import Sequence

from sluice.lake import decode_json, decode_proto
from sluice.lake.exposures import exposures_of, kinds_of
from sluice.lake.fields import Decoded
from sluice.lake.native import scanned
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.lake_log import record

__all__ = ["read_json", "read_messages"]

_MANY = 10_000


def read_json(bodies: Sequence[bytes]) -> list[int]:
    """Which JSON bodies the compiled pass reads; what it makes of them is what the plain decoder does."""
    read, decoded = scanned.decode_json(bodies, _MANY)
    if decoded is not None:
        [plain] = decode_json.decode([record(bodies[index]) for index in read])
        _are_the_same(decoded, plain)
    assert (decoded is None) == (not read)
    return read


def read_messages(bodies: Sequence[bytes]) -> list[int]:
    """As `read_json`, of the bytes of LogEventRequests."""
    read, decoded = scanned.decode_messages(bodies, _MANY)
    if decoded is not None:
        kind = storage.BODY_FORMAT_LOG_EVENT_REQUEST
        [plain] = decode_proto.decode([record(bodies[index], body_format=kind) for index in read])
        _are_the_same(decoded, plain)
    assert (decoded is None) == (not read)
    return read


def _are_the_same(mine: Decoded, other: Decoded) -> None:
    assert other.shared_users is None
    kinds = kinds_of(other.events.column("event_name"))
    if mine.exposures is not None:
        assert mine.exposures[0].to_pylist() == kinds.to_pylist()
        assert mine.exposures[1].to_pylist() == exposures_of(kinds, other.events.column("metadata")).to_pylist()
    for columns, expected in ((mine.events, other.events), (mine.requests, other.requests)):
        columns.validate(full=True)
        assert columns.schema == expected.schema
        for name in columns.schema.names:
            assert columns.column(name).to_pylist() == expected.column(name).to_pylist(), name
