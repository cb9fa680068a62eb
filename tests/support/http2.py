"""An HTTP/2 client that sends what it is told, right or wrong, and shows what comes back."""

from __future__ import annotations

import base64
import socket
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset, TrailersReceived

if TYPE_CHECKING:
    from types import TracebackType

_TIMEOUT_S = 15.0


def frame(message: bytes, *, flag: int = 0, length: int | None = None) -> bytes:
    """A message as gRPC frames it, unless told to lie."""
    return struct.pack(">BI", flag, len(message) if length is None else length) + message


@dataclass
class Answer:
    """What came back on a stream; headers and trailers together."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    was_reset: bool = False

    @property
    def grpc_status(self) -> int | None:
        """The gRPC status; of gRPC-Web it may stand in the body. None: there is none."""
        told = (self.headers | self._trailers_in_body()).get("grpc-status")
        return None if told is None else int(told)

    @property
    def reason(self) -> str:
        """The reason in the error's details."""
        packed = (self.headers | self._trailers_in_body())["grpc-status-details-bin"]
        info = error_details_pb2.ErrorInfo()
        for detail in Status.FromString(base64.b64decode(packed + "=" * (-len(packed) % 4))).details:
            detail.Unpack(info)
        return info.reason

    def _trailers_in_body(self) -> dict[str, str]:
        content_type = self.headers.get("content-type", "")
        if "grpc-web" not in content_type:
            return {}
        body = self.body
        if "-text" in content_type:  # each frame is encoded for itself
            body = b"".join(base64.b64decode(body[at : at + 4]) for at in range(0, len(body), 4))
        while body:
            flag, length = struct.unpack_from(">BI", body)
            if flag & 0x80:
                lines = body[5 : 5 + length].decode().split("\r\n")
                return {name: value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
            body = body[5 + length :]
        return {}


class Http2Client:
    """One connection, on which one request at a time is made."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Of what h2 itself would mend or refuse, everything is let through.
        config = H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False)
        self._connection = H2Connection(config)
        self._connection.initiate_connection()
        self._flush()
        self._events: deque[Event] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()

    def begin(self, path: str, headers: dict[str, str]) -> int:
        """Send the headers of a POST; return its stream."""
        stream = self._connection.get_next_available_stream_id()
        pseudo = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "sluice")]
        self._connection.send_headers(stream, [*pseudo, *headers.items()])
        self._flush()
        return stream

    def send(self, stream: int, data: bytes, *, ends: bool = False) -> None:
        """Send data as fast as the server takes it, and perhaps that nothing follows."""
        if not data:
            self._connection.send_data(stream, data, end_stream=ends)
            self._flush()
        while data:
            room = min(self._connection.local_flow_control_window(stream), self._connection.max_outbound_frame_size)
            if not room:
                self._receive()
                continue
            now, data = data[:room], data[room:]
            self._connection.send_data(stream, now, end_stream=ends and not data)
            self._flush()

    def reset(self, stream: int) -> None:
        """Break off the request."""
        self._connection.reset_stream(stream)
        self._flush()

    def answer(self, stream: int) -> Answer:
        """Wait for the whole answer."""
        answer = Answer()
        while True:
            while self._events:
                event = self._events.popleft()
                if getattr(event, "stream_id", None) == stream and _is_end(event, answer):
                    return answer
            self._receive()

    def post(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Send a request, and wait for its answer."""
        stream = self.begin(path, headers)
        self.send(stream, body, ends=True)
        return self.answer(stream)

    def _receive(self) -> None:
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionError("the connection was closed without a whole answer")
        self._events += self._connection.receive_data(received)
        self._flush()

    def _flush(self) -> None:
        self._socket.sendall(self._connection.data_to_send())


def _is_end(event: Event, answer: Answer) -> bool:
    match event:
        case ResponseReceived() | TrailersReceived():
            answer.headers |= dict(event.headers)
        case DataReceived():
            answer.body += event.data
        case StreamReset():
            answer.was_reset = True
    return isinstance(event, StreamEnded | StreamReset)
