"""`sluice flush`: all that was acknowledged before the call is in the lake when it returns 0."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.options import Config, DataDir, duration_of, existing_data_dir
from sluice.cli.output import say
from sluice.cli.pasted import command_on
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["FlushIncomplete", "flush"]

_ERASE_LINE = "\r\x1b[2K"
_MAX_LISTED = 20


class FlushIncomplete(SluiceError):
    """Something that was acknowledged is not in the lake."""


def flush(
    *,
    timeout: Annotated[
        str, typer.Option("--timeout", help="How long it may take, from the call on.", metavar="duration")
    ] = "60s",
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Bring all acknowledged events to the lake.

    All that was acknowledged before the call, whoever wrote it, is in the lake when it returns 0; else 1, with what is
    missing. What was set aside as damaged before the call is told, and doesn't count. Without a running service it does
    the work itself.

    sluice flush --timeout 2m
    """
    from sluice.cli.flushing import flush as flush_log  # noqa: PLC0415  structlog, which --help needn't take

    timeout_s = duration_of("--timeout", timeout)
    folder = existing_data_dir(data_dir, config)
    flushed = flush_log(
        folder,
        timeout_s=timeout_s,
        progress=_show if sys.stderr.isatty() else _show_nothing,
        publish=lambda until: _publish(folder, config, until),
    )
    if flushed.missing:
        raise FlushIncomplete(
            f"{len(flushed.missing)} of {flushed.segments} segments are not in the lake after {timeout}:"
            f"{_listed(flushed.missing)}",
            hint=f"see what holds them up: {command_on(folder, 'status')}; or wait longer: "
            f"{command_on(folder, 'flush', '--timeout 5m')}",
        )
    if flushed.damaged:
        raise FlushIncomplete(
            f"parts of the log could not be read, and are not in the lake:{_listed(flushed.damaged)}",
            hint=f"the reports stand beside them in {folder / 'log' / 'damaged'}",
        )
    if flushed.damaged_before:
        say(f"{flushed.damaged_before:,} set aside as damaged before this call: {command_on(folder, 'status')}")


def _publish(data_dir: Path, config: str | None, until: float) -> None:
    # pyarrow and what the lake writer needs: 1 s that a flush of a running service needn't take.
    from sluice import telemetry  # noqa: PLC0415  as above
    from sluice.cli.publishing import publish_all  # noqa: PLC0415  as above
    from sluice.settings.load import load  # noqa: PLC0415  as above
    from sluice.settings.stages import writer_config  # noqa: PLC0415  as above

    settings = load({"data_dir": data_dir}, config=config)
    telemetry.configure(role="flush", json=None if settings.messages == "auto" else settings.messages == "json")
    publish_all(writer_config(settings, lifeline_fd=None, blamed={}, last=()), until=until)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_LISTED
    return "".join(f"\n  {name}" for name in names[:_MAX_LISTED]) + (f"\n  and {more} more" if more > 0 else "")


def _show(done: int, segments: int) -> None:
    ending = "\n" if done == segments else ""
    sys.stderr.write(f"{_ERASE_LINE}in the lake: {done} of {segments} segments{ending}")
    sys.stderr.flush()


def _show_nothing(done: int, segments: int) -> None:
    """Nobody watches."""
