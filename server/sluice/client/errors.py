"""What the client raises.

SluiceError
  ClientError
    InvalidSettings   a setting that can't be; also a ValueError
    InvalidEvent      an event that breaks the contract, told at the call; also a ValueError
    QueueFull         there is no room: the event was not taken
    SpoolError        the spool's folder can't be used
      SpoolLocked     another client uses it
    NotDelivered      what was logged before is not, or not all, acknowledged by the server
    ClientClosed      it was closed before
    ForkedClient      the process is a fork of the one that has started the client
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.client.report import Trouble, Undelivered

__all__ = [
    "ClientClosed",
    "ClientError",
    "ForkedClient",
    "InvalidEvent",
    "InvalidSettings",
    "NotDelivered",
    "QueueFull",
    "SpoolError",
    "SpoolLocked",
]


class ClientError(SluiceError):
    """What went wrong, where, and how to mend it; printed with its hint."""

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidSettings(ClientError, ValueError):
    """A setting that can't be."""


class InvalidEvent(ClientError, ValueError):
    """An event that breaks the contract. Nothing of the call was taken.

    Attributes:
        path: where, as in `user.custom_ids['companyID']`; for `log_many` as in `events[3].time`. "": the whole event.
    """

    def __init__(self, path: str, problem: str, *, hint: str = "") -> None:
        super().__init__(f"{path or 'event'}: {problem}", hint=hint)
        self.path = path
        self.problem = problem

    def within(self, path: str) -> InvalidEvent:
        """The same, seen from further out."""
        inner = self.path if not self.path or self.path.startswith("[") else f".{self.path}"
        return InvalidEvent(f"{path}{inner}", self.problem, hint=self.hint)


class QueueFull(ClientError):
    """There is no room, and none came free within `wait_for_room_s`. Nothing of the call was taken."""


class SpoolError(ClientError):
    """The spool's folder can't be used.

    Attributes:
        folder: the spool.
        taken_events: how many events of a call were taken before the disk failed.
    """

    def __init__(self, message: str, folder: Path, *, hint: str = "", taken_events: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.folder = folder
        self.taken_events = taken_events


class SpoolLocked(SpoolError):
    """Another client, here or in another process, uses the folder."""


class NotDelivered(ClientError):
    """Of what was logged before the call, not all is acknowledged by the server.

    Attributes:
        waiting_events: how many events still wait. They are kept, and tried again, unless the client is closed.
        waiting_leftovers: how many files of an earlier client's spool are not read yet; what they hold waits too.
        undelivered: events that will not be tried again: the first 100 that no call has told of before.
        undelivered_events: how many these are in all.
        trouble: why deliveries fail at present; None: they don't.
    """

    def __init__(
        self,
        *,
        waiting_events: int,
        waiting_leftovers: int,
        undelivered: tuple[Undelivered, ...],
        undelivered_events: int,
        trouble: Trouble | None,
    ) -> None:
        parts = []
        if undelivered_events:
            parts.append(f"{undelivered_events} events will not be delivered{_first_of(undelivered)}")
        if waiting_events:
            parts.append(f"{waiting_events} events wait")
        if waiting_leftovers:
            parts.append(f"{waiting_leftovers} files of the spool wait")
        why = f": {trouble.code}: {trouble.message}" if trouble and (waiting_events or waiting_leftovers) else ""
        super().__init__("; ".join(parts) + why)
        self.waiting_events = waiting_events
        self.waiting_leftovers = waiting_leftovers
        self.undelivered = undelivered
        self.undelivered_events = undelivered_events
        self.trouble = trouble


class ClientClosed(ClientError):
    """The client was closed before: nothing of the call was taken."""


class ForkedClient(ClientError):
    """This process is a fork of the one in which the client has started; its connection and thread are not here."""


def _first_of(undelivered: tuple[Undelivered, ...]) -> str:
    if not undelivered:
        return ""
    first = undelivered[0]
    place = f"{first.path}: " if first.path else ""
    return f" (the first: {first.reason.value}: {place}{first.message})"
