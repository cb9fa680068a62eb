"""Durations, sizes and addresses as people write them: `10s`, `64MiB`, `127.0.0.1:8080`.

A number without a unit is refused, since nobody knows what it meant. Pure functions; what a value belongs to, and so
where the error is, says who calls.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Address",
    "BadValue",
    "format_duration",
    "format_size",
    "parse_address",
    "parse_duration",
    "parse_size",
]

_SECONDS = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
# A bound, so that no text makes a number of unbounded size.
_NUMBER_AND_UNIT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)", re.ASCII)
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", re.ASCII)
_MAX_PORT = 65535


class BadValue(ValueError):
    """A text that is no value of its kind.

    Args:
        message: what is wrong with it, the text included.
        hint: what to write; empty: no better idea than the default.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen: a host, without the brackets of IPv6, and a port; port 0 is any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_duration(text: str) -> float:
    """Read a duration, such as `10s`, `500ms`, `1.5h`; return seconds.

    Raises:
        BadValue: it has no unit, or is no duration.
    """
    return float(_parse(text, _SECONDS, "duration", hint="write 10s, 500ms or 2m"))


def parse_size(text: str) -> int:
    """Read a size, such as `64MiB`, `10MB`, `1.5GiB`; return bytes, a part of a byte cut off.

    Raises:
        BadValue: it has no unit, or is no size.
    """
    return int(_parse(text, _BYTES, "size", hint="write 512KiB, 64MiB or 10MB"))


def parse_address(text: str) -> Address:
    """Read an address, such as `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`, which is 127.0.0.1.

    Raises:
        BadValue: it has no port, or its host is no IP address: a name may mean several.
    """
    hint = "write 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080"
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise BadValue(f'"{text}" is not a host and a port', hint=hint)
    host, port = match[1].strip("[]"), int(match[2])
    if host == "localhost":
        host = "127.0.0.1"
    try:
        ipaddress.ip_address(host)
    except ValueError as exc:
        raise BadValue(f'"{host}" is not an IP address', hint=hint) from exc
    if port > _MAX_PORT:
        raise BadValue(f'"{text}" has a port above {_MAX_PORT}', hint=hint)
    return Address(host=host, port=port)


def format_duration(seconds: float) -> str:
    """Write a duration in the largest unit that makes it a whole number; below a millisecond, as a part of one."""
    exact = Fraction(Decimal(repr(seconds)))
    for unit in ("h", "m", "s", "ms"):
        if exact and exact % _SECONDS[unit] == 0:
            return f"{exact // _SECONDS[unit]}{unit}"
    return f"{float(exact * 1000):g}ms" if exact else "0s"


def format_size(size_bytes: int) -> str:
    """Write a size in the largest binary unit that makes it a whole number."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % _BYTES[unit] == 0:
            return f"{size_bytes // _BYTES[unit]}{unit}"
    return f"{size_bytes}B"


def _parse(text: str, units: Mapping[str, Fraction | int], what: str, *, hint: str) -> Fraction:
    match = _NUMBER_AND_UNIT.fullmatch(text.strip())
    if match is None:
        raise BadValue(f'"{text}" is not a {what}', hint=hint)
    number, unit = match.groups()
    if not unit:
        raise BadValue(f'"{text}" has no unit', hint=hint)
    if unit not in units:
        raise BadValue(f'"{text}" has an unknown unit, "{unit}"', hint=f"{hint}; the units are {', '.join(units)}")
    return Fraction(number) * units[unit]
