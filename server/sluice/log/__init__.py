"""The durable log: what was accepted, byte for byte. The source of truth; the lake is derived from it."""

from sluice.log.appender import SegmentAppender
from sluice.log.ids import new_request_id, request_id_text
from sluice.log.ports import (
    Appender,
    Body,
    Damage,
    DamageReason,
    Entry,
    LogUnavailable,
    Sealed,
    SealedSegments,
)
from sluice.log.reader import LocalSegments
from sluice.log.recovery import RecoveryReport, recover

__all__ = [
    "Appender",
    "Body",
    "Damage",
    "DamageReason",
    "Entry",
    "LocalSegments",
    "LogUnavailable",
    "RecoveryReport",
    "Sealed",
    "SealedSegments",
    "SegmentAppender",
    "new_request_id",
    "recover",
    "request_id_text",
]
