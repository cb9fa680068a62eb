"""The types of settings: each is read from the text that people write, and written back as such.

A validator raises BadValue, which says what is wrong and what to write; where the text stood, load.py knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator

from sluice.edge.config import UnusableEdgeConfig, Upstream, read_upstream
from sluice.edge.paths import UnusablePath, check_extra_paths
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
    from collections.abc import Callable

__all__ = [
    "AutoOnOff",
    "Count",
    "Duration",
    "EventPaths",
    "FileOrNone",
    "Folder",
    "FolderOrNone",
    "Form",
    "ListenAddress",
    "NodeName",
    "OnOff",
    "Size",
    "UpstreamOrNone",
]


@dataclass(frozen=True, slots=True)
class Form:
    """How values of a type are written.

    Attributes:
        name: what such a text is called.
        show: makes the text of a value.
    """

    name: str
    show: Callable[[Any], str] = str


def _parse_folder(name: str) -> Path:
    if not name:
        raise BadValue("no name of a folder", hint="write ./data or /var/lib/sluice")
    return Path(name)


def _parse_file(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise BadValue(f'"{name}": no such file', hint="name a file that exists")
    return path


def _parse_event_paths(names: str) -> tuple[str, ...]:
    paths = tuple(name.strip() for name in names.split(",")) if names else ()
    try:
        check_extra_paths(paths)
    except UnusablePath as exc:
        raise BadValue(exc.message, hint=exc.hint) from exc
    return paths


def _parse_upstream(url: str) -> Upstream:
    try:
        return read_upstream(url)
    except UnusableEdgeConfig as exc:
        raise BadValue(exc.message, hint=exc.hint) from exc


def _parse_count(number: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", number, re.ASCII):
        raise BadValue(f'"{number}" is not a whole number', hint="write 4")
    return int(number)


def _parse_on_off(word: str) -> bool:
    # True and False are how sluice.toml's own truth values come here.
    if word not in {"on", "off", "True", "False"}:
        raise BadValue(f'"{word}" is neither on nor off', hint="write on or off")
    return word in {"on", "True"}


def _parse_node(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]{1,64}", name, re.ASCII):
        raise BadValue(f'"{name}" is not a name of small letters, digits and _, at most 64', hint="write node_1")
    return name


_FOLDER = Form("folder", show=lambda path: f"./{path}")
Folder: TypeAlias = Annotated[Path, BeforeValidator(_parse_folder), _FOLDER]
FolderOrNone: TypeAlias = Annotated[Path | None, BeforeValidator(_parse_folder), _FOLDER]
FileOrNone: TypeAlias = Annotated[Path | None, BeforeValidator(_parse_file), Form("file")]
EventPaths: TypeAlias = Annotated[
    tuple[str, ...], BeforeValidator(_parse_event_paths), Form("/path,/path", show=",".join)
]
UpstreamOrNone: TypeAlias = Annotated[Upstream | None, BeforeValidator(_parse_upstream), Form("URL")]
ListenAddress: TypeAlias = Annotated[Address, BeforeValidator(parse_address), Form("host:port")]
Count: TypeAlias = Annotated[int, BeforeValidator(_parse_count), Form("number")]
Duration: TypeAlias = Annotated[float, BeforeValidator(parse_duration), Form("duration", show=format_duration)]
Size: TypeAlias = Annotated[int, BeforeValidator(parse_size), Form("size", show=format_size)]
OnOff: TypeAlias = Annotated[
    bool, BeforeValidator(_parse_on_off), Form("on or off", show=lambda on: "on" if on else "off")
]
# As above, sluice.toml's own truth values are words too.
AutoOnOff: TypeAlias = Annotated[
    Literal["auto", "on", "off"], BeforeValidator(lambda word: {"True": "on", "False": "off"}.get(word, word))
]
NodeName: TypeAlias = Annotated[str, BeforeValidator(_parse_node), Form("name")]
