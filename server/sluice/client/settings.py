"""What a client can be told, and what it does unless told."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.client.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    from sluice.client.report import Trouble, Undelivered

__all__ = ["REQUEST_TAIL_BYTES", "MiB", "Settings"]

MiB = 1024 * 1024

# Beside its events, a request has the metadata and the idempotency key.
REQUEST_TAIL_BYTES = 1024
_LONGEST_TEXT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a client works. docs/client.md says of each what a larger value buys and costs.

    Attributes:
        webhook: call ReceiveWebhookEvent, not LogEvent.
        credentials: for TLS of your own: `grpc.ssl_channel_credentials(…)`. None: an address that begins with
            `https://` is called by TLS with the usual roots, another without TLS.
        session_id: kept with every event as `session_id`.
        batch_events: events of a request, at most.
        batch_bytes: size of a request, at most; an event alone must fit. The server's `--max-body` bounds it.
        linger_s: how long an event waits for others before it is sent, in seconds.
        queue_events: events that wait in memory, at most. With a spool they wait on disk.
        queue_bytes: the same in bytes.
        wait_for_room_s: how long a call waits for room before it raises QueueFull, in seconds. 0: not at all.
        call_timeout_s: how long one try waits for the answer, in seconds.
        in_flight: requests that are on their way at the same time, at most.
        first_backoff_s: mean pause after the first failed try, in seconds; it doubles with each.
        longest_backoff_s: the longest pause, in seconds.
        give_up_after_s: how long a batch is tried, in seconds, until its events are reported as undelivered.
        close_timeout_s: how long `close` and the end of the process wait for what is still to be delivered, in seconds.
        spool: a folder. Events wait there, and survive the process. One client a folder.
        spool_bytes: size of the spool, at most.
        spool_sync_s: every how many seconds the spool is synced to disk. 0: before `log` returns.
        keep_refused_bytes: size of the file in the spool that refused events are kept in, at most. 0: none.
        on_undelivered: called for each event that will not be tried again, with the reason.
        on_trouble: called when deliveries begin to fail, and again when the reason is another.
    """

    webhook: bool = False
    credentials: grpc.ChannelCredentials | None = None
    session_id: str = ""
    batch_events: int = 500
    batch_bytes: int = 1 * MiB
    linger_s: float = 1.0
    queue_events: int = 100_000
    queue_bytes: int = 64 * MiB
    wait_for_room_s: float = 1.0
    call_timeout_s: float = 10.0
    in_flight: int = 4
    first_backoff_s: float = 0.25
    longest_backoff_s: float = 30.0
    give_up_after_s: float = 86_400.0
    close_timeout_s: float = 10.0
    spool: Path | str | None = None
    spool_bytes: int = 1024 * MiB
    spool_sync_s: float = 1.0
    keep_refused_bytes: int = 64 * MiB
    on_undelivered: Callable[[Undelivered], None] | None = None
    on_trouble: Callable[[Trouble], None] | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                _check_integer(field.name, value, least=0 if field.name == "keep_refused_bytes" else 1)
            elif field.type == "float":
                _check_seconds(field.name, value, may_be_zero=field.name in _MAY_BE_ZERO)
        session_id: object = self.session_id
        if not isinstance(session_id, str) or len(session_id) > _LONGEST_TEXT:
            raise InvalidSettings(f"session_id: expected text of at most {_LONGEST_TEXT} characters")
        if self.batch_bytes < 2 * REQUEST_TAIL_BYTES:
            raise InvalidSettings(f"batch_bytes: {self.batch_bytes} is less than {2 * REQUEST_TAIL_BYTES}")
        room, name = (self.queue_bytes, "queue_bytes") if self.spool is None else (self.spool_bytes, "spool_bytes")
        if room < self.batch_bytes:
            raise InvalidSettings(f"{name}: {room} is less than batch_bytes ({self.batch_bytes})")
        if self.first_backoff_s > self.longest_backoff_s:
            raise InvalidSettings(
                f"first_backoff_s: {self.first_backoff_s:g} is more than longest_backoff_s ({self.longest_backoff_s:g})"
            )
        if self.spool is not None:
            object.__setattr__(self, "spool", Path(self.spool))

    @property
    def most_event_bytes(self) -> int:
        """Size of an encoded event, at most."""
        return self.batch_bytes - REQUEST_TAIL_BYTES


_MAY_BE_ZERO = frozenset({"linger_s", "wait_for_room_s", "close_timeout_s", "spool_sync_s"})


def _check_integer(name: str, value: object, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidSettings(f"{name}: expected integer of at least {least}, got {value!r}")


def _check_seconds(name: str, value: object, *, may_be_zero: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise InvalidSettings(f"{name}: expected seconds, got {value!r}")
    if value == 0 and not may_be_zero:
        raise InvalidSettings(f"{name}: expected more than 0 seconds")
