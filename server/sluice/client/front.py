"""What both fronts share: all of a client that neither waits nor calls."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.client.calls import Calls
from sluice.client.core import Core
from sluice.client.encode import encode
from sluice.client.errors import ClientClosed, ForkedClient, InvalidEvent, QueueFull, SpoolError
from sluice.client.settings import Settings
from sluice.client.store import Memory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.client.event import Event
    from sluice.client.spool import Spool

__all__ = ["FLUSH_TIMEOUT_S", "Front"]

FLUSH_TIMEOUT_S = 30.0


class Front:
    """The state of a client, and what is done with it at once.

    Args:
        target: where the server is: `host:port`, an http or https URL, or an address in gRPC's own words.
        api_key: a server secret or a client key.
        settings: what is not as usual.

    Raises:
        InvalidSettings: an argument or a setting that can't be.
        SpoolError: the spool's folder can't be used.
    """

    def __init__(self, target: str, api_key: str, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._most_event_bytes = self._settings.most_event_bytes
        self._calls = Calls(target, api_key, self._settings)
        self._spool = _spool_of(self._settings)
        memory = Memory(most_events=self._settings.queue_events, most_bytes=self._settings.queue_bytes)
        self._core = Core(self._settings, self._spool or memory)
        self._closed = False
        # That of the process in which it was started; a fork has neither its connection nor its thread.
        self._process: int | None = None

    def __repr__(self) -> str:
        return f"<sluice.client.{type(self).__name__} to {self._calls.address}>"

    def _encode(self, event: Event) -> tuple[str, bytes]:
        """The id of an event, and its bytes."""
        return encode(event, now_ms=time.time_ns() // 1_000_000, most_bytes=self._most_event_bytes)

    def _encode_many(self, events: Iterable[Event]) -> tuple[list[str], list[bytes]]:
        ids, encoded = [], []
        for index, event in enumerate(events):
            try:
                event_id, data = self._encode(event)
            except InvalidEvent as exc:
                raise exc.within(f"events[{index}]") from None
            ids.append(event_id)
            encoded.append(data)
        return ids, encoded

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosed("this client is closed", hint="make another")

    def _check_process(self) -> None:
        if self._process is not None and self._process != os.getpid():
            raise ForkedClient(
                f"this client was started in process {self._process}, this is process {os.getpid()}, a fork of it",
                hint="make a client in each process, after the fork",
            )

    def _full(self) -> QueueFull:
        stats = self._core.stats()
        trouble = self._core.ledger.trouble
        why = f"; deliveries fail: {trouble.code}: {trouble.message}" if trouble else ""
        return QueueFull(
            f"no room: {stats.waiting} events wait, {stats.waiting_bytes} bytes{why}",
            hint="log again later, or raise wait_for_room_s, or the bounds of the queue or the spool",
        )

    @property
    def _syncs_each_call(self) -> bool:
        return self._spool is not None and not self._settings.spool_sync_s

    def _sync_writes(self, writes: int, events: int) -> None:
        """Return when a call's events are on the disk: those of the first so many writes."""
        assert self._spool is not None
        try:
            self._spool.sync(writes)
        except SpoolError as exc:
            exc.taken_events = events
            raise


def _spool_of(settings: Settings) -> Spool | None:
    if settings.spool is None:
        return None
    from sluice.client.spool import Spool  # noqa: PLC0415  with checksums and file operations: only for those who ask

    return Spool(Path(settings.spool), most_bytes=settings.spool_bytes, keep_refused_bytes=settings.keep_refused_bytes)
