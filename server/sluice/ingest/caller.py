"""What a call's metadata and query tell of who makes it. Headers go before the query."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw, Struct, field, json

from sluice.contract import CLIENT_TIME, INT64_MAX, INT64_MIN
from sluice.ingest.query import parameters
from sluice.ingest.violations import MISSING, Invalid, invalid_request

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Caller", "caller_of", "client_time_in_body", "client_time_missing", "client_time_of"]

# Longer than any SDK's name, version or session id; what is longer is cut, as it goes into every row.
_MAX_TEXT = 256
# int() would also take underscores, other scripts' digits, and a million of them.
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_HEADER = "STATSIG-CLIENT-TIME"
_EXPECTED = "integer (ms since epoch)"
# Of a JSON text that may be such an integer, in quotes and with escapes.
_MAX_INTEGER_BYTES = 128


class Caller(Struct, frozen=True, kw_only=True, gc=False):
    """One call's caller.

    Attributes:
        secret: the API key as sent; None: none was.
        secret_in_query: it stood in the address.
        client_time: the client's clock as headers or query say it; None: they don't.
        sdk_type: as headers or query say it, else "".
        sdk_version: as headers or query say it, else "".
        session_id: as headers or query say it, else "".
        event_count: how many events it says it sends, as sent, else "".
        transcoded: an HTTP client's call, by way of Envoy.
        content_encoding: of an HTTP client's body that is packed, else "".
    """

    secret: str | None
    secret_in_query: bool
    client_time: str | None
    sdk_type: str
    sdk_version: str
    session_id: str
    event_count: str
    transcoded: bool
    content_encoding: str = ""


def caller_of(metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
    """Read a call's metadata."""
    sent = {name: value for name, value in metadata if isinstance(value, str)}
    # Envoy takes both headers away from what comes in and sets them itself: the first on what it transcodes, the second
    # where the query is no longer in the path (edge/typed.lua).
    path = sent.get("x-envoy-original-path")
    address = sent.get("x-sluice-query", path)
    query = parameters(address) if address is not None and "?" in address else {}
    secret = sent.get("statsig-api-key")
    return Caller(
        secret=secret or query.get("k"),
        secret_in_query=not secret and "k" in query,
        client_time=sent.get("statsig-client-time") or query.get("t"),
        sdk_type=(sent.get("statsig-sdk-type") or query.get("st", ""))[:_MAX_TEXT],
        sdk_version=(sent.get("statsig-sdk-version") or query.get("sv", ""))[:_MAX_TEXT],
        session_id=(sent.get("statsig-server-session-id") or query.get("sid", ""))[:_MAX_TEXT],
        event_count=sent.get("statsig-event-count") or query.get("ec", ""),
        transcoded=path is not None,
        content_encoding=sent.get("content-encoding", "") if path is not None else "",
    )


def client_time_of(caller: Caller) -> int | Invalid | None:
    """The client's clock in ms since the epoch, as headers or query say it; None: they don't.

    Source: paths./log_event.post.parameters, int64.
    """
    return _milliseconds_in(caller.client_time, _HEADER) if caller.client_time else None


class _Told(Struct, gc=False):
    client_time: Raw = field(default=Raw(b"null"), name=CLIENT_TIME)


_TOLD = json.Decoder(_Told)


def client_time_in_body(body: bytes) -> int | Invalid | None:
    """The client's clock in ms since the epoch as a valid JSON body tells it: an integer, or one as text."""
    raw = bytes(_TOLD.decode(body).client_time)
    if raw == b"null":
        return None
    value = json.decode(raw) if len(raw) <= _MAX_INTEGER_BYTES else raw.decode()
    match value:
        case "":
            return None
        case str():
            return _milliseconds_in(value, CLIENT_TIME)
        case float() if value.is_integer():
            return _milliseconds_in(f"{value:.0f}", CLIENT_TIME)
        case int() if not isinstance(value, bool):
            return _milliseconds_in(str(value), CLIENT_TIME)
        case _:
            return _no_time(CLIENT_TIME, "another value")


def client_time_missing() -> Invalid:
    """A request that must tell the client's clock, and doesn't."""
    return _no_time(_HEADER, MISSING)


def _milliseconds_in(text: str, path: str) -> int | Invalid:
    digits = text.strip()
    if _INTEGER.fullmatch(digits) is None:
        return _no_time(path, "another text")
    value = int(digits)
    return value if INT64_MIN <= value <= INT64_MAX else _no_time(path, "number beyond 64 bits")


def _no_time(path: str, found: str) -> Invalid:
    where = "in this header, or as t in the query" if path == _HEADER else f"as {path} in the body, or in a header"
    return invalid_request(path, _EXPECTED, found, mend=f"send the client's clock {where}")
