"""`sluice trace REQUEST_ID`: where a request is, in the log and in the lake; with or without a running service."""

from __future__ import annotations

import re
import uuid
from typing import Annotated

import typer

from sluice.cli.event_line import event_line
from sluice.cli.options import AsJson, Config, DataDir, ShowValues, WrongUsage, existing_data_dir, readable
from sluice.cli.output import print_json, print_line, say
from sluice.errors import SluiceError

__all__ = ["NotFound", "trace"]

_UUID7 = 7
_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LABEL_WIDTH = 10


class NotFound(SluiceError):
    """Neither the log nor the lake has the request."""


def trace(
    *,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="The id, as the answer's x-request-id or a row says it.")
    ],
    rows: Annotated[
        bool, typer.Option("--rows", help="The rows of its events too, masked as sluice tail does; the first 1,000.")
    ] = False,
    show_values: ShowValues = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Tell where a request is.

    When it was received; while it waits, in which segment of the log, and at which offset; once it is published, in
    which file of the lake, which rows there, and which segments that file names. Of one that was refused, or of which
    events were set aside: why, and where that is kept, if it came with a known key. Exits with 1 when it is in neither,
    or was set aside as damaged.

    sluice trace 01981f2e-7c40-7000-8000-0123456789ab
    """
    wanted = _parse(request_id)
    folder = existing_data_dir(data_dir, config)
    from sluice.cli.trace_report import facts_of, lines_of, rows_of  # noqa: PLC0415  pyarrow: 0.5 s, no matter of --help
    from sluice.cli.whereabouts import NOWHERE, Stage, find  # noqa: PLC0415  as above

    if wanted.version != _UUID7:
        if as_json:
            print_json(facts_of(NOWHERE, wanted))
        raise NotFound(
            f"request {wanted} is nowhere: Sluice's ids are of UUID version 7, this one is of version {wanted.version}",
            hint="Envoy makes such ids for answers of its own, which say why. Nothing is kept of what no worker saw; "
            "where one died before its answer, the request may be in the lake, under another id: look for its events",
        )
    with readable():
        found = find(folder, wanted, say_wide=lambda: say("not in the hours about its id; looking at everything"))
        events = rows_of(found, wanted, show_values=show_values) if rows else None
    for path in found.unreadable:
        say(f"{path}: can't be read as a file of the lake; whether it holds the request isn't known")
    if as_json:
        print_json(facts_of(found, wanted) | ({} if events is None else {"rows": events}))
    elif found.stage is not Stage.NOT_FOUND:
        for label, text in lines_of(folder, found, wanted):
            print_line(f"{label:<{_LABEL_WIDTH}} {text}")
        for row in events or ():
            print_line(f"{'row':<{_LABEL_WIDTH}} {row['event_index']}: {event_line(row)}")
    if found.stage is Stage.NOT_FOUND:
        raise NotFound(
            f"request {wanted} is neither in the log nor in the lake of the data folder {folder}. What that can mean:\n"
            "  it was refused, and came without a known key, or beyond rejects-per-hour: its answer said why\n"
            "  it held no events: that is accepted, and leaves nothing\n"
            "  another service received it, one with another data folder\n"
            "  its file was moved out of the lake\n"
            "  its record was damaged on the disk, and its id with it: see the reports in log/damaged/"
        )
    if found.stage is Stage.DAMAGED:
        raise typer.Exit(1)


def _parse(text: str) -> uuid.UUID:
    if not _UUID.fullmatch(text.strip().lower()):
        raise WrongUsage(
            f'"{text}" is no request id', hint="it looks like 01981f2e-7c40-7000-8000-0123456789ab: see x-request-id"
        )
    return uuid.UUID(text.strip())
