"""Where the server is: from what people write to what gRPC dials."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from sluice.client.errors import InvalidSettings

__all__ = ["Target", "parse_target"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
# What gRPC itself resolves: https://grpc.github.io/grpc/core/md_doc_naming.html
_NAMED_RESOLVER = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|xds):")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):[0-9]{1,5}")
_HINT = "127.0.0.1:8080, http://host:port or https://host"


@dataclass(frozen=True, slots=True)
class Target:
    """A server.

    Attributes:
        address: as gRPC takes it.
        tls: whether it is called by TLS.
    """

    address: str
    tls: bool


def parse_target(text: str) -> Target:
    """The server at `host:port`, at an http or https URL (its path says nothing), or at an address in gRPC's own words.

    Raises:
        InvalidSettings: it is none of these.
    """
    if not isinstance(text, str):
        raise InvalidSettings(f"target: expected text, got {type(text).__qualname__}", hint=_HINT)
    if "://" in text and (text.startswith(("http://", "https://"))):
        return _of_url(text)
    if _NAMED_RESOLVER.match(text) or _HOST_AND_PORT.fullmatch(text):
        return Target(text, tls=False)
    raise InvalidSettings(f"target: {text!r} is no host:port and no URL", hint=_HINT)


def _of_url(text: str) -> Target:
    try:
        parts = urlsplit(text)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except ValueError:
        raise InvalidSettings(f"target: {text!r} is no URL", hint=_HINT) from None
    if not parts.hostname or "@" in parts.netloc:
        raise InvalidSettings("target: expected a URL with a host, and without a password", hint=_HINT)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Target(f"{host}:{port}", tls=parts.scheme == "https")
