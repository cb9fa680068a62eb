"""A lake that is hard to read, written by the real decoder and writer, and the rows that every engine must find in it.

    received_date=2026-01-30/received_hour=23   the kept file of table version 1 (tests/fixtures/lake)
    received_date=2026-01-31/received_hour=00   what need not be there is null in all rows
    received_date=2026-01-31/received_hour=07   two files
    received_date=2026-01-31/received_hour=08   an hour that reads as a bad octal number
    received_date=2026-01-31/received_hour=09   the table version after today's: one more column, `added_later`

What is expected is written out by hand: no code of the lake takes part in it.

    python -m tests.support.reader_lake         keep a file of today's table version in tests/fixtures/lake
"""

import operator
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
from google.protobuf import json_format

from sluice import disk
from sluice.events.v1 import events_pb2 as api
from sluice.lake import parquet
from sluice.lake.decode import decode
from sluice.lake.parquet import FileRows, Layout, SegmentRows
from sluice.lake.partition import EVENTS_FOLDER, LAKE_FOLDER, folder_of
from sluice.lake.schema import EVENTS, TABLE_VERSION
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.lake_log import MemoryLog, record, uuid7
from tests.support.lake_service import publish_all, started

Row = dict[str, Any]

KEPT = Path(__file__).parents[1] / "fixtures/lake"
ADDED = pa.field("added_later", pa.string())
ADDED_VALUE = "größer 🚀"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An accepted request and the rows that it becomes."""

    record: storage.LogRecord
    rows: tuple[Row, ...]

    @property
    def hour(self) -> str:
        """The hour of receipt, as segment ids begin."""
        return f"{_at(self.record.received_at_us):%Y%m%dT%H}"


def _at(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def _us(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def _request(received_at: str, body: str | api.LogEventRequest, *rows: Row, **fields: Any) -> Request:
    """A request; of its rows what is the same in all of them need not be said, nor what is null."""
    at = _us(received_at)
    if not isinstance(body, str):
        fields["body_format"] = storage.BODY_FORMAT_LOG_EVENT_REQUEST
        fields["source"] = storage.SOURCE_GRPC
    id_ = uuid7(at / 1e6)
    content = body.encode() if isinstance(body, str) else body.SerializeToString()
    item = record(content, request_id=id_.bytes, received_at_us=at, event_count=len(rows), **fields)
    common = dict.fromkeys(EVENTS.names) | {
        "request_id": str(id_),
        "received_at": _at(at),
        "event_time": _at(at),
        "source": {storage.SOURCE_SDK: "sdk", storage.SOURCE_WEBHOOK: "webhook", storage.SOURCE_GRPC: "grpc"}[
            item.source
        ],
        "project": item.project,
        "key_id": item.key_id,
        "event_kind": "custom",
        "client_time_ms": fields.get("client_time_ms"),
        "received_date": _at(at).date(),
        "received_hour": _at(at).hour,
    }
    return Request(record=item, rows=tuple(common | {"event_index": n} | row for n, row in enumerate(rows)))


# Every column has a value, in letters of many alphabets; event_time has microseconds, from the service's clock.
_WHOLE = _request(
    "2026-01-30T23:59:59.999999+00:00",
    '{"events":[{"eventName":"größer 🚀","eventID":"ev\\u002d1","time":1769817500001,"value":"12.50",'
    '"user":{"userID":"用户","email":"é@example.org","custom":{ "plan" : "pro", "n": 9007199254740993 },'
    '"customIDs":{"companyID":"c-9","stableID":"device","empty":"","ключ":"🔑"},"ip":"2001:db8::1",'
    '"userAgent":"Mozilla/5.0 (\\"X\\")","country":"DE","locale":"de_DE","appVersion":"1.2.3",'
    '"statsigEnvironment":{"tier":"production"},"beyond":[1, 2.0]},"metadata":{"text" : "a\\"b\\n\\u00e9", "x":1e400},'
    '"secondaryExposures":[{"gate":"g" , "gateValue":"true","ruleID":"r"}],"odd":null,"more":{"k" : 1}},'
    '{"eventName":"statsig::layer_exposure","time":1769817500002,"metadata":{"config":"layer","ruleID":"rule",'
    '"allocatedExperiment":"exp","parameterName":"param","reason":"Network","rulePassed":"true"}}],'
    '"statsigMetadata":{"sdkType":"js-client","sdkVersion":"3.1","sessionID":"s1", "os" : "x"},'
    '"idempotencyKey":"batch-1","top": true}',
    {
        "event_id": "ev-1",
        "event_time": datetime(2026, 1, 30, 23, 58, 21, 501_999, tzinfo=UTC),
        "time_ms": 1769817500001,
        "event_name": "größer 🚀",
        "user_id": "用户",
        "user_email": "é@example.org",
        "user_custom": '{ "plan" : "pro", "n": 9007199254740993 }',
        "user_custom_ids": {"companyID": "c-9", "stableID": "device", "empty": "", "ключ": "🔑"},
        "stable_id": "device",
        "user_ip": "2001:db8::1",
        "user_agent": 'Mozilla/5.0 ("X")',
        "user_country": "DE",
        "user_locale": "de_DE",
        "user_app_version": "1.2.3",
        "environment": "production",
        "value_number": 12.5,
        "value_string": "12.50",
        "metadata": '{"text" : "a\\"b\\n\\u00e9", "x":1e400}',
        "secondary_exposures": '[{"gate":"g" , "gateValue":"true","ruleID":"r"}]',
        "extra": '{"request":{"top":true},"event":{"more":{"k" : 1}},"user":{"beyond":[1, 2.0]}}',
    }
    | (
        _of_the_request := {
            "idempotency_key": "batch-1",
            "sdk_type": "js-client",
            "sdk_version": "3.1",
            "session_id": "s1",
            "sdk_metadata": '{"sdkType":"js-client","sdkVersion":"3.1","sessionID":"s1", "os" : "x"}',
        }
    ),
    {
        "event_time": datetime(2026, 1, 30, 23, 58, 21, 502_999, tzinfo=UTC),
        "time_ms": 1769817500002,
        "event_name": "statsig::layer_exposure",
        "event_kind": "layer_exposure",
        "exposure_name": "layer",
        "exposure_value": True,
        "rule_id": "rule",
        "allocated_experiment": "exp",
        "parameter_name": "param",
        "exposure_reason": "Network",
        "metadata": '{"config":"layer","ruleID":"rule","allocatedExperiment":"exp","parameterName":"param",'
        '"reason":"Network","rulePassed":"true"}',
        "extra": '{"request":{"top":true}}',
    }
    | _of_the_request,
    client_time_ms=1769817598499,
)

# An empty text is no null.
_EMPTY = _request(
    "2026-01-30T23:30:00+00:00",
    '{"events":[{"eventName":"empty","eventID":"","time":0,"value":"","user":{"userID":"","email":"","custom":{},'
    '"customIDs":{"":""},"ip":"","userAgent":"","country":"","locale":"","appVersion":"",'
    '"statsigEnvironment":{"tier":""}},"metadata":{},"secondaryExposures":[]}],'
    '"statsigMetadata":{"sdkType":"","sdkVersion":"","sessionID":"","stableID":""},"idempotencyKey":""}',
    {
        "event_id": "",
        "idempotency_key": "",
        "time_ms": 0,
        "event_name": "empty",
        "user_id": "",
        "user_email": "",
        "user_custom": "{}",
        "user_custom_ids": {"": ""},
        "stable_id": "",
        "user_ip": "",
        "user_agent": "",
        "user_country": "",
        "user_locale": "",
        "user_app_version": "",
        "environment": "",
        "value_string": "",
        "metadata": "{}",
        "secondary_exposures": "[]",
        "sdk_type": "",
        "sdk_version": "",
        "session_id": "",
        "sdk_metadata": '{"sdkType":"","sdkVersion":"","sessionID":"","stableID":""}',
    },
)


def _bare(received_at: str, name: str = "bare") -> Request:
    """All that may be null is null; a map without entries is null, too."""
    body = f'{{"events":[{{"eventName":"{name}","user":{{"customIDs":{{}}}}}}]}}'
    return _request(received_at, body, {"event_name": name})


_NUMBERS = _request(
    "2026-01-31T07:00:00.000001+00:00",
    '{"events":['
    '{"eventName":"number","time":1,"value":9007199254740993},'
    '{"eventName":"number","time":-1,"value":1e400},'
    '{"eventName":"number","time":9223372036854775807,"value":-1.7976931348623157e308},'
    '{"eventName":"number","time":-9223372036854775808,"value":5e-324},'
    '{"eventName":"number","time":9007199254740993,"value":0.1,"user":{"userID":12345678901234567890}}]}',
    {
        "event_time": datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC),
        "time_ms": 1,
        "event_name": "number",
        "value_number": 9007199254740992.0,
        "value_string": "9007199254740993",
    },
    {"time_ms": -1, "event_name": "number", "value_string": "1e400"},
    {"time_ms": 2**63 - 1, "event_name": "number", "value_number": -1.7976931348623157e308},
    {"time_ms": -(2**63), "event_name": "number", "value_number": 5e-324},
    {"time_ms": 2**53 + 1, "event_name": "number", "value_number": 0.1, "user_id": "12345678901234567890"},
)

# Longer than the texts of which Parquet keeps the smallest and largest, and some that end in the highest code point,
# of which Iceberg makes upper bounds.
_LONG = "🚀" * 20 + "x" * 5000
_HIGHEST = "\U0010ffff" * 20
_TEXTS = _request(
    "2026-01-31T07:59:59.5+00:00",
    f'{{"events":[{{"eventName":"text","value":"{_LONG}","metadata":{{"long":"{_LONG}"}}}},'
    f'{{"eventName":"{_HIGHEST}","user":{{"userID":"nul\\u0000inside"}}}},'
    '{"eventName":"tab\\tand\\nline","user":{"userID":"\\u202e\\ufeff"}}]}',
    {"event_name": "text", "value_string": _LONG, "metadata": f'{{"long":"{_LONG}"}}'},
    {"event_name": _HIGHEST, "user_id": "nul\0inside"},
    {"event_name": "tab\tand\nline", "user_id": "\u202e\ufeff"},
    source=storage.SOURCE_WEBHOOK,
    key_id="key_2",
    project="shop",
)

_TYPED = _request(
    "2026-01-31T08:08:08.080808+00:00",
    json_format.ParseDict(
        {
            "events": [
                {
                    "eventName": "statsig::gate_exposure",
                    "time": "1769846888000",
                    "user": {"userID": "u1", "customIDs": {"b": "2", "a": "1"}},
                    "metadata": {"gate": "g1", "gateValue": "false", "b": 1.5, "a": [None, {"k": "ö"}]},
                }
            ]
        },
        api.LogEventRequest(),
    ),
    {
        "event_time": datetime(2026, 1, 31, 8, 8, 8, tzinfo=UTC),
        "time_ms": 1769846888000,
        "event_name": "statsig::gate_exposure",
        "event_kind": "gate_exposure",
        "exposure_name": "g1",
        "exposure_value": False,
        "user_id": "u1",
        "user_custom_ids": {"a": "1", "b": "2"},
        "metadata": '{"a":[null,{"k":"ö"}],"b":1.5,"gate":"g1","gateValue":"false"}',
    },
)

_OF_VERSION_1 = (_WHOLE, _EMPTY, _bare("2026-01-30T23:00:00+00:00"))
_OF_TODAY = (
    (_bare("2026-01-31T00:00:00+00:00"), _bare("2026-01-31T00:59:59.999999+00:00", "last of the hour")),
    (_NUMBERS,),
    (_TEXTS,),
    (_TYPED,),
)
_OF_TOMORROW = (_bare("2026-01-31T09:00:00+00:00", "new"),)

# In their order: by request, then by position.
ROWS: tuple[Row, ...] = tuple(
    row | {ADDED.name: ADDED_VALUE if request in _OF_TOMORROW else None}
    for request in sorted(
        (*_OF_VERSION_1, *(r for requests in _OF_TODAY for r in requests), *_OF_TOMORROW),
        key=lambda request: request.rows[0]["request_id"],
    )
    for row in request.rows
)

# What engines are asked to find, much of it by the files' statistics: (column, operator, value).
PREDICATES: tuple[tuple[str, str, Any], ...] = (
    ("received_date", "=", date(2026, 1, 30)),
    ("received_hour", "=", 7),
    ("received_hour", "<", 9),
    ("received_at", ">=", datetime(2026, 1, 31, 7, 59, 59, 500_000, tzinfo=UTC)),
    ("event_time", "<", datetime(2000, 1, 1, tzinfo=UTC)),
    ("event_name", "=", "größer 🚀"),
    ("event_name", "=", _HIGHEST),
    ("event_name", "=", "no such event"),
    ("user_id", "=", ""),
    ("user_id", "=", "nul\0inside"),
    ("user_id", "is", None),
    ("value_string", "=", _LONG),
    ("value_number", "<", 0.0),
    ("time_ms", "=", 2**63 - 1),
    ("time_ms", "=", 2**53 + 1),
    ("time_ms", "<", 0),
    ("exposure_value", "=", False),
    (ADDED.name, "=", ADDED_VALUE),
    (ADDED.name, "is", None),
)
_HAS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">=": operator.ge,
    "is": operator.is_,
}


def count_of(predicate: tuple[str, str, Any]) -> int:
    """How many of the rows have it; a comparison with null is never true."""
    column, sign, value = predicate
    return sum(_HAS[sign](row[column], value) for row in ROWS if value is None or row[column] is not None)


def make(data_dir: Path) -> Path:
    """Write the lake; return the folder of its event table."""
    table = data_dir / LAKE_FOLDER / EVENTS_FOLDER
    log = MemoryLog()
    writer = started(data_dir, log)
    for requests in _OF_TODAY:
        log.seal([request.record for request in requests], hour=requests[0].hour)
        publish_all(writer)
    oldest = folder_of(table, _OF_VERSION_1[0].hour)
    oldest.mkdir(parents=True)
    shutil.copy(KEPT / "version_1.parquet", oldest)
    newest = folder_of(table, _OF_TOMORROW[0].hour)
    newest.mkdir(parents=True)
    _write_next_version(newest / "next.parquet")
    return table


def _write_next_version(path: Path) -> None:
    """A file as the writer will make it of a table that has one column more, at its end."""
    layout = replace(parquet.EVENTS_LAYOUT, schema=EVENTS.append(ADDED))
    with mock.patch.object(parquet, "TABLE_VERSION", TABLE_VERSION + 1):
        batches = [
            batch.append_column(ADDED, pa.array([ADDED_VALUE] * batch.num_rows, ADDED.type))
            for batch in decode([request.record for request in _OF_TOMORROW]).batches
        ]
        _write(path, batches, layout)


def _write(path: Path, batches: Sequence[pa.RecordBatch], layout: Layout = parquet.EVENTS_LAYOUT) -> None:
    file = disk.create(path)
    with FileRows(file, layout) as rows:
        for batch in batches:
            rows.add(batch)
        rows.close([SegmentRows(id=f"{path.stem}-segment", records=1)])
    file.close()


def main() -> int:
    """Keep a file of today's table version, for ever."""
    path = KEPT / f"version_{TABLE_VERSION}.parquet"
    KEPT.mkdir(parents=True, exist_ok=True)
    if path.exists():
        print(f"{path} is there already: it is never written anew", file=sys.stderr)
        return 1
    _write(path, list(decode([request.record for request in _OF_VERSION_1]).batches))
    return 0


if __name__ == "__main__":
    sys.exit(main())
