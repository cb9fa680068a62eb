"""`sluice up`: the whole service in the foreground."""

from __future__ import annotations

import typer

from sluice.cli.options import Config, DataDir  # noqa: TC001  typer reads the annotations

__all__ = ["up"]


def up(context: typer.Context, *, data_dir: DataDir = None, config: Config = None) -> None:
    """Run the whole service, in the foreground.

    It serves until Ctrl-C or SIGTERM; then it drains, seals, publishes, and ends with 0. A second one stops it at once;
    nothing is lost by that.

    sluice up --data-dir ./data --listen 127.0.0.1:8080
    """
    from sluice.settings.load import load  # noqa: PLC0415  other commands need none of it
    from sluice.supervisor.start import up as serve  # noqa: PLC0415  other commands need none of it

    raise typer.Exit(serve(load({"data_dir": data_dir, **context.obj}, config=config)))
