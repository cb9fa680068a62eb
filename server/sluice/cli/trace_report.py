"""What `sluice trace` tells of a request: facts for programs, lines for people, and its rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sluice.cli.output import iso_micros
from sluice.cli.pasted import command_on
from sluice.cli.whereabouts import Stage
from sluice.lake.decode import decode
from sluice.lake.decode_refused import row_of
from sluice.lake.locate import read_rows
from sluice.lake.masking import masked
from sluice.lake.rejects import dated
from sluice.log.record import source_of
from sluice.log.segment import State

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator
    from pathlib import Path

    from sluice.cli.whereabouts import Whereabouts
    from sluice.lake.locate import LocatedRows
    from sluice.log.locate import LocatedRecord
    from sluice.storage.v1.log_record_pb2 import LogRecord
    from sluice.storage.v1.refused_record_pb2 import RefusedRecord

__all__ = ["facts_of", "lines_of", "rows_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ROWS = 1000
_MAX_SEGMENTS = 20

_IN_WORDS = {
    Stage.OPEN: "waits in the log: its segment is still written to; it is sealed by its age or size",
    Stage.SEALED: "waits in the log: its segment is sealed, and goes to the lake next",
    Stage.ARCHIVED: "was in the lake: the log's archive has it, but no file of the lake does",
    Stage.DAMAGED: "set aside, or about to be: it is no row of the lake",
    Stage.REFUSED: "refused: it is no row of the events",
    Stage.NOT_FOUND: "in neither log nor lake",
}


def rows_of(found: Whereabouts, wanted: uuid.UUID, *, show_values: bool) -> list[dict[str, Any]]:
    """The first 1,000 rows of a request: from the lake, or as they will be there; masked, unless values are shown.

    Raises:
        OSError: the file of the lake can't be read any more.
    """
    rows: list[dict[str, Any]] = []
    if found.in_lake:
        rows = read_rows(found.in_lake[0], str(wanted), limit=_MAX_ROWS)
    elif (record := _record_of(found)) is not None:
        for batch in decode([record]).batches:
            rows += batch.slice(0, _MAX_ROWS - len(rows)).to_pylist(maps_as_pydicts="strict")
            if len(rows) == _MAX_ROWS:
                break
    return rows if show_values else [masked(row) for row in rows]


def _record_of(found: Whereabouts) -> LogRecord | None:
    return next((located.record for located in found.in_log if located.record is not None), None)


def facts_of(found: Whereabouts, wanted: uuid.UUID) -> dict[str, Any]:
    """The names are the keys of `--json`: some may be added, none renamed. None: it isn't known."""
    facts = dict.fromkeys(("received_at", "source", "project", "key_id", "events"))
    if found.in_lake:
        first = found.in_lake[0]
        facts |= {name: getattr(first, name) for name in ("received_at", "source", "project", "key_id")}
        facts["events"] = first.rows
    elif (record := _record_of(found)) is not None:
        facts |= {
            "received_at": _EPOCH + timedelta(microseconds=record.received_at_us),
            "source": source_of(record).value,
            "project": record.project,
            "key_id": record.key_id,
            "events": record.event_count,
        }
    return {
        "request_id": str(wanted),
        "state": found.stage.value,
        **facts,
        "log": [_in_log(located) for located in found.in_log],
        "lake": [_in_lake(located) for located in found.in_lake],
        "refused": _refused(found, wanted),
        "unreadable": [str(path) for path in found.unreadable],
    }


def _refused(found: Whereabouts, wanted: uuid.UUID) -> dict[str, Any] | None:
    """What the log of refused requests, or the table rejects, says of it; None: it is in neither."""
    row: dict[str, Any] | None = None
    record = next((located.record for located in found.refused_in_log if located.record is not None), None)
    if record is not None:
        row = dated(row_of(record))
    elif found.refused_in_lake:
        row = read_rows(found.refused_in_lake[0], str(wanted), limit=1)[0]
    if row is None:
        return None
    names = ("received_at", "source", "project", "key_id", "reason", "event_count", "invalid_event_count", "body_bytes")
    return {
        **{name: row[name] for name in names},
        "body_kept": row["body"] is not None,
        "log": [_in_log(located) for located in found.refused_in_log],
        "lake": [_in_lake(located) for located in found.refused_in_lake],
    }


def _in_log(located: LocatedRecord[LogRecord] | LocatedRecord[RefusedRecord]) -> dict[str, Any]:
    return {
        "state": located.file.state.value,
        "segment": located.file.id,
        "file": str(located.file.path),
        "offset": located.offset,
        "bytes": located.size_bytes or None,
        "locked": located.file.locked,
        "reason": located.reason.value if located.reason else None,
        "detail": located.detail or None,
    }


def _in_lake(located: LocatedRows) -> dict[str, Any]:
    return {
        "file": str(located.path),
        "rows": located.rows,
        "first_row": located.first_row,
        "row_groups": list(located.row_groups),
        "file_rows": located.file_rows,
        "schema_version": located.schema_version,
        "segments": [{"id": segment.id, "records": segment.records} for segment in located.segments or ()],
    }


def lines_of(data_dir: Path, found: Whereabouts, wanted: uuid.UUID) -> Iterator[tuple[str, str]]:
    """What people are told, line by line: what it is about, and the fact."""
    facts = facts_of(found, wanted)
    yield "request", facts["request_id"]
    if facts["received_at"] is not None:
        by = f"{facts['source']}, project {facts['project']}, key {facts['key_id']}"
        yield "received", f"{iso_micros(facts['received_at'])} by {by}"
        yield "events", f"{facts['events']:,}"
    yield "state", _state_in_words(found)
    for located in found.in_lake:
        yield from _lines_of_rows(located)
    if found.in_lake:
        yield "ask", _query(data_dir, found.in_lake[0], wanted)
    for record in found.in_log:
        yield from _lines_of_record(record)
    if (refused := facts["refused"]) is not None:
        yield from _lines_of_refused(refused, found)
        yield "see", command_on(data_dir, "rejects show", str(wanted))


def _state_in_words(found: Whereabouts) -> str:
    files = [located.file for located in found.in_log]
    match found.stage:
        case Stage.PUBLISHED:
            if len(found.in_lake) > 1:
                return f"in the lake {len(found.in_lake)} times: a file was copied by hand, or there is a fault"
            if any(file.state is State.ARCHIVED for file in files):
                return "in the lake; the log keeps it too, because of the setting archive"
            return "in the lake; the log is about to let go of it" if files else "in the lake"
        case Stage.OPEN if not any(file.locked for file in files):
            return "waits in the log: whoever wrote its segment has died; the service's next start, or flush, seals it"
        case stage:
            return _IN_WORDS[stage]


def _lines_of_rows(located: LocatedRows) -> Iterator[tuple[str, str]]:
    groups = ", ".join(map(str, located.row_groups))
    yield "file", str(located.path)
    yield "rows", f"{located.rows:,} of {located.file_rows:,}, from row {located.first_row} on, in row group {groups}"
    yield "table", f"version {'unknown' if located.schema_version is None else located.schema_version}"
    segments = located.segments or ()
    for segment in segments[:_MAX_SEGMENTS]:
        yield "made of", f"{segment.id}, {segment.records:,} records"
    if len(segments) > _MAX_SEGMENTS:
        yield "made of", f"{len(segments) - _MAX_SEGMENTS:,} more segments; all with --json"


def _lines_of_record(located: LocatedRecord[LogRecord] | LocatedRecord[RefusedRecord]) -> Iterator[tuple[str, str]]:
    yield "segment", located.file.id
    yield "log file", str(located.file.path)
    size = f"{located.size_bytes:,} bytes" if located.size_bytes else "of unknown length: what says it is damaged"
    yield "offset", f"{located.offset}, {size}"
    if located.reason is not None:
        yield "reason", f"{located.reason.value}{f': {located.detail}' if located.detail else ''}"


def _lines_of_refused(refused: dict[str, Any], found: Whereabouts) -> Iterator[tuple[str, str]]:
    if found.stage is Stage.REFUSED:
        by = f"{refused['source']}, project {refused['project']}, key {refused['key_id']}"
        yield "received", f"{iso_micros(refused['received_at'])} by {by}"
    invalid = refused["invalid_event_count"]
    yield "refused", refused["reason"] + (f": {invalid:,} of {refused['event_count']:,} events" if invalid else "")
    for located in found.refused_in_lake:
        yield "file", str(located.path)
    for record in found.refused_in_log:
        yield from _lines_of_record(record)


def _query(data_dir: Path, located: LocatedRows, wanted: uuid.UUID) -> str:
    at = located.received_at.astimezone(UTC)
    where = f"received_date = '{at:%Y-%m-%d}' and received_hour = {at.hour} and request_id = '{wanted}'"
    sql = f"select * from events where {where}"  # noqa: S608  shown, and made of a time and a UUID
    return command_on(data_dir, "query", f'"{sql}"')
