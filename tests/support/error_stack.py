"""Envoy in both modes before one worker's doors, whose log a test commands: every error comes out of the real thing."""

from __future__ import annotations

import base64
import socket
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2

from sluice.contract import Source
from sluice.edge.config import Transcoding, Upstream
from sluice.keys.key import Kind, prefix_of
from sluice.keys.key_file import KeyFile
from tests.support.edge import Answer, Edge, post, running_edge
from tests.support.http2 import Answer as Http2Answer
from tests.support.http2 import Http2Client
from tests.support.ingest_server import IngestServer

if TYPE_CHECKING:
    from collections.abc import Iterator

# As by default, but for the times.
MAX_BODY = 10 * 1024 * 1024
PATIENCE_S = 1
GOOD = '{"events":[{"user":{"userID":"u1"},"eventName":"e","time":1767225600000}]}'
LOG_EVENT = "/sluice.events.v1.EventsService/LogEvent"
UNKNOWN_KEY = "secret-0123456789"


@dataclass(frozen=True, kw_only=True)
class Told:
    """An error as a caller sees it.

    Attributes:
        status: of HTTP, or the name of gRPC's code.
        message: its text.
        reason: in the details of gRPC.
        errors: for each violation path, expected and found; of gRPC path and description.
        body: of HTTP, parsed.
    """

    status: int | str
    message: str
    reason: str = ""
    errors: tuple[tuple[str, ...], ...] = ()
    body: dict[str, Any] = field(default_factory=dict)


@dataclass
class Stack:
    """What runs, and who may call it. Only the typed edge has an upstream, which is down."""

    folder: Path
    server: IngestServer
    edge: Edge
    typed_edge: Edge
    keys: dict[str, str]

    @property
    def facts(self) -> dict[str, object]:
        """What messages say of this stack."""
        prefixes = {name: prefix_of(secret) for name, secret in self.keys.items()}
        return {"max_body": MAX_BODY, "patience_s": PATIENCE_S} | prefixes

    def rest(self, body: bytes | str = GOOD, *, typed: bool = False, key: str = "server", **named: Any) -> Told:
        """Post a body. `headers` of None are left out; `path` and `method` are those of log_event."""
        headers = {
            "statsig-api-key": self.keys.get(key, key) or None,
            "statsig-client-time": "1767225600000",
            **named.pop("headers", {}),
        }
        address = (self.typed_edge if typed else self.edge).address
        sent = body.encode() if isinstance(body, str) else body
        return told_over_http(post(address, sent, headers=headers, **named))

    def grpc(self, message: bytes = b"", *, key: str = "server", method: str = LOG_EVENT, **metadata: str) -> Told:
        """Call a method with the bytes of a message."""
        sent = {"statsig-api-key": self.keys.get(key, key)} | {
            name.replace("_", "-"): value for name, value in metadata.items()
        }
        options = [("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0)]
        with grpc.insecure_channel("{}:{}".format(*self.edge.address), options=options) as channel:
            return self.called(lambda: channel.unary_unary(method)(message, metadata=list(sent.items()), timeout=20))

    def grpc_messages(self, *messages: bytes) -> Told:
        """Call LogEvent with any number of messages."""
        metadata = [("statsig-api-key", self.keys["server"])]
        with grpc.insecure_channel("{}:{}".format(*self.edge.address)) as channel:
            call = channel.stream_unary(LOG_EVENT)
            return self.called(lambda: call(iter(messages), metadata=metadata, timeout=20))

    def http2(self, body: bytes, **headers: str) -> Told:
        """Call LogEvent with what no gRPC library would send."""
        sent = {"content-type": "application/grpc", "te": "trailers"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        with Http2Client("{}:{}".format(*self.edge.address)) as client:
            stream = client.begin(LOG_EVENT, sent)
            client.send(stream, body, ends=True)
            return told_over_http2(client.answer(stream))

    @staticmethod
    def called(call: Any) -> Told:
        """What a call that fails is told."""
        try:
            call()
        except grpc.RpcError as error:
            details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
            return _told_over_grpc(error.code().name, error.details(), details)
        raise AssertionError("the call was accepted")

    @contextmanager
    def log_that(self, **attributes: Any) -> Iterator[None]:
        """A log with other attributes for a while."""
        before = {name: getattr(self.server.log, name) for name in attributes}
        for name, value in attributes.items():
            setattr(self.server.log, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(self.server.log, name, value)

    @contextmanager
    def log_that_holds(self) -> Iterator[None]:
        """A log that lets its callers wait."""
        self.server.log.handed_over.clear()
        self.server.log.holds.set()
        try:
            yield
        finally:
            self.server.log.holds.clear()

    def new_worker(self) -> None:
        """Another worker in the place of one that has ended."""
        assert self.server.wait_until_stopped()
        for edge in (self.edge, self.typed_edge):
            edge.await_healthy(0)
        self.server = _worker(self.folder)
        for edge in (self.edge, self.typed_edge):
            edge.await_healthy(1)


@contextmanager
def error_stack() -> Iterator[Stack]:
    """Run it all."""
    with tempfile.TemporaryDirectory(prefix="errors-") as name:
        folder = Path(name)
        keys = _keys(folder / "keys.json")
        server = _worker(folder)
        settings = {"max_body_bytes": MAX_BODY, "answer_timeout_s": PATIENCE_S, "request_timeout_s": PATIENCE_S}
        behind = {"workers": 0, "sockets": [server.config.socket]}
        (folder / "body").mkdir()
        (folder / "typed").mkdir()
        with (
            socket.socket() as unused,
            running_edge(folder / "body", **behind, **settings) as edge,
            running_edge(
                folder / "typed",
                **behind,
                **settings,
                transcoding=Transcoding.TYPED,
                upstream=Upstream(tls=False, host="127.0.0.1", port=_port_that_is_closed(unused)),
            ) as typed_edge,
        ):
            stack = Stack(folder=folder, server=server, edge=edge, typed_edge=typed_edge, keys=keys)
            try:
                yield stack
            finally:
                stack.server.close()


def _port_that_is_closed(unused: socket.socket) -> int:
    """A port that nobody gets while the socket is there, and that nobody answers at."""
    unused.bind(("127.0.0.1", 0))
    port: int = unused.getsockname()[1]
    return port


def _worker(folder: Path) -> IngestServer:
    return IngestServer(
        folder,
        max_body_bytes=MAX_BODY,
        max_receive_bytes=2 * MAX_BODY,
        in_flight_bytes=1024,
        drain_timeout_s=0.1,
        reflection=False,
    )


def _keys(path: Path) -> dict[str, str]:
    file = KeyFile(path)
    made = {
        "server": file.create(kind=Kind.SERVER),
        "client": file.create(kind=Kind.CLIENT),
        "revoked": file.create(kind=Kind.SERVER),
        "expired": file.create(kind=Kind.SERVER, expires_at=time.time() - 1),
        "other": file.create(kind=Kind.SERVER, sources=frozenset({Source.WEBHOOK})),
    }
    file.revoke(made["revoked"][0].id)
    return {name: secret for name, (_, secret) in made.items()} | {"unknown": UNKNOWN_KEY}


def told_over_http(answer: Answer) -> Told:
    """What a body says, which must be JSON."""
    body = answer.json
    errors = tuple((error["path"], error["expected"], error["found"]) for error in body.get("errors", []))
    return Told(status=answer.status, message=body.get("message", ""), errors=errors, body=body)


def told_over_http2(answer: Http2Answer) -> Told:
    """What trailers say."""
    packed = answer.headers["grpc-status-details-bin"]
    assert answer.grpc_status is not None
    return _told_over_grpc(
        code_pb2.Code.Name(answer.grpc_status),
        unquote(answer.headers["grpc-message"]),
        base64.b64decode(packed + "=" * (-len(packed) % 4)),
    )


def _told_over_grpc(code: str, message: str, details: bytes) -> Told:
    reason, errors = "", []
    for detail in status_pb2.Status.FromString(details).details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad):
            errors = [(violation.field, violation.description) for violation in bad.field_violations]
    return Told(status=code, message=message, reason=reason, errors=tuple(errors))
