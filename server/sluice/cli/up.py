"""`sluice up`: the whole service in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from sluice.cli.options import Config, DataDir, setting_option
from sluice.settings.load import load

__all__ = ["up"]


def up(
    *,
    data_dir: DataDir = None,
    listen: Annotated[str | None, setting_option("listen")] = None,
    admin: Annotated[str | None, setting_option("admin")] = None,
    workers: Annotated[str | None, setting_option("workers")] = None,
    seal_age: Annotated[str | None, setting_option("seal_age")] = None,
    seal_size: Annotated[str | None, setting_option("seal_size")] = None,
    lake_age: Annotated[str | None, setting_option("lake_age")] = None,
    lake_size: Annotated[str | None, setting_option("lake_size")] = None,
    transcoding: Annotated[str | None, setting_option("transcoding")] = None,
    max_body: Annotated[str | None, setting_option("max_body")] = None,
    drain_timeout: Annotated[str | None, setting_option("drain_timeout")] = None,
    in_flight: Annotated[str | None, setting_option("in_flight")] = None,
    log_limit: Annotated[str | None, setting_option("log_limit")] = None,
    min_free: Annotated[str | None, setting_option("min_free")] = None,
    archive: Annotated[str | None, setting_option("archive")] = None,
    node: Annotated[str | None, setting_option("node")] = None,
    edge: Annotated[str | None, setting_option("edge")] = None,
    sockets: Annotated[str | None, setting_option("sockets")] = None,
    messages: Annotated[str | None, setting_option("messages")] = None,
    access_log: Annotated[str | None, setting_option("access_log")] = None,
    config: Config = None,
) -> None:
    """Run the whole service, in the foreground.

    It serves until Ctrl-C or SIGTERM; then it drains, seals, publishes, and ends with 0. A second one stops it at once;
    nothing is lost by that.

    sluice up --data-dir ./data --listen 127.0.0.1:8080
    """
    flags = {name: value for name, value in locals().items() if name != "config"}
    settings = load(flags, config=config)
    from sluice.supervisor.start import up as serve  # noqa: PLC0415  other commands need none of it

    raise typer.Exit(serve(settings))
