"""The client for asyncio: it belongs to one loop, and has no thread."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import grpc

from sluice.client.answer import answer_of, delivered, fault_of
from sluice.client.errors import ClientError, SpoolError
from sluice.client.front import FLUSH_TIMEOUT_S, Front
from sluice.client.steps import Send, Sync, Wait
from sluice.client.telling import tell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from sluice.client.answer import Answer
    from sluice.client.errors import NotDelivered
    from sluice.client.event import Event
    from sluice.client.report import Stats
    from sluice.client.settings import Settings
    from sluice.client.steps import Mark

__all__ = ["AsyncClient"]

_messages = logging.getLogger("sluice.client")

_AFTER_A_FAULT_S = 1.0


class AsyncClient(Front):
    """Logs events from the coroutines of one loop; a task sends them.

    It starts with the first event, or with `async with`. Close it before its loop ends: then nobody else can. Only
    where a spool syncs its files a thread is borrowed from the loop's executor.

    Args:
        target: where the server is: `host:port`, an http or https URL, or an address in gRPC's own words.
        api_key: a server secret or a client key.
        settings: what is not as usual. Callbacks are called in the loop, and must not block.

    Raises:
        InvalidSettings: an argument or a setting that can't be.
        SpoolError: the spool's folder can't be used.
    """

    def __init__(self, target: str, api_key: str, settings: Settings | None = None) -> None:
        super().__init__(target, api_key, settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pump: asyncio.Task[None] | None = None
        self._calls_in_flight: set[asyncio.Task[None]] = set()
        self._channel: grpc.aio.Channel | None = None
        self._call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] | None = None
        self._work = asyncio.Event()  # there is something for the task
        self._change = asyncio.Event()  # something has been settled, or told; a new one each time

    async def log(self, event: Event) -> str:
        """Take an event; return its id. It is sent with others, within `linger_s`.

        Waits only for room, and where the spool syncs each call.

        Raises:
            InvalidEvent: it breaks the contract; the error says where and how.
            QueueFull: there was no room within `wait_for_room_s`.
            SpoolError: the spool can't be written. Where `taken_events` is 1, only the sync has failed.
            ClientClosed, ForkedClient: this client takes no more.
        """
        event_id, encoded = self._encode(event)
        await self._put([encoded])
        return event_id

    async def log_many(self, events: Iterable[Event]) -> list[str]:
        """Take events, all or none; return their ids.

        Raises:
            InvalidEvent: one of them breaks the contract: `events[3].value: …`.
            QueueFull, SpoolError, ClientClosed, ForkedClient: as for `log`.
        """
        ids, encoded = self._encode_many(events)
        await self._put(encoded)
        return ids

    async def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """Send what is logged; return when the server has acknowledged all of it.

        Args:
            timeout_s: how long to wait, in seconds.

        Raises:
            NotDelivered: the time is over, waiting won't help (a wrong key), or events will not be delivered; each of
                these is told by one flush. What waits is still sent later.
            ClientClosed, ForkedClient: there is nothing to flush here.
        """
        self._check_open()
        self._start()
        mark = self._core.begin_flush(self._now())
        await self._wait_until_flushed(mark, timeout_s)
        error = self._core.not_delivered(mark)
        if error is not None:
            raise error

    async def close(self, timeout_s: float | None = None) -> None:
        """Take no more events, deliver what waits, and end.

        With a spool, what could not be delivered stays there for the next client of this folder, and is no error.

        Args:
            timeout_s: how long to wait for deliveries, in seconds; None: `close_timeout_s`.

        Raises:
            NotDelivered: without a spool: events are lost now, each reported. Or some were refused.
            SpoolError: the spool could not be synced.
        """
        if self._closed or (self._process is not None and self._process != os.getpid()):
            return
        self._closed = True
        error = None
        try:
            self._has_changed()  # those who wait for room
            if self._pump is not None:
                error = await self._last_flush(self._settings.close_timeout_s if timeout_s is None else timeout_s)
        finally:
            await self._end()
        if error is not None:
            raise error

    def stats(self) -> Stats:
        """The figures as they are now."""
        return self._core.stats()

    async def __aenter__(self) -> Self:
        self._check_open()
        self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except ClientError:
            if error is None:
                raise
            _messages.exception("not all was delivered")  # what the block raised is more than this

    # Callers.

    async def _put(self, encoded: list[bytes]) -> None:
        if not encoded:
            return
        self._check_open()
        self._start()
        if not self._core.room_for(encoded):
            await self._wait_for_room(encoded)
        changed = True  # also where the disk has failed in the middle of it
        try:
            changed = self._core.put(encoded, self._now())
        finally:
            if changed:
                self._work.set()
        if self._syncs_each_call:
            assert self._spool is not None
            await asyncio.to_thread(self._sync_writes, self._spool.writes, len(encoded))

    async def _wait_for_room(self, encoded: list[bytes]) -> None:
        deadline = self._now() + self._settings.wait_for_room_s
        while not self._core.room_for(encoded):
            if self._now() >= deadline:
                raise self._full()
            await self._changes_before(deadline)
            self._check_open()

    async def _wait_until_flushed(self, mark: Mark, timeout_s: float, *, or_failing: bool = False) -> None:
        """Wait until all before the mark is settled and told, or there is no point in waiting."""
        self._work.set()
        core, deadline = self._core, self._now() + timeout_s
        while not core.is_flushed(mark) or core.ledger.news:
            if self._now() >= deadline or core.is_hopeless(mark) or (or_failing and core.ledger.trouble is not None):
                return
            await self._changes_before(deadline)

    async def _last_flush(self, timeout_s: float) -> NotDelivered | None:
        mark = self._core.begin_flush(self._now())
        try:
            await self._wait_until_flushed(mark, timeout_s, or_failing=self._spool is not None)
        finally:
            self._core.abandon()
            self._tell_news()
        return self._core.not_delivered(mark, kept=self._spool is not None)

    async def _changes_before(self, deadline: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._change.wait()

    def _has_changed(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    def _start(self) -> None:
        self._check_process()
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._loop is not None:
            raise ClientError("this client belongs to another event loop", hint="make one in each")
        options = self._calls.channel_options
        self._channel = (
            grpc.aio.insecure_channel(self._calls.address, options)
            if self._calls.credentials is None
            else grpc.aio.secure_channel(self._calls.address, self._calls.credentials, options)
        )
        self._call = self._channel.unary_unary(self._calls.method)
        self._loop = loop
        self._process = os.getpid()
        self._pump = loop.create_task(self._run(), name="sluice-client")

    async def _end(self) -> None:
        tasks = [task for task in [self._pump, *self._calls_in_flight] if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._channel is not None:
            await self._channel.close()
        if self._spool is not None:
            await asyncio.to_thread(self._spool.close)

    def _now(self) -> float:
        assert self._loop is not None
        return self._loop.time()

    # The task.

    async def _run(self) -> None:
        try:
            while True:
                try:
                    await self._do_next()
                except Exception:  # noqa: BLE001  a fault of ours must not stop deliveries for good
                    _messages.exception("a fault of the client; it goes on")
                    await asyncio.sleep(_AFTER_A_FAULT_S)
        finally:
            if not self._closed:
                self._lost_its_loop()

    def _lost_its_loop(self) -> None:
        """The loop ends, as asyncio.run does it, and nobody has closed the client."""
        self._closed = True
        _messages.error("the loop of %r ends before it was closed; %d events wait", self, self._core.ledger.waiting)
        self._core.abandon()
        self._tell_news()
        if self._spool is not None:
            try:
                self._spool.close()
            except SpoolError:
                _messages.exception("the spool could not be synced")

    async def _do_next(self) -> None:
        step = self._core.next_step(self._now())
        self._tell_news()
        match step:
            case Send():
                task = asyncio.get_running_loop().create_task(self._send(step))
                self._calls_in_flight.add(task)
                task.add_done_callback(self._calls_in_flight.discard)
            case Sync():
                await self._sync()
            case Wait():
                with suppress(TimeoutError):
                    async with asyncio.timeout(step.seconds):
                        await self._work.wait()
                self._work.clear()

    def _tell_news(self) -> None:
        if self._core.ledger.news:
            news = [*self._core.ledger.news]
            self._core.ledger.news.clear()
            tell(news, self._settings)
            self._has_changed()

    async def _send(self, step: Send) -> None:
        assert self._call is not None
        answer: Answer
        try:
            response = await self._call(
                self._calls.body(step), timeout=self._settings.call_timeout_s, metadata=self._calls.metadata()
            )
            answer = delivered(response)
        except grpc.aio.AioRpcError as exc:
            answer = answer_of(exc.code(), exc.details(), exc.trailing_metadata())
        except Exception as exc:  # noqa: BLE001  whatever it is, the batch must not be thought to be on its way for ever
            answer = fault_of(exc)
        self._core.answered(step.batch, answer, self._now())
        self._work.set()
        self._has_changed()

    async def _sync(self) -> None:
        assert self._spool is not None
        try:
            await asyncio.to_thread(self._spool.sync)
        except SpoolError as exc:
            self._core.sync_failed(exc, self._now())
