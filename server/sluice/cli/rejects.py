"""`sluice rejects list|show|replay`: requests that were refused, and events that were set aside."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.cli.options import (
    AsJson,
    Config,
    DataDir,
    WrongUsage,
    duration_of,
    existing_data_dir,
    group,
    readable,
)
from sluice.cli.output import iso_micros, print_json, print_line, print_table, say, shown
from sluice.cli.pasted import command_on
from sluice.errors import SluiceError
from sluice.keys.key import kind_of, prefix_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sluice.lake.rejects import Found, WantedRejects
    from sluice.settings.units import Address

__all__ = ["commands"]

commands = group("Look at what was refused, and send it again.")

_REASONS = ("INVALID_EVENTS", "INVALID_REQUEST", "TOO_LARGE", "QUARANTINED")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LABEL_WIDTH = 12

_Reason = Annotated[
    list[str] | None,
    typer.Option(
        "--reason", help="Only those refused for that; may stand more than once.", metavar="|".join(_REASONS).lower()
    ),
]
_Key = Annotated[
    list[str] | None,
    typer.Option("--key", help="Only those that came with the key of this id; may stand more than once.", metavar="ID"),
]
_Since = Annotated[
    str | None,
    typer.Option(
        "--since", help="Only those received from then on: a time, or how long ago.", metavar="time or duration"
    ),
]
_Until = Annotated[
    str | None,
    typer.Option("--until", help="Only those received before: a time, or how long ago.", metavar="time or duration"),
]


class BodyNotKept(SluiceError):
    """Of a refused request there is no body."""


class NoService(SluiceError):
    """No service runs that a request could be sent to."""


class ReplayIncomplete(SluiceError):
    """Not all that was to be sent again was delivered."""


@commands.command("list")
def list_(
    *,
    reason: _Reason = None,
    key: _Key = None,
    since: _Since = None,
    until: _Until = None,
    limit: Annotated[
        int, typer.Option("--limit", help="How many are shown, the latest first.", min=1, max=100_000, metavar="number")
    ] = 100,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """List refused requests, the latest first.

    Those of known keys that were answered 400 or 413, and the invalid events of keys with on-invalid quarantine: what
    the log still holds, and what is in the lake. How many there are in all, by reason, is told, too.

    sluice rejects list --since 1h
    """
    folder = existing_data_dir(data_dir, config)
    wanted = _wanted(folder, reason, key, since, until)
    from sluice.cli.reject_report import summary  # noqa: PLC0415  pyarrow: 0.5 s that --help needn't take
    from sluice.lake.rejects import find_rejects  # noqa: PLC0415  as above

    with readable():
        found = find_rejects(folder, wanted, limit=limit)
    _tell_unreadable(found)
    if as_json:
        print_json({"total": found.by_reason.total(), "by_reason": dict(found.by_reason), "rejects": found.rows})
        return
    print_table(
        ["received", "request", "reason", "source", "project", "key", "events", "invalid", "body bytes"],
        [
            (
                iso_micros(row["received_at"]),
                row["request_id"],
                row["reason"],
                row["source"],
                row["project"],
                row["key_id"],
                row["event_count"],
                row["invalid_event_count"],
                row["body_bytes"],
            )
            for row in found.rows
        ],
        right={6, 7, 8},
    )
    say(summary(found))


@commands.command("show")
def show(
    *,
    request_id: Annotated[str, typer.Argument(metavar="REQUEST_ID", help="The id, as the answer's x-request-id.")],
    body: Annotated[bool, typer.Option("--body", help="Print the body alone, byte for byte.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Show one refused request: what was wrong, and its body.

    The body holds what its sender sent, but for privateAttributes. One that could not be parsed, or was too large, was
    not kept: then its length, its hash and, of JSON, the place of the fault are all there is.

    sluice rejects show 01981f2e-7c40-7000-8000-0123456789ab
    """
    folder = existing_data_dir(data_dir, config)
    wanted = _id(folder, request_id)
    from sluice.cli.reject_report import lines_of, readable_body, why_no_body  # noqa: PLC0415  as above
    from sluice.cli.replaying import find  # noqa: PLC0415  as above

    with readable():
        row = find(folder, wanted)
    if body:
        if row["body"] is None:
            raise BodyNotKept(f"the body of {wanted} was not kept: {why_no_body(row)}")
        _print_body(row)
    elif as_json:
        print_json({**row, "errors": json.loads(row["errors"] or "[]")})
    else:
        for label, text in lines_of(row):
            print_line(f"{label:<{_LABEL_WIDTH}} {shown(text)}")
        if row["body"] is not None:
            print_line(readable_body(row))


@commands.command("replay")
def replay(
    *,
    request_ids: Annotated[
        list[str] | None, typer.Argument(metavar="REQUEST_ID…", help="Ids, as sluice rejects list shows them.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that --reason, --key, --since and --until leave, the earliest first.")
    ] = False,
    reason: _Reason = None,
    key: _Key = None,
    since: _Since = None,
    until: _Until = None,
    limit: Annotated[
        int, typer.Option("--limit", help="With --all: how many at most.", min=1, max=100_000, metavar="number")
    ] = 1000,
    again: Annotated[bool, typer.Option("--again", help="Also those that a replay has delivered already.")] = False,
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            help="The key that they are sent with. Better in the environment, where no list of processes shows it.",
            envvar="STATSIG_API_KEY",
            metavar="secret",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Where the service listens. [default: as run.json says]", metavar="host:port"),
    ] = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Send refused requests again, as they came.

    To the running service's own door: they are checked as any request, and are new ones, with ids of their own. One
    that a replay has delivered is not sent again, unless --again says so. Exits with 1 when not all were delivered.

    sluice rejects replay --all --reason invalid_events --since 1d
    """
    folder = existing_data_dir(data_dir, config)
    if bool(request_ids) == everything:
        raise WrongUsage("name request ids, or --all, and not both", hint=_see_ids(folder))
    if not everything and (reason or key or since or until):
        raise WrongUsage("--reason, --key, --since and --until choose among --all", hint="add --all")
    if not api_key:
        raise WrongUsage("no key to send them with", hint="set STATSIG_API_KEY, or name it: --api-key secret-…")
    ids = [_id(folder, text) for text in request_ids or ()]
    wanted = _wanted(folder, reason, key, since, until)
    where = _address(folder, address)
    from sluice.cli.replay_notes import open_notes  # noqa: PLC0415  as above
    from sluice.cli.replaying import Replay  # noqa: PLC0415  as above

    with readable():
        more = 0
        if everything:
            from sluice.lake.rejects import find_rejects  # noqa: PLC0415  as above

            found = find_rejects(folder, wanted, limit=limit, earliest=True)
            _tell_unreadable(found)
            ids = [uuid.UUID(row["request_id"]) for row in found.rows]
            more = found.by_reason.total() - len(ids)
        with open_notes(folder) as notes:
            if everything:
                # Else what is refused at every replay would be twice as many after each.
                first_sent = [id_ for id_ in ids if not notes.is_replay(str(id_))]
                if left_out := len(ids) - len(first_sent):
                    say(f"{left_out:,} came of replays themselves, and are left out; name one to send it")
                ids = first_sent
            outcomes = Replay(folder, where, api_key, notes, again=again).run(ids)
    say(", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items() if count) or "nothing to replay")
    if more:
        say(f"{more:,} more are there; raise --limit, or go on with --since")
    if any(count for outcome, count in outcomes.items() if outcome not in Replay.GOOD):
        raise ReplayIncomplete("not all were delivered", hint="the lines above say why")


def _wanted(
    data_dir: Path,
    reasons: Sequence[str] | None,
    keys: Sequence[str] | None,
    since: str | None,
    until: str | None,
) -> WantedRejects:
    known = {text.upper() for text in reasons or ()}
    if unknown := sorted(known.difference(_REASONS)):
        raise WrongUsage(f'--reason: "{unknown[0].lower()}" is none of: {", ".join(_REASONS).lower()}')
    for key in keys or ():
        if kind_of(key) is not None:
            raise WrongUsage(
                f'--key: "{prefix_of(key)}..." is a key, not the id of one',
                hint=f"see the ids: {command_on(data_dir, 'keys list')}",
            )
    first, last = _time("--since", since), _time("--until", until)
    from sluice.lake.rejects import WantedRejects  # noqa: PLC0415  as above

    return WantedRejects(reasons=frozenset(known), key_ids=frozenset(keys or ()), since=first, until=last)


def _time(flag: str, text: str | None) -> datetime | None:
    """A time as ISO 8601, in UTC where it names no offset; or so long ago."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC) - timedelta(seconds=duration_of(flag, text))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _id(data_dir: Path, text: str) -> uuid.UUID:
    if not _UUID.fullmatch(text.strip().lower()):
        raise WrongUsage(f'"{text}" is no request id', hint=_see_ids(data_dir))
    return uuid.UUID(text.strip())


def _see_ids(data_dir: Path) -> str:
    return f"see the ids: {command_on(data_dir, 'rejects list')}"


def _address(data_dir: Path, said: str | None) -> Address:
    from sluice.settings.units import Address, BadValue, parse_address  # noqa: PLC0415  as above
    from sluice.supervisor.run_file import read_run_file  # noqa: PLC0415  as above

    if said is None:
        run = read_run_file(data_dir)
        if run is None or not run.is_alive or not run.listen:
            raise NoService(
                f"no service runs on {data_dir} whose address is known",
                hint="start it, or name it: --address host:port",
            )
        said = run.listen
    try:
        address = parse_address(said)
    except BadValue as exc:
        raise WrongUsage(f"--address: {exc.message}", hint=exc.hint) from exc
    # All of a machine's addresses are none to connect to.
    return Address(host={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host), port=address.port)  # noqa: S104  nothing is bound here


def _tell_unreadable(found: Found) -> None:
    for path in found.unreadable:
        say(f"{path}: can't be read as a file of the lake; what it holds isn't shown")


def _print_body(row: Mapping[str, Any]) -> None:
    import sys  # noqa: PLC0415  only this command needs it

    from sluice.log.ports import Body  # noqa: PLC0415  as above

    sys.stdout.buffer.write(Body(row["body_format"]).from_text(row["body"]))
    sys.stdout.flush()
