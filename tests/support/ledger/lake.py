"""The lake, read as it grows, and compared with the ledger."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from sluice.lake.parquet import segments_in
from tests.support.ledger.attempts import EVENT_NAME, Mark, sum_of, user_of
from tests.support.ledger.ledger import Ledger, Outcome
from tests.support.ledger.rejects import RejectsReader

__all__ = ["Finding", "LakeReader", "compare"]

_COLUMNS = ["request_id", "event_index", "event_name", "user_id", "value_number", "metadata"]
_MARK = msgspec.json.Decoder(Mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that must not be.

    Attributes:
        what: in a few words.
        detail: all that is known of it.
        attempt: whose it is, where it is one's.
    """

    what: str
    detail: str
    attempt: int | None = None


@dataclass(slots=True)
class _Found:
    """What a file has of one attempt."""

    indices: list[int]
    counts: set[int]
    requests: set[str]


class LakeReader:
    """The files of the event table, each read once.

    Args:
        data_dir: the data folder.
        besides: names of events that no client of the ledger sent: they are passed over.
    """

    def __init__(self, data_dir: Path, *, besides: Collection[str] = ()) -> None:
        self._table = data_dir / "lake/events"
        self._besides = frozenset(besides)
        self._known: dict[Path, tuple[int, int, int]] = {}
        self._data_dir = data_dir
        self.rejects = RejectsReader(data_dir)
        self.rows = 0

    def forget(self) -> None:
        """Read all files anew."""
        self._known = {}
        self.rejects = RejectsReader(self._data_dir)
        self.rows = 0

    @property
    def files(self) -> int:
        """How many there are."""
        return len(self._known)

    def changed(self) -> list[Finding]:
        """Files that are gone, or are no longer what they were when they were read."""
        return [
            Finding(what="a file of the lake was altered", detail=f"{path}: was {facts}, is {_facts(path)}")
            for path, facts in self._known.items()
            if _facts(path) != facts
        ]

    def new_files(self) -> Iterator[Path]:
        """Those that were not read yet, and whatever else lies there."""
        for path in sorted(self._table.rglob("*")):
            if path.is_file() and path not in self._known:
                facts = _facts(path)
                assert facts is not None
                self._known[path] = facts
                yield path

    def read(self, path: Path, findings: list[Finding]) -> dict[int, _Found]:
        """What a file has of each attempt; what can't be any attempt's goes to the findings."""
        try:
            file = pq.ParquetFile(path)
            table = file.read(_COLUMNS)
        except (pa.ArrowInvalid, OSError) as exc:
            findings.append(Finding(what="a file of the lake that is none", detail=f"{path}: {exc}"))
            return {}
        self.rows += table.num_rows
        found: dict[int, _Found] = defaultdict(lambda: _Found([], set(), set()))
        for row in zip(*(table.column(name).to_pylist() for name in _COLUMNS), strict=True):
            request_id, index, name, user, value, metadata = row
            if name in self._besides:
                continue
            mark = _whole_mark(index, name, user, value, metadata)
            if mark is None:
                where = f"{path.name}, of {[segment.id for segment in segments_in(file.metadata) or ()]}"
                findings.append(Finding(what="a row that no client sent", detail=f"{where}: {row}"))
                continue
            seen = found[mark.attempt]
            seen.indices.append(index)
            seen.counts.add(mark.count)
            seen.requests.add(request_id)
        return found


def compare(reader: LakeReader, ledger: Ledger, *, set_aside: Collection[int] = ()) -> list[Finding]:
    """Compare what is new in the lake with the ledger, while no client has anything in hand and the log is empty.

    A request's rows are in one file, so each file is judged by itself: memory doesn't grow with the lake.

    Args:
        reader: of the lake.
        ledger: of the clients.
        set_aside: attempts that may be missing: they are in a segment below log/damaged/.
    """
    findings = reader.changed()
    reader.rejects.look()
    findings += [Finding(what="a file of the lake that is none", detail=broken) for broken in reader.rejects.broken]
    findings += [Finding(what="in rejects more than once", detail=id_) for id_ in sorted(reader.rejects.twice)]
    for path in reader.new_files():
        for attempt, found in reader.read(path, findings).items():
            fault = _fault_of(attempt, found, ledger)
            if not fault and not found.requests.isdisjoint(reader.rejects.ids):
                fault = "in events, and in rejects"
            if fault:
                detail = f"{path.name} has events {sorted(found.indices)} of requests {sorted(found.requests)}"
                findings.append(Finding(what=fault, detail=detail, attempt=attempt))
            elif attempt in set_aside:
                findings.append(Finding(what="in the lake, and set aside too", detail=path.name, attempt=attempt))
            if ledger.knows(attempt):
                ledger.found(attempt)
    findings += [
        Finding(what="acknowledged, and not in the lake", detail="no row", attempt=attempt)
        for attempt in ledger.not_found()
        if attempt not in set_aside
    ]
    findings += [
        Finding(what="a wrong answer", detail=answer, attempt=attempt) for attempt, answer in ledger.wrongly_answered()
    ]
    findings += [Finding(what="an attempt without an end", detail="", attempt=attempt) for attempt in ledger.in_hand()]
    return findings


def _fault_of(attempt: int, found: _Found, ledger: Ledger) -> str:
    if not ledger.knows(attempt):
        return "an attempt that no client made"
    outcome = ledger.outcome(attempt)
    if outcome is Outcome.REFUSED:
        return "refused, and in the lake"
    if ledger.is_in_lake(attempt) or len(found.indices) > len(set(found.indices)):
        return f"{outcome.name.lower()}, and in the lake more than once"
    if sorted(found.indices) != list(range(ledger.count(attempt))) or found.counts != {ledger.count(attempt)}:
        return f"{outcome.name.lower()}, and not whole in the lake"
    told = ledger.request_id(attempt)
    if len(found.requests) != 1 or (told and found.requests != {told}):
        return f"rows of another request than the client was told, which is {told}"
    return ""


def _whole_mark(index: int, name: str, user: str, value: float, metadata: str | None) -> Mark | None:
    """The mark of a row; None if anything of it is not as it was sent."""
    try:
        mark = _MARK.decode(metadata or "")
    except msgspec.MsgspecError:
        return None
    is_whole = (
        mark.sum == sum_of(mark.attempt, mark.index, mark.count, mark.text)
        and (index, value) == (mark.index, mark.index)
        and (name, user) == (EVENT_NAME, user_of(mark))
    )
    return mark if is_whole else None


def _facts(path: Path) -> tuple[int, int, int] | None:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
