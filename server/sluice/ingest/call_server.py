"""A gRPC server of unary calls on bytes: one thread takes them, and whoever knows an answer gives it, in any thread.

It stands on the core of grpcio as grpc/_server.py does, by the same calls, and leaves out what lies between: of a call
that is only acknowledged, grpc.aio and its event loop take 300 µs of CPU, this 110, and Envoy takes 60 less, as it is
woken less often (docs/performance.md). That core has no public name: constraints.txt pins grpcio, and
tests/ingest/test_call_server.py tells what a later version must still do.

Source: gRPC over HTTP/2; grpc/_server.py of grpcio 1.85.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeAlias

from grpc import StatusCode
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # it has no public name, nor types

from sluice.ingest.outcome import FAULT_MESSAGE
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CallServer", "Metadata", "Sent", "ServerCall"]

Metadata: TypeAlias = "Sequence[tuple[str, str | bytes]]"
# The message of a call; None where the caller sent none, the first two where it sent several.
Sent: TypeAlias = bytes | list[bytes] | None

_NO_FLAGS = 0
# What the queue gives back with the events of these; of all others it is what is to be done with them.
_NEW_CALL = "new call"
_SHUT_DOWN = "shut down"
# How many calls the core may hand over before this thread has asked for more.
_CALLS_ASKED_FOR = 16

_messages = messages_of("ingest")


class ServerCall:
    """One call. Of its answers the first is sent, and the caller gets no other; one that is gone gets none.

    Attributes:
        method: as `/package.Service/Method`.
        metadata: what the caller sent with it.
    """

    __slots__ = ("_answered", "_call", "metadata", "method")

    def __init__(self, call: Any, method: str, metadata: Metadata) -> None:
        self._call = call
        self._answered = threading.Lock()
        self.method = method
        self.metadata = metadata

    def answer(self, message: bytes, headers: Metadata = ()) -> None:
        """Answer OK.

        Args:
            message: the bytes of the response.
            headers: initial metadata.
        """
        self._send(
            cygrpc.SendInitialMetadataOperation(headers, _NO_FLAGS),
            cygrpc.SendMessageOperation(message, _NO_FLAGS),
            cygrpc.SendStatusFromServerOperation(None, cygrpc.StatusCode.ok, b"", _NO_FLAGS),
        )

    def fail(self, code: StatusCode, message: str, *, headers: Metadata = (), trailers: Metadata = ()) -> None:
        """Answer with an error.

        Args:
            code: the status.
            message: for the caller.
            headers: initial metadata; without any the answer is trailers alone, as gRPC's own retry wants it.
            trailers: trailing metadata.
        """
        self._send(
            cygrpc.SendInitialMetadataOperation(headers, _NO_FLAGS),
            cygrpc.SendStatusFromServerOperation(trailers, code.value[0], message.encode(), _NO_FLAGS),
        )

    def _send(self, *operations: Any) -> None:
        # Taken once and never given back, by the first who answers.
        if self._answered.acquire(blocking=False):
            self._call.start_server_batch(operations, _nothing)


class CallServer:
    """Listens from `start` until `stop`.

    Args:
        take: is given each call with what was sent, in the thread that takes them, and must not block.
        options: of the core, by name.
    """

    def __init__(self, take: Callable[[ServerCall, Sent], None], options: Sequence[tuple[str, int]]) -> None:
        self._take = take
        self._queue = cygrpc.CompletionQueue()
        self._server = cygrpc.Server(tuple(options), False)
        self._server.register_completion_queue(self._queue)
        self._thread = threading.Thread(target=self._run, name="calls", daemon=True)
        self._is_shutting_down = False
        # The core must not be destroyed while another thread tells it something.
        self._telling = threading.Lock()
        self.active = 0
        """How many calls were taken, and are not over."""

    @property
    def is_running(self) -> bool:
        """Whether it takes calls, or still has some."""
        return self._thread.is_alive()

    def listen(self, address: str) -> None:
        """Take an address.

        Raises:
            RuntimeError: it can't be had; gRPC has written why to standard error.
        """
        # It returns the port; of a Unix socket, 1.
        if not self._server.add_http2_port(address.encode()):
            raise RuntimeError(address)

    def start(self) -> None:
        """Begin to take calls."""
        self._server.start(backup_queue=False)  # that is for a server that is not told to shut down
        for _ in range(_CALLS_ASKED_FOR):
            self._ask_for_call()
        self._thread.start()

    def stop(self) -> None:
        """Take no more. Those that have begun go on; the thread ends behind the last."""
        with self._telling:
            if not self._is_shutting_down:
                self._is_shutting_down = True
                self._server.shutdown(self._queue, _SHUT_DOWN)

    def cut_off(self) -> None:
        """End all calls that are not over."""
        with self._telling:
            self._server.cancel_all_calls()

    def _ask_for_call(self) -> None:
        self._server.request_call(self._queue, self._queue, _NEW_CALL)

    def _run(self) -> None:
        while True:
            event = self._queue.poll()
            tag = event.tag
            if tag is _SHUT_DOWN:
                with self._telling:
                    self._server.destroy()
                return
            try:
                if tag is _NEW_CALL:
                    self._begin(event)
                else:
                    tag(event)
            except Exception:  # noqa: BLE001  whatever it is, the other calls go on
                _messages.exception("a call failed by a fault")
            # Else a call that is over, and its message, would be kept until the next event.
            del event, tag

    def _begin(self, event: Any) -> None:
        if not event.success:
            return  # what was asked for before the server shut down
        with self._telling:
            # While it shuts down the core hands over what had arrived, and may not be asked for more.
            if not self._is_shutting_down:
                self._ask_for_call()
        # Where it is no UTF-8 no method has that name.
        method = event.call_details.method.decode(errors="replace")
        _Reading(self, event.call, ServerCall(event.call, method, event.invocation_metadata)).begin()

    def take(self, call: ServerCall, sent: Sent) -> None:
        """A call has sent all that it will."""
        self.active += 1
        try:
            self._take(call, sent)
        except Exception:  # noqa: BLE001  whatever it is, the caller gets an answer and the operator a message
            _messages.exception("a call failed by a fault")
            call.fail(StatusCode.UNAVAILABLE, FAULT_MESSAGE)


class _Reading:
    """Reads what a call sends, two messages at most: nobody must hear OK for the first of several."""

    __slots__ = ("_call", "_is_over", "_is_taken", "_looks_for_end", "_messages", "_raw_call", "_server")

    def __init__(self, server: CallServer, raw_call: Any, call: ServerCall) -> None:
        self._server = server
        self._raw_call = raw_call
        self._call = call
        self._messages: list[bytes] = []
        self._looks_for_end = False
        self._is_taken = False
        self._is_over = False

    def begin(self) -> None:
        self._raw_call.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),), self._end)
        self._read()

    def _read(self) -> None:
        self._raw_call.start_server_batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), self._have_read)

    def _have_read(self, event: Any) -> None:
        message = event.batch_operations[0].message()
        if message is not None:
            self._messages.append(message)
        if self._is_over:
            return
        if message is not None and len(self._messages) == 1:
            self._read()
        elif not self._messages and not self._looks_for_end:
            # Either it sends none, or its caller is gone: by the next event that is known.
            self._looks_for_end = True
            self._read()
        else:
            self._is_taken = True
            sent = self._messages
            self._server.take(self._call, sent if len(sent) > 1 else sent[0] if sent else None)

    def _end(self, _event: Any) -> None:
        self._is_over = True
        if self._is_taken:
            self._server.active -= 1


def _nothing(_event: Any) -> None:
    """The answer is sent, or the caller is gone."""
