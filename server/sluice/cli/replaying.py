"""Replays: which refused requests are sent again, what is noted of each, and what they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.cli.output import say, shown
from sluice.cli.pasted import command_on
from sluice.cli.reject_report import why_no_body
from sluice.cli.replay_notes import ARRIVED, State
from sluice.cli.replay_request import ServiceUnreachable, send
from sluice.errors import SluiceError
from sluice.lake.rejects import find_reject
from sluice.log.refused import RejectReason

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sluice.cli.replay_notes import ReplayNotes
    from sluice.settings.units import Address

__all__ = ["RejectNotFound", "Replay", "find"]

# In the order in which they are told.
_OUTCOMES = (
    "delivered",
    "replayed before",
    "refused",
    "refused again",
    "set aside",
    "set aside again",
    "not sent",
)
_IN_WORDS = {State.DELIVERED: "delivered", State.SET_ASIDE: "set aside", State.REFUSED: "refused"}


class RejectNotFound(SluiceError):
    """No refused request has that id."""


def find(data_dir: Path, request_id: uuid.UUID) -> dict[str, Any]:
    """One refused request, with all that is kept of it.

    Raises:
        RejectNotFound: there is none of that id.
    """
    unreadable: list[Path] = []
    row = find_reject(data_dir, request_id, unreadable)
    if row is None:
        unless = f", unless it is in {', '.join(map(str, unreadable))}, which can't be read" if unreadable else ""
        raise RejectNotFound(
            f"no refused request has the id {request_id}{unless}",
            hint=f"those of known keys are kept, within rejects-per-hour: {command_on(data_dir, 'rejects list')}",
        )
    return row


class Replay:
    """Sends requests again, one after the other.

    Args:
        data_dir: the data folder.
        address: where the service listens.
        secret: the API key.
        notes: what became of earlier ones, and of these.
        again: also those that were delivered before.
    """

    GOOD = ("delivered", "replayed before")

    def __init__(self, data_dir: Path, address: Address, secret: str, notes: ReplayNotes, *, again: bool) -> None:
        self._data_dir = data_dir
        self._address = address
        self._secret = secret
        self._notes = notes
        self._again = again

    def run(self, ids: Sequence[uuid.UUID]) -> Mapping[str, int]:
        """Send them; return how many came to what."""
        outcomes = dict.fromkeys(_OUTCOMES, 0)
        for position, request_id in enumerate(ids):
            try:
                outcome, said = self._one(request_id)
            except SluiceError as exc:
                # It would befall the next ones, too.
                left = len(ids) - position
                outcomes["not sent"] += left
                say(f"{request_id}: {exc.message}")
                if left > 1:
                    say(f"stopped there: {left - 1:,} more were not tried")
                return outcomes
            outcomes[outcome] += 1
            say(f"{request_id}: {outcome}{f': {shown(said)}' if said else ''}")
        return outcomes

    def _one(self, request_id: uuid.UUID) -> tuple[str, str]:
        id_ = str(request_id)
        before = self._notes.known(id_)
        if before is not None and not self._again:
            if before.state in ARRIVED:
                return "replayed before", f"as request {before.as_request}; to send it once more: --again"
            if before.state == State.BEGUN.value:
                return "not sent", "a replay was begun, and whether it arrived isn't known; to send it: --again"
        try:
            row = find(self._data_dir, request_id)
        except RejectNotFound as exc:
            return "not sent", exc.message
        if row["body"] is None:
            return "not sent", f"its body was not kept: {why_no_body(row)}"
        self._notes.add(id_, State.BEGUN)
        try:
            sent = send(row, self._address, self._secret)
        except SluiceError as exc:
            if not (isinstance(exc, ServiceUnreachable) and exc.may_be_stored):
                self._notes.add(id_, State.FAILED)
            raise
        if sent is None:
            self._notes.add(id_, State.FAILED)
            return "not sent", f"no door takes {row['body_format']} of {row['source']}"
        self._notes.add(id_, sent.state, as_request=sent.as_request)
        befell_before = {_befell_first(row).value, "" if before is None else before.state}
        again = " again" if sent.state is not State.DELIVERED and sent.state.value in befell_before else ""
        return _IN_WORDS[sent.state] + again, sent.said or f"as request {sent.as_request}"


def _befell_first(row: Mapping[str, Any]) -> State:
    """What became of the request itself, before any replay."""
    return State.SET_ASIDE if row["reason"] == RejectReason.QUARANTINED.value else State.REFUSED
