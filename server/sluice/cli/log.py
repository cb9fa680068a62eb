"""`sluice log list|verify|dump`: looks at the durable log, with or without a running service, and changes nothing."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.options import AsJson, Config, DataDir, existing_data_dir, group
from sluice.cli.output import print_json, print_json_array, print_table, say

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.log.segment import State

__all__ = ["commands"]

commands = group("Look at the durable log.")


@commands.command("list")
def list_(*, as_json: AsJson = False, data_dir: DataDir = None, config: Config = None) -> None:
    """List the segments of the log.

    Open ones are written to, sealed ones wait for the lake, damaged ones were set aside with a report, archive holds
    those that are in the lake, if the setting archive is on. Those of refused requests come after, as refused/open and
    so on.

    sluice log list
    """
    from sluice.log.inspect import list_segments  # noqa: PLC0415  structlog, which --help needn't take

    segments = [
        (name, segment)
        for name, folder in _logs_of(data_dir, config).items()
        for segment in list_segments(folder, now=time.time())
    ]
    if as_json:
        print_json([asdict(segment) | {"state": segment.state.value, "log": name} for name, segment in segments])
        return
    print_table(
        ["state", "segment", "records", "bytes", "last written", "note"],
        [
            (
                _state(name, segment.state),
                segment.id,
                segment.records,
                segment.bytes,
                f"{segment.age_s:.0f} s ago",
                segment.reason or ("in use" if segment.locked else ""),
            )
            for name, segment in segments
        ],
        right={2, 3},
    )


@commands.command("verify")
def verify(*, as_json: AsJson = False, data_dir: DataDir = None, config: Config = None) -> None:
    """Read the whole log, that of refused requests too, and check every byte of it.

    Exits with 1 when it finds a fault. What was set aside already, below log/damaged/, is told, and is none. A segment
    that a running service brings to the lake meanwhile is passed over.

    sluice log verify
    """
    from sluice.log.inspect import verify_segments  # noqa: PLC0415  as above
    from sluice.log.refused import decode_refused  # noqa: PLC0415  as above
    from sluice.supervisor.figures import count_damaged  # noqa: PLC0415  as above

    logs = _logs_of(data_dir, config)
    faults = [("accepted", fault) for fault in verify_segments(logs["accepted"])]
    faults += [("refused", fault) for fault in verify_segments(logs["refused"], decode=decode_refused)]
    if as_json:
        print_json([asdict(fault) | {"state": fault.state.value, "log": name} for name, fault in faults])
    elif faults:
        print_table(
            ["state", "segment", "offset", "bytes", "reason", "detail"],
            [(_state(name, f.state), f.segment, f.offset, f.bytes, f.reason, f.detail) for name, f in faults],
            right={2, 3},
        )
    say(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}" if faults else "no fault")
    for path, count in count_damaged(logs["accepted"].parent).items():
        say(f"{count:,} set aside before, in {path}")
    if faults:
        raise typer.Exit(1)


@commands.command("dump")
def dump(
    *,
    segment: Annotated[
        str | None, typer.Option("--segment", help="Only the records of the segment with this id.", metavar="ID")
    ] = None,
    body: Annotated[
        bool,
        typer.Option("--body", help="With --json: the body too, JSON as text, other formats in base64."),
    ] = False,
    refused: Annotated[bool, typer.Option("--refused", help="Those of refused requests instead.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Print the records of the log.

    In the order of the log, and without damaged ones. A body holds what a client sent: it is printed only when it is
    asked for.

    sluice log dump --json --body
    """
    from sluice.log.inspect import dump_records  # noqa: PLC0415  as above

    logs = _logs_of(data_dir, config)
    if refused:
        _dump_rejects(logs["refused"], segment_id=segment, body=body, as_json=as_json)
        return
    records = dump_records(logs["accepted"], segment_id=segment, body=body)
    if as_json:
        print_json_array(json.dumps(asdict(record), ensure_ascii=False) for record in records)
        return
    print_table(
        ["received_at", "request_id", "source", "project", "key_id", "events", "format", "body bytes"],
        [
            (
                record.received_at,
                record.request_id,
                record.source,
                record.project,
                record.key_id,
                record.event_count,
                record.body_format,
                record.body_bytes,
            )
            for record in records
        ],
        right={5, 7},
    )


def _dump_rejects(folder: Path, *, segment_id: str | None, body: bool, as_json: bool) -> None:
    from sluice.log.inspect_refused import dump_rejects  # noqa: PLC0415  as above

    records = dump_rejects(folder, segment_id=segment_id, body=body)
    if as_json:
        print_json_array(json.dumps(asdict(record), ensure_ascii=False) for record in records)
        return
    print_table(
        ["received_at", "request_id", "source", "project", "key_id", "reason", "format", "body bytes"],
        [
            (
                record.received_at,
                record.request_id,
                record.source,
                record.project,
                record.key_id,
                record.reason,
                record.body_format,
                record.body_bytes,
            )
            for record in records
        ],
        right={7},
    )


def _state(log: str, state: State) -> str:
    return state.value if log == "accepted" else f"{log}/{state.value}"


def _logs_of(data_dir: Path | None, config: str | None) -> dict[str, Path]:
    """The folders of both logs, by what they hold."""
    from sluice.log.segment import LOG_FOLDER, REFUSED_FOLDER  # noqa: PLC0415  structlog, which --help needn't take

    folder = existing_data_dir(data_dir, config) / LOG_FOLDER
    return {"accepted": folder, "refused": folder / REFUSED_FOLDER}
