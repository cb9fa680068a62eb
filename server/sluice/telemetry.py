"""Messages to the operator (structlog) and the registry of metrics (Prometheus), alike in every process.

A message is a constant text with facts as fields. On a terminal it is readable, otherwise it is a line of JSON. All go
to standard error: standard output belongs to what a command was asked for.

Metrics of all processes of a service meet in a folder of files, where they are read here: a worker that dies takes none
of its counts with it. Where a process counts: metering.py.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

from sluice.shut_out import without
from sluice.unfailing import UnfailingStream

with without("rich"):
    import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prometheus_client import CollectorRegistry, Metric
    from structlog.typing import EventDict, FilteringBoundLogger, Processor

__all__ = [
    "MESSAGES_VARIABLE",
    "METRICS_FOLDER_VARIABLE",
    "ROLE_VARIABLE",
    "Totals",
    "configure",
    "messages_of",
    "parse_metrics",
    "read_metrics",
    "render_metrics",
]

# prometheus_client reads it when it is first imported: see metering.py.
METRICS_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

# How the supervisor tells a child which one it is.
ROLE_VARIABLE = "SLUICE_ROLE"

# How the supervisor tells its children the form of their messages: json or text. The name is that of the setting.
MESSAGES_VARIABLE = "SLUICE_MESSAGES"


def configure(*, role: str, json: bool | None = None) -> UnfailingStream:
    """Set up this process's messages; return where they go, for what else is shown there.

    Args:
        role: which process speaks, as in `worker-0`; a field of every message.
        json: lines of JSON, or text for people; None: as the environment says, else JSON unless standard error is a
            terminal.
    """
    told = {"json": True, "text": False}.get(os.environ.get(MESSAGES_VARIABLE, ""), not sys.stderr.isatty())
    as_json = told if json is None else json
    render: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    processors: list[Processor] = [
        _adding(role),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *render,
    ]

    def lost_line(lost: int) -> str:
        line: Any = {"room": "messages", "event": "messages were lost: nobody read them", "lost": lost}
        for process in processors:
            line = process(None, "warning", line)
        return f"{line}\n"

    stream = UnfailingStream(sys.stderr, lost_line=lost_line)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", stream)),
        cache_logger_on_first_use=False,
    )
    return stream


def _adding(role: str) -> Processor:
    # Not structlog's context variables: a thread that is started begins with none.
    def add(_logger: object, _method: str, message: EventDict) -> EventDict:
        return {"role": role, **message}

    return add


def messages_of(room: str) -> FilteringBoundLogger:
    """Where one room of the house writes its messages."""
    return cast("FilteringBoundLogger", structlog.get_logger(room=room))


class Totals:
    """What counters and gauges have come to, all processes taken together.

    Args:
        families: metrics as prometheus_client collects or parses them.
    """

    def __init__(self, families: Iterable[Metric]) -> None:
        self._samples = [
            sample for family in families if family.type in {"counter", "gauge"} for sample in family.samples
        ]

    def of(self, name: str) -> int:
        """A total over all labels; 0 where nothing was counted. A counter's name ends with `_total`."""
        return sum(int(sample.value) for sample in self._samples if sample.name == name)

    def by(self, name: str, label: str) -> dict[str, int]:
        """Totals by the value of one label."""
        totals: dict[str, int] = {}
        for sample in self._samples:
            if sample.name == name:
                value = sample.labels[label]
                totals[value] = totals.get(value, 0) + int(sample.value)
        return totals


def render_metrics(folder: Path) -> bytes:
    """All processes' metrics in Prometheus' text format.

    Source: https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    from prometheus_client import generate_latest  # noqa: PLC0415  0.1 s that few processes need

    return generate_latest(_meeting_in(folder))


def read_metrics(folder: Path) -> Totals:
    """All processes' counters and gauges."""
    return Totals(_meeting_in(folder).collect())


def parse_metrics(text: str) -> Totals:
    """The counters and gauges that `render_metrics` has told.

    Raises:
        ValueError: it is no such text.
    """
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415  as in render_metrics

    return Totals(text_string_to_metric_families(text))


def _meeting_in(folder: Path) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry  # noqa: PLC0415  as in render_metrics
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415  as above

    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=os.fspath(folder))  # type: ignore[no-untyped-call]  # the library has no types here
    return registry
