"""Keeps below damaged/ what is no record: the bytes as they are, and a report beside them that says why.

    <id>.<offset>.<reason>             a stretch of a segment; absent where bytes are missing
    <id>.<records>.<bytes>.<reason>    a segment as it was
    ….json                             its report

Each is durable before the segment goes. Done again, it does the same again, but tells and counts it once. A report
holds no event's content.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sluice import disk
from sluice.log import metrics
from sluice.log.segment import REPORT_SUFFIX, sealed_name, stretch_name, whole_name
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.log.ports import Damage, DamageReason, Sealed
    from sluice.log.segment import Folders

__all__ = ["keep_stretch", "move_whole"]

_messages = messages_of("log")

_FILE_MODE = 0o644


def keep_stretch(folders: Folders, segment: Sealed, damage: Damage) -> None:
    """Keep a damaged stretch of a segment, durably."""
    path = folders.damaged / stretch_name(segment.id, damage.offset, damage.reason)
    report: dict[str, str | int] = {
        "segment": segment.id,
        "offset": damage.offset,
        "bytes": len(damage.data),
        "reason": damage.reason.value,
        "detail": damage.detail,
    }
    folders.make_again(folders.damaged)
    known = disk.exists(_report_of(path))
    if damage.data:
        disk.replace_file(path, damage.data, mode=_FILE_MODE)
    _write_report(path, report)
    if not known:
        _tell(damage.reason, report)


def move_whole(folders: Folders, source: Path, segment: Sealed, reason: DamageReason, detail: str) -> None:
    """Move a segment to damaged/ as it is, durably. Where it is there already, what came back of it is removed.

    Raises:
        OSError: the disk refuses; FileExistsError: damaged/ has another segment of that name.
    """
    target = folders.damaged / whole_name(segment, reason)
    if disk.exists(target):
        if not disk.exists(source):
            return
        if disk.read_bytes(source) == disk.read_bytes(target):
            disk.unlink(source)
            disk.sync_folder(source.parent)
            return
    report: dict[str, str | int] = {
        "segment": segment.id,
        "records": segment.records,
        "bytes": segment.size_bytes,
        "reason": reason.value,
        "detail": detail,
    }
    folders.make_again(folders.damaged)
    _write_report(target, report)
    disk.move_new(source, target)
    disk.sync_folder(folders.damaged)
    disk.sync_folder(source.parent)
    _tell(reason, {**report, "was": f"{source.parent.name}/{sealed_name(segment)}"})


def _write_report(path: Path, report: dict[str, str | int]) -> None:
    content = json.dumps(report, indent=2).encode() + b"\n"
    disk.replace_file(_report_of(path), content, mode=_FILE_MODE)


def _report_of(path: Path) -> Path:
    return path.with_name(path.name + REPORT_SUFFIX)


def _tell(reason: DamageReason, report: dict[str, str | int]) -> None:
    metrics.damages.labels(reason.value).inc()
    _messages.error("set aside below log/damaged/", **report)
