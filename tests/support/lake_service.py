"""A lake writer on a folder and a log in memory, and what is then in the lake."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sluice import disk
from sluice.lake.config import WriterConfig
from sluice.lake.writer import LakeWriter, Outcome
from sluice.lake.written_tables import events_table
from sluice.log.ports import SealedSegments
from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.lake_log import NOW


class Crash(BaseException):
    """The process ends here: nothing may catch it."""


class CrashBefore:
    """An observer that ends the process before the n-th change below the data folder."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.seen: list[disk.Operation] = []

    def before(self, operation: disk.Operation) -> None:
        if self.left == len(self.seen):
            raise Crash
        self.seen.append(operation)

    def after(self, operation: disk.Operation) -> None:
        pass


class FailWhere:
    """An observer that lets an operation fail while a condition holds."""

    def __init__(self, verb: str, part_of_path: str = "") -> None:
        self._verb = verb
        self._part = part_of_path
        self.failed = 0

    def before(self, operation: disk.Operation) -> None:
        if operation.verb == self._verb and self._part in operation.path:
            self.failed += 1
            raise OSError(28, "No space left on device")

    def after(self, operation: disk.Operation) -> None:
        pass


def config(data_dir: Path, **values: Any) -> WriterConfig:
    """A writer's values; nothing is due before it is asked for."""
    return replace(WriterConfig(data_dir=str(data_dir), lake_size_bytes=10**9, lake_age_s=10**6), **values)


def started(data_dir: Path, log: SealedSegments[LogRecord], **values: Any) -> LakeWriter:
    """A writer that has just started."""
    writer = LakeWriter(config(data_dir, **values), events_table(log))
    writer.prepare()
    return writer


def publish_all(writer: LakeWriter, *, now: float = NOW) -> list[Outcome]:
    """Turn the loop until it is idle; what each turn came to."""
    outcomes = []
    while (outcome := writer.run_once(now, at_once=True)) is not Outcome.IDLE:
        outcomes.append(outcome)
        assert len(outcomes) < 50, "the writer doesn't come to rest"
    return outcomes


def files(data_dir: Path) -> list[Path]:
    """All files of the event table."""
    return sorted((data_dir / "lake/events").glob("*/*/*"))


def in_lake(data_dir: Path, column: str = "event_name") -> list[Any]:
    """One column of all rows, sorted."""
    return sorted(
        value for file in files(data_dir) for value in pq.ParquetFile(file).read([column]).column(0).to_pylist()
    )
