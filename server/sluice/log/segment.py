"""Segments: how they are named, and which folder of the log says what state they are in.

    open/<id>                                      being written, by the one process that holds its lock
    open/.probe-<node>-<n>                         a writer's proof that a write becomes durable; holds nothing
    sealed/<id>.<records>.<bytes>                  final; waits for the lake
    archive/<id>.<records>.<bytes>                 in the lake, kept by setting
    damaged/<id>.<offset>.<reason>                 a stretch of a segment that is no record, and .json beside it: why
    damaged/<id>.<records>.<bytes>.<reason>        a segment set aside whole, and .json beside it: why
    refused/open/…, sealed/…, archive/…, damaged/… the same of requests that were refused

An id is `<YYYYMMDDTHH>-<node>-<uuid7>` and is never used twice. The hour is the receive hour of all its records, UTC.
The seal stands in the name, so that sealing needs no free block on the disk.

Names, and the folders themselves; nothing here looks at a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from sluice import disk
from sluice.anchor import Anchor
from sluice.log.ids import new_segment_uuid
from sluice.log.ports import DamageReason, Sealed

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "LOG_FOLDER",
    "REFUSED_FOLDER",
    "REPORT_SUFFIX",
    "DamagedName",
    "Folders",
    "SegmentId",
    "State",
    "begun_at",
    "hour_of",
    "is_probe",
    "new_segment_id",
    "node_name",
    "parse_damaged",
    "parse_id",
    "parse_sealed",
    "probe_name",
    "sealed_name",
    "stretch_name",
    "whole_name",
]

# Of the data folder.
LOG_FOLDER = "log"

# Of the log's folder: the log of refused requests, with the same folders of its own.
REFUSED_FOLDER = "refused"

# Of the file beside what is set aside.
REPORT_SUFFIX = ".json"

# A file name has 255 bytes: 48 for hour and uuid7, 42 for two counts, and a reason.
_MAX_NODE_CHARACTERS = 64

_HOUR_FORMAT = "%Y%m%dT%H"
_UUID_CHARACTERS = 36
_ID = (
    r"(?P<hour>[0-9]{8}T[0-9]{2})-(?P<node>[a-z0-9_]{1,64})-"
    r"(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"
)
_PROBE_PREFIX = ".probe-"
_COUNT = r"(?:0|[1-9][0-9]{0,18})"
_ID_PATTERN = re.compile(_ID)
_SEALED_PATTERN = re.compile(rf"(?P<id>{_ID})\.(?P<records>{_COUNT})\.(?P<bytes>{_COUNT})")
_DAMAGED_PATTERN = re.compile(
    rf"(?P<id>{_ID})\.(?P<first>{_COUNT})(?:\.(?P<second>{_COUNT}))?\.(?P<reason>[a-z_]+)(?P<report>{re.escape(REPORT_SUFFIX)})?"
)


class State(Enum):
    """Where a segment is on its way; the values are the names of the folders."""

    OPEN = "open"
    SEALED = "sealed"
    DAMAGED = "damaged"
    ARCHIVED = "archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentId:
    """A segment's id and its parts.

    Attributes:
        text: `<hour>-<node>-<uuid7>`.
        hour: the receive hour of its records, `YYYYMMDDTHH` in UTC.
        node: who wrote it.
    """

    text: str
    hour: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedName:
    """What the name of a file below damaged/ says.

    Attributes:
        id: the segment it comes from.
        offset: where in the segment the stretch begins, in bytes; None for a segment set aside whole.
        reason: why.
        is_report: whether it is the report beside the bytes.
    """

    id: SegmentId
    offset: int | None
    reason: DamageReason
    is_report: bool


class Folders:
    """The log's folders.

    Args:
        log: the folder that holds them, `LOG_FOLDER` of the data folder.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.open = log / State.OPEN.value
        self.sealed = log / State.SEALED.value
        self.damaged = log / State.DAMAGED.value
        self.archive = log / State.ARCHIVED.value
        home = Anchor(log.parent)
        # The log of refused requests is made with the first one, and again where somebody removes it when it is empty.
        self._anchors = (home,) if log.name == REFUSED_FOLDER else (home, Anchor(log))

    def check(self) -> None:
        """See that the log is the folder that it was when this was made, where it was.

        Raises:
            FileNotFoundError: it isn't, or isn't there.
        """
        for anchor in self._anchors:
            anchor.check()

    def make(self) -> None:
        """Make those that are missing, and make their names durable, whoever made them: that one may have died.

        Raises:
            OSError: one can't be made; FileNotFoundError: as `check` says.
        """
        self.check()
        for folder in (self.open, self.sealed, self.damaged):
            disk.make_folders(folder)
        disk.sync_folders_up_to(self.log, self.log.parent)
        self.check()

    def make_again(self, folder: Path) -> None:
        """Make one of them, durably, if it is missing: whoever has seen to damaged/ or archive/ may remove it.

        The name of one that is there is made durable too: whoever made it may have died before that.
        """
        disk.make_folders(folder)
        disk.sync_folder(self.log)


def node_name(text: str) -> str:
    """What of a node's name can stand in an id: `-` separates its parts, so all but a-z, 0-9 and _ becomes _."""
    return re.sub(r"[^a-z0-9_]", "_", text.lower())[:_MAX_NODE_CHARACTERS] or "_"


def hour_of(time_us: int) -> str:
    """The hour of a time in microseconds since the epoch, `YYYYMMDDTHH` in UTC."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime(_HOUR_FORMAT)


def new_segment_id(*, hour: str, node: str) -> str:
    """Make an id that no segment ever had."""
    return f"{hour}-{node}-{new_segment_uuid()}"


def begun_at(segment_id: str) -> float:
    """When a segment was begun, in seconds since the epoch, as its id says.

    Source: RFC 9562, section 5.7: the first 48 bits of a UUIDv7 are milliseconds.
    """
    text = segment_id[-_UUID_CHARACTERS:]
    return int(text[:8] + text[9:13], 16) / 1000


def probe_name(node: str, index: int = 0) -> str:
    """The name of the file by which a node's writer of that number proves that a write becomes durable."""
    return f"{_PROBE_PREFIX}{node}-{index}"


def is_probe(name: str) -> bool:
    """Whether a file below open/ is such a proof, perhaps one left behind."""
    return name.startswith(_PROBE_PREFIX)


def parse_id(text: str) -> SegmentId | None:
    """The parts of an id; None where the text is none."""
    match = _ID_PATTERN.fullmatch(text)
    return _id_from(match, text) if match else None


def sealed_name(segment: Sealed) -> str:
    """The name of a sealed segment's file."""
    return f"{segment.id}.{segment.records}.{segment.size_bytes}"


def parse_sealed(name: str) -> Sealed | None:
    """What the name of a sealed segment's file says; None where it is no such name."""
    match = _SEALED_PATTERN.fullmatch(name)
    if match is None or not _is_hour(match["hour"]):
        return None
    return Sealed(hour=match["hour"], id=match["id"], records=int(match["records"]), size_bytes=int(match["bytes"]))


def stretch_name(segment_id: str, offset: int, reason: DamageReason) -> str:
    """The name under which a damaged stretch is kept."""
    return f"{segment_id}.{offset}.{reason.value}"


def whole_name(segment: Sealed, reason: DamageReason) -> str:
    """The name under which a segment is kept that was set aside whole."""
    return f"{sealed_name(segment)}.{reason.value}"


def parse_damaged(name: str) -> DamagedName | None:
    """What the name of a file below damaged/ says; None where it is no such name."""
    match = _DAMAGED_PATTERN.fullmatch(name)
    if match is None or (parsed := _id_from(match, match["id"])) is None:
        return None
    try:
        reason = DamageReason(match["reason"])
    except ValueError:
        return None
    offset = int(match["first"]) if match["second"] is None else None
    return DamagedName(id=parsed, offset=offset, reason=reason, is_report=match["report"] is not None)


def _id_from(match: re.Match[str], text: str) -> SegmentId | None:
    return SegmentId(text=text, hour=match["hour"], node=match["node"]) if _is_hour(match["hour"]) else None


# Many segments share few hours, and to read one takes twice as long as all the rest of a name.
@lru_cache(maxsize=1024)
def _is_hour(text: str) -> bool:
    try:
        datetime.strptime(text, _HOUR_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
