"""Options that several commands take, and options made of settings; and the error of whoever uses them wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sluice.cli.output import print_line
from sluice.errors import SluiceError
from sluice.settings.load import DEFAULT_CONFIG, find_data_dir
from sluice.settings.model import setting
from sluice.settings.units import BadValue, parse_duration

__all__ = [
    "WRONG_USAGE",
    "AsJson",
    "Config",
    "DataDir",
    "WrongUsage",
    "data_dir_of",
    "duration_of",
    "group",
    "setting_option",
]


class NoDataFolder(SluiceError):
    """The data folder is not there."""


WRONG_USAGE = 2  # the exit code


class WrongUsage(SluiceError):
    """What was asked for can't be meant; the exit code is 2."""


def group(help_text: str) -> typer.Typer:
    """A command that has commands; alone it prints its help, which is wrong usage."""
    commands = typer.Typer(help=help_text)

    @commands.callback(invoke_without_command=True)
    def _alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            print_line(context.get_help())
            raise typer.Exit(WRONG_USAGE)

    return commands


def setting_option(name: str) -> Any:
    """The option of a setting, with the words and the default that the setting itself has; its value is a text."""
    what = setting(name)
    return typer.Option(
        what.flag, help=f"{what.sentence} [default: {what.default_text}]", metavar=what.kind.form, show_default=False
    )


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help=f"The data folder. [default: SLUICE_DATA_DIR, else data-dir in {DEFAULT_CONFIG}, "
        f"else {setting('data_dir').default_text}]",
        metavar="folder",
        show_default=False,
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        help=f"A file of settings. [default: SLUICE_CONFIG, else {DEFAULT_CONFIG} if there is one]",
        metavar="file",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def data_dir_of(data_dir: Path | None, config: str | None) -> Path:
    """The data folder that a command works on."""
    return find_data_dir(flag=data_dir, config=config)


def existing_data_dir(data_dir: Path | None, config: str | None) -> Path:
    """The data folder of a command that has nothing to do without one.

    Raises:
        NoDataFolder: it is not there.
    """
    folder = data_dir_of(data_dir, config)
    if not folder.is_dir():
        raise NoDataFolder(f"{folder}: no such data folder", hint="name the one of the service: --data-dir FOLDER")
    return folder


def duration_of(flag: str, text: str) -> float:
    """An option's duration, in seconds.

    Raises:
        WrongUsage: the text is none.
    """
    try:
        return parse_duration(text)
    except BadValue as exc:
        raise WrongUsage(f"{flag}: {exc.message}", hint=exc.hint) from exc
