"""Every setting of the service: its type, default, bounds, and what a larger value buys and costs.

The sentences are what `sluice up --help` and docs/settings.md print. Where a value may come from: load.py; what each
stage gets of them: stages.py. Nothing heavy is imported here, so that each command can use it.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.settings.units import (
    Address,
    BadValue,
    format_duration,
    format_size,
    parse_address,
    parse_duration,
    parse_size,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ALL", "VARIABLE_PREFIX", "Kind", "Setting", "Settings", "setting"]

VARIABLE_PREFIX = "SLUICE_"

_KIB, _MIB, _GIB = 2**10, 2**20, 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How the values of one type are written.

    Attributes:
        form: what such a text is called.
        parse: makes the value of a text; raises BadValue.
        show: makes the text of a value.
    """

    form: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of one setting.

    Attributes:
        name: of the field of `Settings`.
        kind: how its values are written.
        default: its value where nobody says one; of some, made of the settings that stand before it.
        default_words: what the documents say of a default that is not the same everywhere; else empty.
        low: the least value; None: no bound.
        high: the greatest value; None: no bound.
        sentence: what it does, and what a larger value buys and costs.
    """

    name: str
    kind: Kind
    default: Any
    default_words: str
    low: Any
    high: Any
    sentence: str

    @property
    def key(self) -> str:
        """Its key in sluice.toml."""
        return self.name.replace("_", "-")

    @property
    def flag(self) -> str:
        """Its flag on the command line."""
        return f"--{self.key}"

    @property
    def variable(self) -> str:
        """Its variable in the environment."""
        return VARIABLE_PREFIX + self.name.upper()

    @property
    def default_text(self) -> str:
        """Its default as people write it, or in words."""
        return self.default_words or self.kind.show(self.default)

    def default_beside(self, known: Mapping[str, Any]) -> Any:
        """Its default, given the values of the settings before it."""
        return self.default(known) if callable(self.default) else self.default


def _one_of(*choices: str) -> Kind:
    def parse(text: str) -> str:
        if text not in choices:
            raise BadValue(f'"{text}" is none of: {", ".join(choices)}', hint=f"write {' or '.join(choices)}")
        return text

    return Kind(form=" or ".join(choices), parse=parse)


def _parse_folder(text: str) -> Path:
    if not text:
        raise BadValue("no name of a folder", hint="write ./data or /var/lib/sluice")
    return Path(text)


def _parse_count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise BadValue(f'"{text}" is not a whole number', hint="write 4")
    return int(text)


def _parse_on_or_off(text: str) -> bool:
    # True and False are how sluice.toml's own truth values come here.
    if text not in {"on", "off", "True", "False"}:
        raise BadValue(f'"{text}" is neither on nor off', hint="write on or off")
    return text in {"on", "True"}


def _parse_node(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]{1,64}", text, re.ASCII):
        raise BadValue(f'"{text}" is not a name of small letters, digits and _, at most 64', hint="write node_1")
    return text


def _this_node(_known: Mapping[str, Any]) -> str:
    return re.sub(r"[^a-z0-9_]", "_", socket.gethostname().lower(), flags=re.ASCII)[:64] or "_"


def _cores(_known: Mapping[str, Any]) -> int:
    return len(os.sched_getaffinity(0))


_FOLDER = Kind(form="folder", parse=_parse_folder, show=lambda path: f"./{path}")
_ADDRESS = Kind(form="host:port", parse=parse_address)
_DURATION = Kind(form="duration", parse=parse_duration, show=format_duration)
_SIZE = Kind(form="size", parse=parse_size, show=format_size)
_COUNT = Kind(form="number", parse=_parse_count)
_NODE = Kind(form="name", parse=_parse_node)
_ON_OR_OFF = Kind(form="on or off", parse=_parse_on_or_off, show=lambda value: "on" if value else "off")


def _setting(
    kind: Kind, default: object, sentence: str, *, low: object = None, high: object = None, default_words: str = ""
) -> Any:
    facts = {"kind": kind, "default": default, "default_words": default_words}
    return field(metadata=facts | {"low": low, "high": high, "sentence": sentence})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator can set. Sizes are in bytes and durations in seconds, whatever unit they were written in."""

    data_dir: Path = _setting(  # noqa: RUF009  it is dataclasses.field with our facts
        _FOLDER,
        Path("data"),
        "The folder of the log, the lake and the keys; made if it is missing. "
        "A relative name counts from the folder that the command runs in.",
    )
    listen: Address = _setting(  # noqa: RUF009  it is dataclasses.field with our facts
        _ADDRESS,
        Address(host="127.0.0.1", port=8080),
        "Where events come in: REST, gRPC and gRPC-Web on one port; port 0 is any free one. "
        "An address that others can reach opens the service to them, in clear text unless a proxy adds TLS.",
    )
    admin: Address = _setting(  # noqa: RUF009  it is dataclasses.field with our facts
        _ADDRESS,
        Address(host="127.0.0.1", port=9464),
        "Where /metrics, /livez and /readyz answer; port 0 is any free one. "
        "It asks for no key: keep it where only operators can reach it.",
    )
    workers: int = _setting(
        _COUNT,
        _cores,
        "How many processes check and store requests. More use more cores; beyond the number of cores "
        "they only cost memory.",
        low=1,
        high=256,
        default_words="one per core",
    )
    seal_age: float = _setting(
        _DURATION,
        10.0,
        "How old an open segment may get before it is sealed, and so can go to the lake. "
        "Longer makes fewer, larger segments; events wait longer until queries see them.",
        low=0.1,
        high=3600.0,
    )
    seal_size: int = _setting(
        _SIZE,
        64 * _MIB,
        "How large a segment may get before it is sealed. "
        "Larger makes fewer files; recovery after a crash and the lake writer's memory grow with it.",
        low=64 * _KIB,
        high=_GIB,
    )
    lake_age: float = _setting(
        _DURATION,
        60.0,
        "How long sealed segments may wait for others to share their Parquet file. "
        "Longer makes fewer, larger files, which queries read faster; events wait longer until queries see them.",
        low=0.1,
        high=3600.0,
    )
    lake_size: int = _setting(
        _SIZE,
        128 * _MIB,
        "How many bytes of segments make a Parquet file without waiting any longer. "
        "Larger makes fewer, larger files; the lake writer needs more memory.",
        low=64 * _KIB,
        high=4 * _GIB,
    )
    transcoding: str = _setting(
        _one_of("body", "typed"),
        "body",
        "Who takes JSON apart: body hands it to the workers as it came, lossless and cheap. "
        "typed, where Envoy enforces the schema itself, is not built yet.",
    )
    max_body: int = _setting(
        _SIZE,
        10 * _MIB,
        "How large a request's body may be, decompressed; a larger one is refused with 413. "
        "Larger lets clients send larger batches; every request in flight may take a few times as much memory.",
        low=_KIB,
        high=256 * _MIB,
    )
    drain_timeout: float = _setting(
        _DURATION,
        30.0,
        "How long stopping may take, from the signal until all that was accepted is in the lake. "
        "Longer leaves less to the next start; a restart may take as long.",
        low=1.0,
        high=3600.0,
    )
    in_flight: int = _setting(
        _SIZE,
        lambda known: max(64 * _MIB, 4 * int(known["max_body"])),
        "How many bytes of requests each worker handles at once; beyond that it answers 503. "
        "Larger takes higher peaks; the memory of each worker may grow to a few times as much.",
        low=_MIB,
        high=16 * _GIB,
        default_words="64MiB, or four times max-body if that is more",
    )
    log_limit: int = _setting(
        _SIZE,
        10 * _GIB,
        "How many bytes of sealed segments may wait for the lake; beyond that requests get 503. "
        "Larger outlasts a longer trouble of the lake; it needs that much disk.",
        low=_MIB,
        high=2**50,
    )
    min_free: int = _setting(
        _SIZE,
        256 * _MIB,
        "How many bytes of the disk must stay free; when they don't, requests get 503 until they do. "
        "Larger leaves more room to others on the disk; on a small one the log stops earlier.",
        low=0,
        high=2**50,
    )
    archive: bool = _setting(
        _ON_OR_OFF,
        False,
        "Whether segments are kept below log/archive/ once they are in the lake. "
        "With them the lake can be made anew; nothing ever removes them, so the disk fills.",
    )
    node: str = _setting(
        _NODE,
        _this_node,
        "This machine's name in the names of segments and in records. "
        "Two machines whose lakes are put together need two names.",
        default_words="the host name",
    )
    edge: str = _setting(
        _one_of("embedded", "external"),
        "embedded",
        "Whose Envoy it is: embedded starts it with the service; external expects one to run beside it, "
        "with the configuration in envoy/, as under compose.",
    )
    sockets: Path | None = _setting(  # noqa: RUF009  it is dataclasses.field with our facts
        _FOLDER,
        None,
        "The folder of the workers' sockets. An external Envoy must reach it; its name must be short, since a path of "
        "a socket has at most 107 bytes.",
        default_words="a private folder in the temporary folder",
    )
    messages: str = _setting(
        _one_of("auto", "text", "json"),
        "auto",
        "How messages to the operator are written: text for people, json for machines, "
        "auto: text on a terminal, else json.",
    )
    access_log: bool = _setting(
        _ON_OR_OFF,
        False,
        "Whether Envoy writes a line for each request, without its query, which may hold a key. "
        "It costs CPU for each request, and disk.",
    )


ALL = tuple(Setting(name=each.name, **each.metadata) for each in fields(Settings))
_BY_NAME = {each.name: each for each in ALL}


def setting(name: str) -> Setting:
    """What is known of one setting, by the name of its field."""
    return _BY_NAME[name]
