"""The tables that the lake writer writes: the log that each comes from, and how its records become rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.lake import decode, decode_refused, metrics
from sluice.lake.load import Recipe, load
from sluice.lake.parquet import EVENTS_LAYOUT, REJECTS_LAYOUT
from sluice.lake.partition import EVENTS_FOLDER, REJECTS_FOLDER
from sluice.log.reader import LocalSegments
from sluice.log.refused import RefusedSegments
from sluice.log.segment import LOG_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sluice.disk import File
    from sluice.lake.load import Loaded
    from sluice.lake.metrics import Figures
    from sluice.log.ports import Sealed, SealedSegments, StoredRecord
    from sluice.log.record_in_place import StoredRequest
    from sluice.storage.v1.refused_record_pb2 import RefusedRecord

__all__ = ["OF_EVENTS", "OF_REJECTS", "WrittenTable", "events_table", "rejects_table", "written_tables"]

OF_EVENTS = Recipe(layout=EVENTS_LAYOUT, in_stretches=decode.in_stretches, decode=decode.decode)
OF_REJECTS = Recipe(layout=REJECTS_LAYOUT, in_stretches=decode_refused.in_stretches, decode=decode_refused.decode)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTable:
    """A table, as it is written.

    Attributes:
        name: its name, and its folder's.
        log: where its segments come from.
        load: writes the rows of segments to a file; see `sluice.lake.load.load`.
        figures: what is counted of it.
    """

    name: str
    log: SealedSegments[StoredRecord]
    load: Callable[[Sequence[Sealed], File], Loaded]
    figures: Figures


def written_tables(data_dir: Path, *, archive: bool) -> tuple[WrittenTable, ...]:
    """Both tables of a data folder, the one that people wait for first.

    Args:
        data_dir: the data folder.
        archive: whether segments are kept when they are in the lake.
    """
    return (
        events_table(LocalSegments(data_dir / LOG_FOLDER, archive=archive)),
        rejects_table(RefusedSegments(data_dir, archive=archive)),
    )


def events_table(log: SealedSegments[StoredRequest]) -> WrittenTable:
    """The table of accepted events.

    Args:
        log: where they come from.
    """

    def load_events(segments: Sequence[Sealed], file: File) -> Loaded:
        return load(segments, log, file, recipe=OF_EVENTS)

    return WrittenTable(name=EVENTS_FOLDER, log=log, load=load_events, figures=metrics.OF_EVENTS)


def rejects_table(log: SealedSegments[RefusedRecord]) -> WrittenTable:
    """The table of refused requests.

    Args:
        log: where they come from.
    """

    def load_rejects(segments: Sequence[Sealed], file: File) -> Loaded:
        return load(segments, log, file, recipe=OF_REJECTS)

    return WrittenTable(name=REJECTS_FOLDER, log=log, load=load_rejects, figures=metrics.OF_REJECTS)
