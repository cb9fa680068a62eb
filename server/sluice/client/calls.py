"""What a call looks like: its method, its bytes, its metadata, and the channel that it goes through."""

from __future__ import annotations

import importlib.metadata
import time
from typing import TYPE_CHECKING

import grpc

from sluice.client.batch import key_text
from sluice.client.errors import InvalidSettings
from sluice.client.target import parse_target
from sluice.events.v1 import events_pb2 as pb

if TYPE_CHECKING:
    from sluice.client.settings import Settings
    from sluice.client.steps import Send

__all__ = ["Calls"]

_SDK_TYPE = "sluice-python"
# gRPC dials again by itself, and answers UNAVAILABLE at once while it waits to: up to 2 min, unless told.
_LONGEST_REDIAL_MS = 5_000
_FIRST_REDIAL_MS = 200


class Calls:
    """Makes the calls of one client, but for the waiting.

    Args:
        target: the server, as `parse_target` reads it.
        api_key: sent with each call, and shown nowhere.
        settings: of the client.

    Attributes:
        address: what gRPC dials.
        credentials: for TLS; None: the address is dialled without.
        method: the path of the call.
        channel_options: for the channel.
    """

    def __init__(self, target: str, api_key: str, settings: Settings) -> None:
        if not _is_key(api_key):
            raise InvalidSettings("api_key: expected a key, as `sluice keys create` prints it")
        parsed = parse_target(target)
        version = _version()
        self.address = parsed.address
        self.credentials = settings.credentials or (grpc.ssl_channel_credentials() if parsed.tls else None)
        self.method = f"/sluice.events.v1.EventsService/{'ReceiveWebhookEvent' if settings.webhook else 'LogEvent'}"
        self.channel_options: list[tuple[str, str | int]] = [
            ("grpc.primary_user_agent", f"{_SDK_TYPE}/{version}"),
            ("grpc.initial_reconnect_backoff_ms", _FIRST_REDIAL_MS),
            ("grpc.max_reconnect_backoff_ms", _LONGEST_REDIAL_MS),
        ]
        self._api_key = api_key
        self._webhook = settings.webhook
        self._metadata = pb.StatsigMetadata(sdk_type=_SDK_TYPE, sdk_version=version)
        if settings.session_id:
            self._metadata.session_id = settings.session_id

    def body(self, send: Send) -> bytes:
        """The request's bytes: the events as they are, and what belongs to all of them."""
        key = key_text(send.batch.key)
        tail = (
            pb.ReceiveWebhookEventRequest(idempotency_key=key)
            if self._webhook
            else pb.LogEventRequest(idempotency_key=key, statsig_metadata=self._metadata)
        )
        return b"".join([*send.encoded, tail.SerializeToString()])

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata of a call that is made now: a spooled event's time is mended by the clock of each try."""
        return (("statsig-api-key", self._api_key), ("statsig-client-time", str(time.time_ns() // 1_000_000)))


def _version() -> str:
    """That of the distribution which holds this client: the whole project, or the client alone."""
    try:
        return importlib.metadata.version("sluice")
    except importlib.metadata.PackageNotFoundError:
        return importlib.metadata.version("sluice-client")


def _is_key(key: object) -> bool:
    return isinstance(key, str) and key != "" and key.isascii() and key.isprintable()
