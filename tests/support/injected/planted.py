"""Lets this process break a promise, for tests that must notice: the faults that PLANTED_FAULT may name.

    acknowledged_before_written   a worker answers when it holds a record, and writes it with the next ones
    names_no_segments             the lake writer's files don't say which segments they hold

Only the process that is meant imports what it changes: others set up what that counts first.
"""

from typing import Any

import process_role


def install(name: str) -> None:
    """Break it from now until this process ends."""
    role, plant = _PLANTS[name]
    if process_role.role().startswith(role):
        plant()


def _acknowledged_before_written() -> None:
    from sluice.log.segment_writer import SegmentWriter  # noqa: PLC0415  only in the process that is meant

    write, seal, close = SegmentWriter.commit, SegmentWriter.seal, SegmentWriter.close
    held: list[Any] = []

    def write_what_is_held(writer: SegmentWriter) -> None:
        while held:
            write(writer, held.pop(0))

    def commit(writer: SegmentWriter, batch: Any) -> None:
        write_what_is_held(writer)
        held.append(batch)

    def seal_all(writer: SegmentWriter, reason: Any) -> None:
        write_what_is_held(writer)
        seal(writer, reason)

    def close_all(writer: SegmentWriter) -> None:
        write_what_is_held(writer)
        close(writer)

    SegmentWriter.commit, SegmentWriter.seal, SegmentWriter.close = commit, seal_all, close_all  # type: ignore[method-assign]  the bug


def _names_no_segments() -> None:
    from sluice.lake.parquet import FileRows  # noqa: PLC0415  only in the process that is meant

    close = FileRows.close
    FileRows.close = lambda self, _segments: close(self, [])  # type: ignore[method-assign]  the bug


_PLANTS = {
    "acknowledged_before_written": ("worker", _acknowledged_before_written),
    "names_no_segments": ("lake", _names_no_segments),
}
