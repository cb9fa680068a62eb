"""Whether a JSON body keeps the contract. Returns what was found; raises nothing.

The fast way: the whole body is UTF-8 (msgspec does not check what it skips), it is not nested too deep, and msgspec
takes it as the strict type; then as the lenient one. What neither takes goes to explain.py, which has the last word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from sluice.contract import (
    INTERNAL_EVENT_PREFIX,
    LenientLogEventBody,
    LenientWebhookBody,
    LogEventBody,
    WebhookBody,
    decode_lenient,
)
from sluice.ingest import malformed
from sluice.ingest.explain import explain
from sluice.ingest.nesting import MAX_DEPTH, too_deep_at
from sluice.ingest.private import without_private_attributes

if TYPE_CHECKING:
    from sluice.ingest.violations import Invalid

__all__ = ["LOG_EVENT", "WEBHOOK", "JsonShape", "Unclear", "Valid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Valid:
    """A body that keeps the contract.

    Attributes:
        event_count: how many events it holds.
    """

    event_count: int


@dataclass(frozen=True, slots=True)
class Unclear:
    """A body that a quick check doesn't take, or can't judge; `look_closer` says what is wrong, if anything."""


class JsonShape:
    """What a door's JSON body must be."""

    def __init__(
        self, strict: type[WebhookBody], lenient: type[LenientWebhookBody], *, with_statsig_metadata: bool
    ) -> None:
        self._strict = msgspec.json.Decoder(strict)
        self._lenient = msgspec.json.Decoder(lenient, dec_hook=decode_lenient)
        self._with_statsig_metadata = with_statsig_metadata

    def check(self, body: bytes) -> Valid | Invalid | Unclear:
        """Check a body quickly: 0.6 µs per event."""
        if not body.isascii():
            try:
                body.decode()
            except UnicodeDecodeError as exc:
                return malformed.not_utf8(body, exc.start)
        try:
            found: Valid | Unclear = Valid(event_count=len(self._strict.decode(body).events))
        except msgspec.ValidationError:
            found = self._check_lenient(body)
        except (msgspec.DecodeError, RecursionError):
            found = Unclear()
        # Last, as each event that was counted makes it easier.
        too_deep = too_deep_at(body, side_by_side=found.event_count if isinstance(found, Valid) else 0)
        return found if too_deep is None else malformed.too_deep(body, too_deep, MAX_DEPTH)

    def look_closer(self, body: bytes) -> Valid | Invalid:
        """Say what is wrong with a body that `check` found unclear, or that nothing is. Slow: see explain.py."""
        invalid = malformed.not_json(body) or explain(body, with_statsig_metadata=self._with_statsig_metadata)
        return invalid or Valid(event_count=len(_COUNTED.decode(body).events))

    def to_store(self, body: bytes) -> bytes:
        """What of a valid body goes to the log."""
        return without_private_attributes(body)

    def _check_lenient(self, body: bytes) -> Valid | Unclear:
        try:
            events = self._lenient.decode(body).events
        except (msgspec.MsgspecError, RecursionError):
            return Unclear()
        without_user = [event for event in events if event.user is msgspec.UNSET]
        if all(event.event_name.startswith(INTERNAL_EVENT_PREFIX) for event in without_user):
            return Valid(event_count=len(events))
        return Unclear()


class _Counted(msgspec.Struct, gc=False):
    events: list[msgspec.Raw]


_COUNTED = msgspec.json.Decoder(_Counted)

LOG_EVENT = JsonShape(LogEventBody, LenientLogEventBody, with_statsig_metadata=True)
# What a webhook sends as statsigMetadata is outside the contract, so it may be anything.
WEBHOOK = JsonShape(WebhookBody, LenientWebhookBody, with_statsig_metadata=False)
