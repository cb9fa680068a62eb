"""What a service does with the folder that it finds, down to the last segment in the lake; and what is then there."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sluice import disk
from sluice.keys.file_format import KEYS_FILE_NAME
from sluice.keys.key_file import read_keys
from sluice.lake.staging import segments_in_hand
from sluice.lake.writer import LakeWriter, Outcome
from sluice.lake.written_tables import events_table
from sluice.log.ports import Damage
from sluice.log.reader import LocalSegments, records_in
from sluice.log.recovery import recover
from sluice.log.segment import LOG_FOLDER, Folders, is_probe, parse_damaged, parse_sealed
from sluice.storage.v1.log_record_pb2 import LogRecord
from sluice.supervisor.run_file import read_run_file
from tests.power_cut.ledger import Found
from tests.power_cut.worker import FIRST_TIME_US
from tests.support.lake_service import config

_MOST_TURNS = 60


class LakeWriterStuck(AssertionError):
    """Something waits, and is not published."""


def start(data_dir: Path) -> None:
    """What `sluice up` does before the first worker and the lake writer."""
    disk.make_durable_folders(data_dir)
    read_run_file(data_dir)
    read_keys(data_dir / KEYS_FILE_NAME)
    recover(data_dir / LOG_FOLDER)


def lake_writer(data_dir: Path, *, archive: bool = False) -> LakeWriter:
    """A lake writer that has just started, after the supervisor has looked what its predecessor had in hand."""
    segments_in_hand(data_dir)
    writer = LakeWriter(
        config(data_dir, archive=archive), events_table(LocalSegments(data_dir / LOG_FOLDER, archive=archive))
    )
    writer.prepare()
    return writer


def publish_all(writer: LakeWriter) -> None:
    """Publish whatever is sealed; what fails is tried again."""
    for _ in range(_MOST_TURNS):
        if writer.run_once(FIRST_TIME_US / 1e6, at_once=True) is Outcome.IDLE:
            return
    raise LakeWriterStuck(f"the lake writer doesn't come to rest in {_MOST_TURNS} turns")


def restart(data_dir: Path, *, archive: bool = False) -> None:
    """Start on what is there, and bring all of it to the lake."""
    start(data_dir)
    publish_all(lake_writer(data_dir, archive=archive))


def look(data_dir: Path) -> Found:
    """What is there after a restart."""
    folders = Folders(data_dir / LOG_FOLDER)
    set_aside: Counter[str] = Counter()
    holes = 0
    for part in _set_aside(folders):
        if isinstance(part, Damage):
            holes += 1
        else:
            set_aside[_attempt_of(part)] += 1
    left = [f"log/open/{name}" for name in disk.entries(folders.open) if not is_probe(name)]
    left += [f"log/sealed/{name}" for name in disk.entries(folders.sealed)]
    left += [f"log/damaged/{name}" for name in disk.entries(folders.damaged) if not parse_damaged(name)]
    left += [f"lake/.staging/{name}" for name in disk.entries(data_dir / "lake/.staging")]
    return Found(
        in_lake=_in_lake(data_dir, left),
        set_aside=set_aside,
        archived=frozenset(_archived(folders)),
        keys={key.id: key.revoked_at is not None for key in read_keys(data_dir / KEYS_FILE_NAME)},
        holes=holes,
        left=left,
    )


def _in_lake(data_dir: Path, left: list[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for path in sorted((data_dir / "lake/events").glob("*/*/*.parquet")):
        try:
            table = pq.ParquetFile(path).read(["event_name", "value_number"])
        except (pa.ArrowInvalid, OSError) as exc:
            left.append(f"{path.name}: {exc}")
            continue
        for name, number in zip(*(column.to_pylist() for column in table.columns), strict=True):
            found.setdefault(name, []).append(int(number))
    return {name: sorted(numbers) for name, numbers in found.items()}


def _set_aside(folders: Folders) -> Iterator[LogRecord | Damage]:
    names = disk.entries(folders.damaged)
    for name in names:
        parsed = parse_damaged(name)
        if parsed is None:
            continue
        if not parsed.is_report:
            for part in records_in(disk.read_bytes(folders.damaged / name), sealed=None):
                yield part if isinstance(part, Damage) else part[1]
        elif name.removesuffix(".json") not in names:
            yield Damage(offset=parsed.offset or 0, data=b"", reason=parsed.reason)  # bytes are missing


def _archived(folders: Folders) -> Iterator[str]:
    for name in disk.entries(folders.archive):
        for part in records_in(disk.read_bytes(folders.archive / name), sealed=parse_sealed(name)):
            if not isinstance(part, Damage):
                yield _attempt_of(part[1])


def _attempt_of(record: LogRecord) -> str:
    """The attempt id, also of a record whose body is no JSON."""
    return record.body.split(b'"', 6)[5].rstrip(b"\xff").decode()
