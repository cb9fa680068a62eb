"""`sluice tail`: events as they come, from the log, with or without a running service; changes nothing."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.cli.event_line import event_line
from sluice.cli.options import Config, DataDir, ShowValues, WrongUsage, duration_of, existing_data_dir, readable
from sluice.cli.output import cut, json_line, print_line, say
from sluice.cli.pasted import command_on
from sluice.contract import Source  # noqa: TC001  typer reads the annotations
from sluice.keys.key import kind_of, prefix_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sluice.cli.tailing import Tail

__all__ = ["tail"]

_DEFAULT_RATE = 100

# Under load, what serves comes before what watches.
_NICER = 10


def tail(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object to a line, with the columns of the lake.")
    ] = False,
    event_name: Annotated[
        list[str] | None,
        typer.Option(
            "--event-name",
            help="Only events of this name, or pattern such as 'purchase*'; may stand more than once.",
            metavar="pattern",
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            help="Only events that came with the key of this id, as sluice keys list shows it; may stand more than "
            "once.",
            metavar="ID",
        ),
    ] = None,
    project: Annotated[
        list[str] | None,
        typer.Option("--project", help="Only events of this project; may stand more than once.", metavar="text"),
    ] = None,
    source: Annotated[
        list[Source] | None,
        typer.Option(
            "--source", help="Only events of this door; may stand more than once.", metavar="sdk|webhook|grpc"
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="First what was received within that time and is still in the log, such as 5m.",
            metavar="duration",
        ),
    ] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="First all that the log holds.")] = False,
    no_follow: Annotated[
        bool, typer.Option("--no-follow", help="Show what the log holds, and end without waiting for more.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", help="End after this many events.", min=1, metavar="number")
    ] = None,
    rate: Annotated[
        int,
        typer.Option(
            "--rate",
            help="How many events a second are shown; when more come, a fair sample of them.",
            min=1,
            max=10_000,
            metavar="number",
        ),
    ] = _DEFAULT_RATE,
    refused: Annotated[
        bool,
        typer.Option(
            "--refused", help="Instead of events, refused requests of known keys, and why; without their bodies."
        ),
    ] = False,
    show_values: ShowValues = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Show events as they come.

    From the log, within a moment of their acknowledgement, until Ctrl-C. E-mail addresses, IP addresses and custom
    properties of users are masked. Without a running service it shows what the log holds, and waits for more. What is
    in the lake already is not shown: ask for it with sluice query.

    sluice tail --event-name 'purchase*'
    """
    since_s = None if since is None else duration_of("--since", since)
    if since is not None and from_start:
        raise WrongUsage("--since and --from-start exclude each other", hint="leave one of them out")
    folder = existing_data_dir(data_dir, config)
    _check_keys(folder, key or ())
    if refused:
        if event_name or show_values:
            raise WrongUsage(
                "--refused shows no events: --event-name and --show-values have nothing to do there",
                hint="leave them out; what was refused stands in: " + command_on(folder, "rejects show", "REQUEST_ID"),
            )
        from sluice.cli.tailing_refused import RefusedTail, WantedRefusals  # noqa: PLC0415  as below

        wanted = WantedRefusals(
            key_ids=frozenset(key or ()),
            projects=frozenset(project or ()),
            sources=frozenset(each.value for each in source or ()),
        )
        show = _print_json if as_json else _print_refusals
        with readable(), closing(RefusedTail(folder, wanted, show, rate=rate, limit=limit)) as watcher:
            if since_s is not None or from_start or no_follow:
                watcher.show_past(since_us=0 if since_s is None else int((time.time() - since_s) * 1_000_000))
            if not no_follow and not watcher.is_done:
                os.nice(_NICER)
                say("waiting for refused requests; Ctrl-C ends it")
                watcher.run()
        return
    from sluice.cli.tailing import Tail, TailOptions  # noqa: PLC0415  pyarrow: 0.5 s that --help needn't take
    from sluice.cli.wanted import Wanted  # noqa: PLC0415  as above

    options = TailOptions(
        wanted=Wanted(
            names=tuple(event_name or ()),
            key_ids=frozenset(key or ()),
            projects=frozenset(project or ()),
            sources=frozenset(each.value for each in source or ()),
        ),
        rate=rate,
        limit=limit,
        show_values=show_values,
    )
    with readable(), closing(Tail(folder, options, _print_json if as_json else _print_lines)) as shower:
        if not shower.service_runs:
            say(f"no service runs on {folder}: this is what its log holds")
        if since_s is not None:
            shower.show_past(since_us=int((time.time() - since_s) * 1_000_000))
        elif from_start or no_follow or not shower.service_runs:
            shower.show_past()
        if not no_follow and not shower.is_done:
            _follow(shower)


def _follow(shower: Tail) -> None:
    os.nice(_NICER)
    say("waiting for events; Ctrl-C ends it")
    shower.run()


def _print_json(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        print_line(json_line(row))
    sys.stdout.flush()


def _print_lines(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        print_line(cut(event_line(row)))
    sys.stdout.flush()


def _print_refusals(rows: Iterable[dict[str, Any]]) -> None:
    from sluice.cli.tailing_refused import refusal_line  # noqa: PLC0415  as above

    for row in rows:
        print_line(cut(refusal_line(row)))
    sys.stdout.flush()


def _check_keys(data_dir: Path, ids: Sequence[str]) -> None:
    """Tell of ids that can't be meant, rather than wait for what can't come."""
    for key_id in ids:
        if kind_of(key_id) is not None:
            raise WrongUsage(
                f'--key: "{prefix_of(key_id)}..." is a key, not the id of one',
                hint=f"see the ids: {command_on(data_dir, 'keys list')}",
            )
    if not ids:
        return
    from sluice.keys.file_format import KEYS_FILE_NAME, KeysUnreadable  # noqa: PLC0415  as above
    from sluice.keys.key_file import read_keys  # noqa: PLC0415  as above

    try:
        known = {key.id for key in read_keys(data_dir / KEYS_FILE_NAME)}
    except KeysUnreadable:
        return  # another user's; the ids may be right
    for key_id in ids:
        if key_id not in known:
            say(f"no key has the id {key_id}: see {command_on(data_dir, 'keys list')}")
