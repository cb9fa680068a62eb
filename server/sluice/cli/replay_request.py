"""Sends a refused request again, to the running service's own door, as its sender would.

    what it came as          goes to
    JSON                     POST /v1/log_event, or the address of webhooks or of custom exposures
    a typed message          EventsService, by gRPC

The client's clock is told as much off as it was at first: an event's time is then what it would have been.
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.cli.replay_notes import State
from sluice.error_details import PERHAPS_STORED
from sluice.errors import SluiceError
from sluice.log.ports import Body

if TYPE_CHECKING:
    import grpc

    from sluice.settings.units import Address

__all__ = ["KeyRefused", "Sent", "ServiceUnreachable", "send"]

_TIMEOUT_S = 60.0
_MAX_ANSWER_BYTES = 1024 * 1024

_PATHS = {
    ("sdk", "json"): "/v1/log_event",
    ("webhook", "json"): "/v1/webhooks/event_webhook",
    ("sdk", "custom_exposures"): "/v1/log_custom_exposure",
}
_METHODS = {"log_event_request": "LogEvent", "receive_webhook_event_request": "ReceiveWebhookEvent"}


class ServiceUnreachable(SluiceError):
    """The service doesn't take the request now.

    Attributes:
        may_be_stored: it may have taken it before it failed to say so.
    """

    def __init__(self, message: str, *, may_be_stored: bool) -> None:
        super().__init__(message)
        self.may_be_stored = may_be_stored


class KeyRefused(SluiceError):
    """The key doesn't open the door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a request that was sent again came to.

    Attributes:
        state: DELIVERED, SET_ASIDE or REFUSED.
        as_request: its new id.
        said: why, or how much of it, where it was not delivered.
    """

    state: State
    as_request: str
    said: str = ""


def send(row: dict[str, Any], address: Address, secret: str) -> Sent | None:
    """Send a refused request again; None: nothing is there to be sent, or no door takes it.

    Args:
        row: of the table rejects.
        address: where the service listens.
        secret: the API key.

    Raises:
        ServiceUnreachable: nobody answers, or 503; it may be sent later, unless it may be stored.
        KeyRefused: the key doesn't open the door.
    """
    if row["body"] is None:
        return None
    if row["body_format"] in _METHODS:
        return _by_grpc(row, address, secret)
    path = _PATHS.get((row["source"], row["body_format"]))
    return None if path is None else _by_http(row, path, address, secret)


def _headers(row: dict[str, Any], secret: str) -> dict[str, str]:
    now_ms = time.time_ns() // 1_000_000
    off_ms = 0 if row["client_time_ms"] is None else row["client_time_ms"] - int(row["received_at"].timestamp() * 1000)
    said = {
        "statsig-api-key": secret,
        "statsig-client-time": str(now_ms + off_ms),
        "statsig-sdk-type": row["sdk_type"],
        "statsig-sdk-version": row["sdk_version"],
        "statsig-server-session-id": row["session_id"],
    }
    return {name: text for name, text in said.items() if text}


def _by_http(row: dict[str, Any], path: str, address: Address, secret: str) -> Sent:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_TIMEOUT_S)
    try:
        connection.connect()
    except OSError as exc:
        raise ServiceUnreachable(f"http://{address}{path}: {exc}", may_be_stored=False) from exc
    try:
        headers = _headers(row, secret) | {"content-type": "application/json"}
        connection.request("POST", path, body=Body(row["body_format"]).from_text(row["body"]), headers=headers)
        answer = connection.getresponse()
        content = answer.read(_MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as exc:
        raise ServiceUnreachable(f"http://{address}{path}: {exc}", may_be_stored=True) from exc
    finally:
        connection.close()
    said = _object(content)
    request_id = answer.headers.get("x-request-id", "")
    if answer.status in (http.client.ACCEPTED, http.client.OK):
        return _accepted(request_id, said.get("quarantinedEvents", 0))
    message = str(said.get("message", f"answered {answer.status}"))
    if answer.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        raise KeyRefused(message)
    if answer.status in (http.client.BAD_REQUEST, http.client.REQUEST_ENTITY_TOO_LARGE):
        return Sent(state=State.REFUSED, as_request=request_id, said=message)
    raise ServiceUnreachable(
        f"http://{address}{path}: {answer.status}: {message}",
        may_be_stored=answer.status != http.client.SERVICE_UNAVAILABLE or PERHAPS_STORED in message,
    )


def _by_grpc(row: dict[str, Any], address: Address, secret: str) -> Sent:
    import grpc  # noqa: PLC0415  0.2 s that replays of JSON needn't take

    from sluice.events.v1 import events_pb2 as pb  # noqa: PLC0415  as above

    method = f"/sluice.events.v1.EventsService/{_METHODS[row['body_format']]}"
    with grpc.insecure_channel(str(address), options=[("grpc.enable_http_proxy", 0)]) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        try:
            answer, done = call.with_call(
                Body(row["body_format"]).from_text(row["body"]),
                metadata=tuple(_headers(row, secret).items()),
                timeout=_TIMEOUT_S,
            )
        except grpc.RpcError as exc:
            code, message = exc.code(), exc.details() or ""
            if code is grpc.StatusCode.UNAUTHENTICATED:
                raise KeyRefused(message) from exc
            if code is grpc.StatusCode.INVALID_ARGUMENT:
                initial = dict(exc.initial_metadata() or ())  # type: ignore[attr-defined]  # a call that failed has them
                return Sent(state=State.REFUSED, as_request=str(initial.get("x-request-id", "")), said=message)
            raise ServiceUnreachable(
                f"{address}{method}: {code.name}: {message}", may_be_stored=not _took_nothing(code, message)
            ) from exc
        # Both responses have the same fields.
        response = pb.LogEventResponse.FromString(answer)
        return _accepted(str(dict(done.initial_metadata()).get("x-request-id", "")), response.quarantined_events)


def _took_nothing(code: grpc.StatusCode, message: str) -> bool:
    """Whether the service says that it took nothing; or gRPC, that it never came to be asked."""
    said = "send the batch again" in message or "send it again" in message or "failed to connect" in message
    return code.name == "UNAVAILABLE" and said


def _accepted(request_id: str, set_aside: int) -> Sent:
    if set_aside:
        return Sent(
            state=State.SET_ASIDE, as_request=request_id, said=f"{set_aside:,} of its events, as request {request_id}"
        )
    return Sent(state=State.DELIVERED, as_request=request_id)


def _object(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
