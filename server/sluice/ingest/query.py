"""The query of the address that an HTTP client called, which Envoy hands on in `x-envoy-original-path`.

Browser SDKs and beacons, which can set no header, send all there: `k` the key, `t` the client's clock, `st` and `sv`
the SDK's type and version, `sid` the session, `ec` the number of events.
"""

from __future__ import annotations

from urllib.parse import unquote_plus

__all__ = ["NAMES", "parameters"]

NAMES = frozenset({"k", "t", "st", "sv", "sid", "ec"})


def parameters(path: str) -> dict[str, str]:
    """The known parameters of a path, decoded; of one that is repeated the first."""
    found: dict[str, str] = {}
    for pair in path.partition("?")[2].partition("#")[0].split("&"):
        name, _, value = pair.partition("=")
        if name in NAMES and name not in found:
            found[name] = unquote_plus(value) if "%" in value or "+" in value else value
    return found
