"""What is fuzzed: functions of any bytes that raise where a promise is broken, and the inputs that they begin with.

What a fuzzer finds is put below tests/fixtures/fuzz/ by its target's name: test_targets.py goes through it ever after.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import brotli
import zstandard
from google.protobuf import json_format

from sluice.contract import INT64_MAX, INT64_MIN
from sluice.events.v1 import events_pb2 as api
from sluice.framing import frame, scan
from sluice.ingest.caller import caller_of, client_time_of
from sluice.ingest.outcome import TooLarge
from sluice.ingest.private import without_private_attributes
from sluice.ingest.unpack import unpacked
from sluice.ingest.validate import CUSTOM_EXPOSURES, LOG_EVENT, WEBHOOK, Unclear, Valid
from sluice.ingest.validate_proto import LOG_EVENT_REQUEST, RECEIVE_WEBHOOK_EVENT_REQUEST
from sluice.ingest.violations import Invalid
from sluice.lake.decode import decode
from sluice.log.ports import Body, Damage
from sluice.log.reader import records_in
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.checked import is_sure_of_json, is_sure_of_message
from tests.support.compiled import read_json, read_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sluice.ingest.door import Shape

__all__ = ["TARGETS", "Target"]

_REQUEST_ID = bytes(range(16))
_MAX_UNPACKED_BYTES = 64 * 1024


@dataclass(frozen=True)
class Target:
    """One function that must stand any bytes.

    Attributes:
        check: raises where a promise is broken.
        seeds: what a fuzzer begins with.
    """

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def _validated(shape: Shape, body: bytes) -> Valid | Invalid:
    found = shape.check(body)
    return shape.look_closer(body) if isinstance(found, Unclear) else found


def _is_read_by_the_lake(body: bytes, body_format: storage.BodyFormat.ValueType, valid: Valid) -> None:
    record = storage.LogRecord(
        request_id=_REQUEST_ID,
        format_version=1,
        received_at_us=1_767_225_600_000_000,
        source=storage.SOURCE_SDK,
        event_count=valid.event_count,
        body_format=body_format,
        body=body,
    )
    rows = decode([record])
    assert not rows.undecodable, f"accepted, but: {rows.undecodable[0].detail}"
    assert sum(batch.num_rows for batch in rows.batches) == valid.event_count


def _is_told_well(invalid: Invalid) -> None:
    assert invalid.violations
    message = invalid.message(max_bytes=1_500)
    assert len(message) <= 1_500
    assert message.isascii()
    assert message.isprintable()


def check_json(body: bytes) -> None:
    """What a door takes as JSON the lake can read; all else is refused in words."""
    shapes = {
        LOG_EVENT: storage.BODY_FORMAT_JSON,
        WEBHOOK: storage.BODY_FORMAT_JSON,
        CUSTOM_EXPOSURES: storage.BODY_FORMAT_CUSTOM_EXPOSURES,
    }
    for shape, of_door in shapes.items():
        found = _validated(shape, body)
        if isinstance(found, Invalid):
            _is_told_well(found)
        elif found.event_count:
            body_format = storage.BODY_FORMAT_WEBHOOK_EVENT if found.body_format is Body.WEBHOOK_EVENT else of_door
            _is_read_by_the_lake(shape.to_store(body), body_format, found)


def check_protobuf(body: bytes) -> None:
    """What a door takes as protobuf the lake can read; all else is refused in words."""
    formats = {
        storage.BODY_FORMAT_LOG_EVENT_REQUEST: LOG_EVENT_REQUEST,
        storage.BODY_FORMAT_RECEIVE_WEBHOOK_EVENT_REQUEST: RECEIVE_WEBHOOK_EVENT_REQUEST,
    }
    for body_format, shape in formats.items():
        found = _validated(shape, body)
        if isinstance(found, Invalid):
            _is_told_well(found)
        elif found.event_count:
            _is_read_by_the_lake(body, body_format, found)


class _Object(tuple[tuple[str, object], ...]):
    """An object as its members, in their order."""

    __slots__ = ()


def check_private(body: bytes) -> None:
    """Of an accepted body privateAttributes are gone, nothing else is, and it is accepted still."""
    if not isinstance(_validated(LOG_EVENT, body), Valid):
        return
    stored = without_private_attributes(body)
    assert _parsed(stored) == _without(_parsed(body))
    assert isinstance(_validated(LOG_EVENT, stored), Valid)


def _parsed(body: bytes) -> object:
    return json.loads(body, object_pairs_hook=_Object, parse_int=str, parse_float=str)


def _without(request: object) -> object:
    assert isinstance(request, _Object)
    return _Object(
        (key, _clean_user(value) if key == "user" else _clean_events(value) if key == "events" else value)
        for key, value in request
    )


def _clean_events(events: object) -> object:
    if not isinstance(events, list):
        return events
    return [
        _Object((key, _clean_user(value) if key == "user" else value) for key, value in event)
        if isinstance(event, _Object)
        else event
        for event in events
    ]


def _clean_user(user: object) -> object:
    if not isinstance(user, _Object):
        return user
    return _Object((key, value) for key, value in user if key != "privateAttributes")


def check_segment(content: bytes) -> None:
    """All of a segment's bytes are found, as records or as damage, in their order and unaltered."""
    at = 0
    for part, found in zip(scan(content), records_in(content, sealed=None), strict=True):
        assert part.offset == at
        at = part.end
        if isinstance(found, Damage):
            assert (found.offset, found.data) == (part.offset, content[part.offset : part.end])
        else:
            offset, record = found
            assert offset == part.offset
            assert record.SerializeToString() in content or storage.LogRecord.FromString(part.payload) == record
            decode([record])
    assert at == len(content)


def check_unpack(body: bytes) -> None:
    """A packed body comes out as another library has it, or is refused; never as a part."""
    for encoding, library in (("gzip", gzip.decompress), ("br", brotli.decompress), ("zstd", _unzstd)):
        data = unpacked(body, encoding, max_bytes=_MAX_UNPACKED_BYTES)
        if isinstance(data, bytes) and body:
            assert len(data) <= _MAX_UNPACKED_BYTES
            assert data == library(body), encoding
        elif isinstance(data, TooLarge):
            assert data.limit_bytes == _MAX_UNPACKED_BYTES


def _unzstd(body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read()


def check_caller(path: bytes) -> None:
    """Any address that HTTP lets through can be read."""
    text = path.decode("latin-1")
    caller = caller_of([("x-envoy-original-path", text), ("statsig-client-time", text)])
    for name in (caller.sdk_type, caller.sdk_version, caller.session_id):
        assert len(name) <= 256
    client_time_ms = client_time_of(caller)
    assert isinstance(client_time_ms, Invalid) or INT64_MIN <= (client_time_ms or 0) <= INT64_MAX


def check_compiled_json(body: bytes) -> None:
    """The compiled pass finds in any body what the plain decoder does, or leaves it to that one."""
    read_json([_JSON[0], body, _JSON[0]])


def check_compiled_messages(body: bytes) -> None:
    """The same, of protobuf."""
    good = next(_messages())
    read_messages([good, body, good])


def check_sure_of_json(body: bytes) -> None:
    """The compiled check takes nothing that the plain one does not take."""
    is_sure_of_json(body)


def check_sure_of_messages(body: bytes) -> None:
    """The same, of protobuf."""
    is_sure_of_message(body)


_EVENT = {
    "user": {"userID": "u1", "email": "a@b.c", "custom": {"plan": "pro"}, "customIDs": {"stableID": "s"}},
    "eventName": "statsig::gate_exposure",
    "time": 1767225600000,
    "value": 9.5,
    "metadata": {"gate": "g", "gateValue": "true", "ruleID": "r"},
}
_REQUEST = {"events": [_EVENT], "statsigMetadata": {"sdkType": "py", "sdkVersion": "1", "sessionID": "x"}}
_JSON = (
    json.dumps(_REQUEST).encode(),
    b'{"events":[{"user":{"userID":1,"privateAttributes":{"a":"b"}},"eventName":"e","time":"2026-01-01T00:00:00Z"}]}',
    b'{"user":{"private\\u0041ttributes":null},"events":[{"eventName":"statsig::x","time":1e3,"value":1e400}]}',
    b'{"event":"e","timestamp":1,"user":{"userID":"u"},"value":"\\ud83d\\ude00"}',
    b'{"user":{"userID":"u"},"exposures":[{"experimentName":"x","group":"g"},{"gateName":"y","passes":true,"ruleID":"r"}]}',
)


def _messages() -> Iterator[bytes]:
    for body in (_REQUEST, {"events": [_EVENT | {"value": "9.5", "metadata": {"a": [1, None, {"b": True}]}}]}):
        yield json_format.ParseDict(body, api.LogEventRequest()).SerializeToString()


def _segments() -> Iterator[bytes]:
    records = [
        storage.LogRecord(
            request_id=bytes([number]) * 16,
            format_version=1,
            received_at_us=1_767_225_600_000_000,
            source=storage.SOURCE_SDK,
            event_count=1,
            body_format=storage.BODY_FORMAT_JSON,
            body=_JSON[number],
        ).SerializeToString()
        for number in range(3)
    ]
    yield b"".join(map(frame, records))
    yield frame(records[0]) + b"\0" * 64 + frame(records[1])[:-9] + frame(records[2])


TARGETS = {
    "json": Target(check_json, _JSON),
    "protobuf": Target(check_protobuf, tuple(_messages())),
    "compiled-json": Target(check_compiled_json, _JSON),
    "compiled-protobuf": Target(check_compiled_messages, tuple(_messages())),
    "compiled-check-json": Target(check_sure_of_json, _JSON),
    "compiled-check-protobuf": Target(check_sure_of_messages, tuple(_messages())),
    "private": Target(check_private, _JSON),
    "segment": Target(check_segment, tuple(_segments())),
    "unpack": Target(
        check_unpack,
        (
            gzip.compress(b"abc"),
            brotli.compress(b"abc"),
            zstandard.compress(b"abc"),
            gzip.compress(b"a") + gzip.compress(b""),
        ),
    ),
    "caller": Target(check_caller, (b"/v1/log_event?k=client-x&t=1767225600000&st=js&sv=1&sid=%20%zz+&ec=1#f",)),
}
