"""What a call's metadata and query tell of who makes it. Headers go before the query."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from sluice.contract import INT64_MAX, INT64_MIN
from sluice.ingest.query import parameters
from sluice.ingest.violations import MISSING, Invalid, invalid_request

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Caller", "caller_of", "client_time_of"]

# Longer than any SDK's name, version or session id; what is longer is cut, as it goes into every row.
_MAX_TEXT = 256
# int() would also take underscores, other scripts' digits, and a million of them.
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)


class Caller(Struct, frozen=True, kw_only=True, gc=False):
    """One call's caller.

    Attributes:
        secret: the API key as sent; None: none was.
        secret_in_query: it stood in the address.
        client_time: the client's clock as sent; None: it wasn't.
        sdk_type: as headers or query say it, else "".
        sdk_version: as headers or query say it, else "".
        session_id: as headers or query say it, else "".
        transcoded: an HTTP client's call, by way of Envoy.
        content_encoding: of an HTTP client's body that is packed, else "".
    """

    secret: str | None
    secret_in_query: bool
    client_time: str | None
    sdk_type: str
    sdk_version: str
    session_id: str
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
        transcoded=path is not None,
        content_encoding=sent.get("content-encoding", "") if path is not None else "",
    )


def client_time_of(caller: Caller, *, required: bool) -> int | Invalid | None:
    """The client's clock in ms since the epoch; None: it wasn't told, and needn't be.

    Source: paths./log_event.post.parameters, int64.
    """
    if not caller.client_time:
        return _no_client_time(MISSING) if required else None
    text = caller.client_time.strip()
    if _INTEGER.fullmatch(text) is None:
        return _no_client_time("another text")
    value = int(text)
    return value if INT64_MIN <= value <= INT64_MAX else _no_client_time("number beyond 64 bits")


def _no_client_time(found: str) -> Invalid:
    mend = "send the client's clock in this header, or as t in the query"
    return invalid_request("STATSIG-CLIENT-TIME", "integer (ms since epoch)", found, mend=mend)
