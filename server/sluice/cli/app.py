"""The root of all commands, and how errors become words and exit codes.

Exit codes: 0 done, 1 found a fault or failed, 2 wrong usage or settings. What the commands work with (grpc, pyarrow,
duckdb, pydantic, …) is imported when a command runs, so that `sluice keys create` and `--help` answer at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer

from sluice.cli import flush, keys, lake, log, query, rejects, status, tail, trace, up
from sluice.cli.options import WRONG_USAGE, SettingsCommand, WrongUsage
from sluice.cli.output import print_line, say_error
from sluice.errors import SluiceError
from sluice.outage import NO_ROOM, hint_of
from sluice.settings.places import SettingsError

__all__ = ["app", "main"]

_FAILED = 1
# What a shell reports of a command that Ctrl-C ended.
_INTERRUPTED = 130

app = typer.Typer(
    name="sluice",
    help="Collects Statsig events on your own machine, and writes them to Parquet.",
    add_completion=False,
    # Plain help, the same on a terminal, in a pipe, and in docs/cli.md.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("up", cls=SettingsCommand)(up.up)
app.command("flush")(flush.flush)
app.command("status")(status.status)
app.command("query")(query.query)
app.command("tail")(tail.tail)
app.command("trace")(trace.trace)
app.add_typer(keys.commands, name="keys")
app.add_typer(rejects.commands, name="rejects")
app.add_typer(log.commands, name="log")
app.add_typer(lake.commands, name="lake")


def main() -> None:
    """Run the command that the process was started for, and end the process."""
    # What the shell has closed (`>&-`) is None in Python.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    sys.exit(_run())


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, *, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        import importlib.metadata  # noqa: PLC0415  30 ms that other commands needn't take

        print_line(f"sluice {importlib.metadata.version('sluice')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print_line(context.get_help())
        raise typer.Exit(WRONG_USAGE)


def _run() -> int:
    try:
        code = app(prog_name="sluice", standalone_mode=False)
        sys.stdout.flush()
    except (SluiceError, typer.TyperException, OSError) as exc:
        return _tell(exc)
    except (typer.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    return code if isinstance(code, int) else 0


def _tell(error: SluiceError | typer.TyperException | OSError) -> int:
    match error:
        case SluiceError():
            say_error(error.message, error.hint)
            return WRONG_USAGE if isinstance(error, WrongUsage | SettingsError) else _FAILED
        case typer.TyperException():
            message = " ".join(error.format_message().split())
            context = getattr(error, "ctx", None)
            hint = "" if context is None else f"{context.command_path} --help"
            say_error(message[:1].lower() + message[1:].rstrip("."), hint)
            return error.exit_code
        case BrokenPipeError():
            # Whoever read the output has had enough; what is still buffered has to go somewhere when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # noqa: TID251  not below the data folder
            return _FAILED
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            say_error(f"{where}{error.strerror or error}", hint_of(error) if error.errno in NO_ROOM else "")
            return _FAILED
