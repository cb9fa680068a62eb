"""The client for threads: any of them may log; one of its own sends."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Self

import grpc

from sluice.client.answer import answer_of_call, delivered, fault_of
from sluice.client.errors import ClientError, NotDelivered, SpoolError
from sluice.client.front import FLUSH_TIMEOUT_S, Front
from sluice.client.steps import Send, Sync, Wait
from sluice.client.telling import tell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from sluice.client.answer import Answer
    from sluice.client.batch import Batch
    from sluice.client.event import Event
    from sluice.client.report import Stats
    from sluice.client.settings import Settings
    from sluice.client.steps import Mark

__all__ = ["Client"]

_messages = logging.getLogger("sluice.client")

# The thread ends as soon as it is told; a callback of the caller's may hold it up.
_THREAD_ENDS_WITHIN_S = 5.0
_AFTER_A_FAULT_S = 1.0


class Client(Front):
    """Logs events from any thread; a thread of its own sends them.

    It starts with the first event (with a spool, at once), so one that was made before a fork may be used after it.
    Close it, or use it as a context manager; what is left at the end of the process is flushed then, in
    `close_timeout_s` at most.

    Args:
        target: where the server is: `host:port`, an http or https URL, or an address in gRPC's own words.
        api_key: a server secret or a client key.
        settings: what is not as usual.

    Raises:
        InvalidSettings: an argument or a setting that can't be.
        SpoolError: the spool's folder can't be used.
    """

    def __init__(self, target: str, api_key: str, settings: Settings | None = None) -> None:
        super().__init__(target, api_key, settings)
        lock = threading.Lock()
        self._lock = lock
        self._work = threading.Condition(lock)  # there is something for the thread
        self._change = threading.Condition(lock)  # something has been settled, or told
        self._thread: threading.Thread | None = None
        self._channel: grpc.Channel | None = None
        self._call: grpc.UnaryUnaryMultiCallable[bytes, bytes] | None = None
        self._telling = self._ended = self._exiting = False
        if self._spool is not None:
            with lock:
                self._start()

    def log(self, event: Event) -> str:
        """Take an event; return its id. It is sent with others, within `linger_s`.

        Raises:
            InvalidEvent: it breaks the contract; the error says where and how.
            QueueFull: there was no room within `wait_for_room_s`.
            SpoolError: the spool can't be written. Where `taken_events` is 1, only the sync has failed.
            ClientClosed, ForkedClient: this client takes no more.
        """
        event_id, encoded = self._encode(event)
        self._put([encoded])
        return event_id

    def log_many(self, events: Iterable[Event]) -> list[str]:
        """Take events, all or none; return their ids. Cheaper than single calls where the spool syncs each.

        Raises:
            InvalidEvent: one of them breaks the contract: `events[3].value: …`.
            QueueFull, SpoolError, ClientClosed, ForkedClient: as for `log`.
        """
        ids, encoded = self._encode_many(events)
        self._put(encoded)
        return ids

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """Send what is logged; return when the server has acknowledged all of it.

        Args:
            timeout_s: how long to wait, in seconds.

        Raises:
            NotDelivered: the time is over, waiting won't help (a wrong key), or events will not be delivered; each of
                these is told by one flush. What waits is still sent later.
            ClientClosed, ForkedClient: there is nothing to flush here.
        """
        self._check_process()
        with self._lock:
            self._check_open()
            if self._thread is None:
                return
            self._check_caller("flush")
            mark = self._core.begin_flush(time.monotonic())
            self._wait_until_flushed(mark, timeout_s)
            error = self._core.not_delivered(mark)
        if error is not None:
            raise error

    def close(self, timeout_s: float | None = None) -> None:
        """Take no more events, deliver what waits, and end.

        With a spool, what could not be delivered stays there for the next client of this folder, and is no error.

        Args:
            timeout_s: how long to wait for deliveries, in seconds; None: `close_timeout_s`.

        Raises:
            NotDelivered: without a spool: events are lost now, each reported. Or some were refused.
            SpoolError: the spool could not be synced.
        """
        if self._process is not None and self._process != os.getpid():
            return  # it is the other process's
        error = None
        with self._lock:
            if self._closed:
                return
            self._check_caller("close")
            self._closed = True
        try:
            with self._lock:
                self._change.notify_all()  # those who wait for room
                if self._thread is not None:
                    error = self._last_flush(self._settings.close_timeout_s if timeout_s is None else timeout_s)
        finally:
            self._end()
        if error is not None:
            raise error

    def stats(self) -> Stats:
        """The figures as they are now."""
        with self._lock:
            return self._core.stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except ClientError:
            if error is None:
                raise
            _messages.exception("not all was delivered")  # what the block raised is more than this

    # Callers.

    def _put(self, encoded: list[bytes]) -> None:
        if not encoded:
            return
        self._check_process()
        with self._lock:
            self._check_open()
            if self._thread is None:
                self._start()
            if not self._core.room_for(encoded):
                self._wait_for_room(encoded)
            changed = True  # also where the disk has failed in the middle of it
            try:
                changed = self._core.put(encoded, time.monotonic())
            finally:
                if changed:
                    self._work.notify()
            writes = self._spool.writes if self._spool is not None else 0
        if self._syncs_each_call:
            self._sync_writes(writes, len(encoded))

    def _wait_for_room(self, encoded: list[bytes]) -> None:
        deadline = time.monotonic() + self._settings.wait_for_room_s
        while not self._core.room_for(encoded):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise self._full()
            self._change.wait(left_s)
            self._check_open()

    def _wait_until_flushed(self, mark: Mark, timeout_s: float, *, or_failing: bool = False) -> None:
        """Wait until all before the mark is settled and told, or there is no point in waiting."""
        self._work.notify()
        core, deadline = self._core, time.monotonic() + timeout_s
        while not core.is_flushed(mark) or self._telling or core.ledger.news:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or core.is_hopeless(mark) or (or_failing and core.ledger.trouble is not None):
                return
            self._change.wait(left_s)

    def _last_flush(self, timeout_s: float) -> NotDelivered | None:
        mark = self._core.begin_flush(time.monotonic())
        try:
            self._wait_until_flushed(mark, timeout_s, or_failing=self._spool is not None)
        finally:
            self._core.abandon()
        return self._core.not_delivered(mark, kept=self._spool is not None)

    def _check_caller(self, name: str) -> None:
        if threading.current_thread() is self._thread:
            raise ClientError(f"{name} was called by a callback of the client: it would wait for itself")

    def _start(self) -> None:
        options = self._calls.channel_options
        self._channel = (
            grpc.insecure_channel(self._calls.address, options)
            if self._calls.credentials is None
            else grpc.secure_channel(self._calls.address, self._calls.credentials, options)
        )
        self._call = self._channel.unary_unary(self._calls.method)
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="sluice-client", daemon=True)
        self._thread.start()
        atexit.register(self._at_exit)

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            self._work.notify()
        if self._thread is not None:
            self._thread.join(_THREAD_ENDS_WITHIN_S)
            atexit.unregister(self._at_exit)
        if self._channel is not None:
            self._channel.close()
        if self._spool is not None:
            self._spool.close()

    def _at_exit(self) -> None:
        # Python 3.12 starts no threads any more, and gRPC may need one for a call that nobody waits in.
        self._exiting = True
        try:
            self.close()
        except ClientError:
            _messages.exception("the process ends before all was delivered")

    # The thread.

    def _run(self) -> None:
        while not self._ended or self._core.ledger.news:
            try:
                self._do_next()
            except Exception:  # noqa: BLE001  a fault of ours must not stop deliveries for good
                _messages.exception("a fault of the client; it goes on")
                with self._lock:
                    self._work.wait(_AFTER_A_FAULT_S)

    def _do_next(self) -> None:
        with self._lock:
            news = [*self._core.ledger.news]
            self._core.ledger.news.clear()
            step = Wait(None) if self._ended else self._core.next_step(time.monotonic())
            if isinstance(step, Wait) and not news and not self._ended and not self._core.ledger.news:
                self._work.wait(step.seconds)
                return
            self._telling = bool(news)
        if news:
            tell(news, self._settings)
        if isinstance(step, Send):
            self._send(step)
        elif isinstance(step, Sync):
            self._sync()
        with self._lock:
            self._telling = False
            self._change.notify_all()

    def _send(self, step: Send) -> None:
        assert self._call is not None
        body, metadata, timeout_s = self._calls.body(step), self._calls.metadata(), self._settings.call_timeout_s
        try:
            if self._exiting:
                response = self._call(body, timeout=timeout_s, metadata=metadata)
                self._answered(step.batch, delivered(response))
            else:
                future = self._call.future(body, timeout=timeout_s, metadata=metadata)
                future.add_done_callback(partial(self._done, step.batch))
        except Exception as exc:  # noqa: BLE001  whatever it is, the batch must not be thought to be on its way for ever
            self._answered(step.batch, answer_of_call(exc) if isinstance(exc, grpc.Call) else fault_of(exc))

    def _done(self, batch: Batch, call: grpc.Future[bytes]) -> None:
        answer: Answer
        try:
            answer = delivered(call.result())
        except Exception as exc:  # noqa: BLE001  as above
            answer = answer_of_call(exc) if isinstance(exc, grpc.Call) else fault_of(exc)
        self._answered(batch, answer)

    def _answered(self, batch: Batch, answer: Answer) -> None:
        with self._lock:
            if self._ended:
                return
            self._core.answered(batch, answer, time.monotonic())
            self._work.notify()
            self._change.notify_all()

    def _sync(self) -> None:
        assert self._spool is not None
        try:
            self._spool.sync()
        except SpoolError as exc:
            with self._lock:
                self._core.sync_failed(exc, time.monotonic())
