"""Every setting of the service: its type, default, bounds, and what a larger value buys and costs.

The sentences are what `sluice up --help` and docs/settings.md print. Texts become values by units.py; where a value may
come from: load.py; what each stage gets of them: stages.py.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable  # noqa: TC003  pydantic reads the annotations
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sluice.settings.places import DEFAULT_DATA_DIR, VARIABLE_PREFIX
from sluice.settings.units import (
    Address,
    BadValue,
    format_duration,
    format_size,
    parse_address,
    parse_duration,
    parse_size,
)

__all__ = ["Settings", "Written"]

_MAX_NODE_CHARACTERS = 32
_HOST_NAME_REST = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How people write the values of a type.

    Attributes:
        form: what such a text is called.
        show: makes the text of a value.
    """

    form: str
    show: Callable[[Any], str] = str


def _read_by(parse: Callable[[str], object]) -> BeforeValidator:
    def read(value: object) -> object:
        # sluice.toml may hold numbers and truth values; each is read as the text that it is.
        if isinstance(value, bool):
            return parse(str(value).lower())
        if isinstance(value, (str, int, float, Path)):
            return parse(str(value))
        raise BadValue("a list or a table where one value belongs", hint='write it as a text: "..."')

    return BeforeValidator(read)


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise BadValue(f'"{text}" is none of: {", ".join(choices)}', hint=f"write {' or '.join(choices)}")
        return text

    return parse


def _folder(text: str) -> Path:
    if not text:
        raise BadValue("no name of a folder", hint="write ./data or /var/lib/sluice")
    return Path(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text.strip(), re.ASCII):
        raise BadValue(f'"{text}" is not a whole number', hint="write 4")
    return int(text)


def _truth(text: str) -> bool:
    return _one_of("true", "false")(text) == "true"


def _node(text: str) -> str:
    if not re.fullmatch(rf"[a-z0-9]{{1,{_MAX_NODE_CHARACTERS}}}", text, re.ASCII):
        raise BadValue(
            f'"{text}" is not a name of 1 to {_MAX_NODE_CHARACTERS} small letters and digits', hint="write node1"
        )
    return text


def _this_node() -> str:
    return _HOST_NAME_REST.sub("", socket.gethostname().lower())[:_MAX_NODE_CHARACTERS] or "node"


def _cores() -> int:
    return len(os.sched_getaffinity(0))


_Folder = Annotated[Path, _read_by(_folder), Written(form="folder")]
_Address = Annotated[Address, NoDecode, _read_by(parse_address), Written(form="address")]
_Duration = Annotated[float, _read_by(parse_duration), Written(form="duration", show=format_duration)]
_Size = Annotated[int, _read_by(parse_size), Written(form="size", show=format_size)]
_Count = Annotated[int, _read_by(_count), Written(form="number")]
_Truth = Annotated[bool, _read_by(_truth), Written(form="true or false", show=lambda value: str(value).lower())]


class Settings(BaseSettings):
    """What an operator can set. Sizes are in bytes and durations in seconds, whatever unit they were written in."""

    model_config = SettingsConfigDict(
        env_prefix=VARIABLE_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, validate_default=False
    )

    data_dir: _Folder = Field(
        DEFAULT_DATA_DIR,
        description="The folder of the log, the lake and the keys; made if it is missing. "
        "A relative name counts from the folder that the command runs in.",
    )
    listen: _Address = Field(
        Address(host="127.0.0.1", port=8080),
        description="Where events come in: REST, gRPC and gRPC-Web on one port; port 0 is any free one. "
        "An address that others can reach opens the service to them, in clear text unless a proxy adds TLS.",
    )
    admin: _Address = Field(
        Address(host="127.0.0.1", port=9464),
        description="Where /metrics, /livez and /readyz answer; port 0 is any free one. "
        "It asks for no key: keep it where only operators can reach it.",
    )
    workers: _Count = Field(
        default_factory=_cores,
        ge=1,
        le=256,
        description="How many processes check and store requests. More use more cores; beyond the number of cores "
        "they only cost memory, about 60 MB each.",
    )
    seal_age: _Duration = Field(
        10.0,
        ge=0.1,
        le=3600.0,
        description="How old an open segment may get before it is sealed, and so can go to the lake. "
        "Longer makes fewer, larger segments; events wait longer until queries see them.",
    )
    seal_size: _Size = Field(
        64 * 2**20,
        ge=64 * 2**10,
        le=2**30,
        description="How large a segment may get before it is sealed. "
        "Larger makes fewer files; recovery after a crash and the lake writer's memory grow with it.",
    )
    lake_age: _Duration = Field(
        60.0,
        ge=0.1,
        le=3600.0,
        description="How long sealed segments may wait for others to share their Parquet file. "
        "Longer makes fewer, larger files, which queries read faster; events wait longer until queries see them.",
    )
    lake_size: _Size = Field(
        128 * 2**20,
        ge=64 * 2**10,
        le=4 * 2**30,
        description="How many bytes of segments make a Parquet file without waiting any longer. "
        "Larger makes fewer, larger files; the lake writer needs more memory.",
    )
    transcoding: Annotated[Literal["body", "typed"], _read_by(_one_of("body", "typed")), Written(form="word")] = Field(
        "body",
        description="Who takes JSON apart: body hands it to the workers as it came, lossless and cheap. "
        "typed, where Envoy enforces the schema itself, is not built yet.",
    )
    max_body: _Size = Field(
        10 * 2**20,
        ge=2**10,
        le=256 * 2**20,
        description="How large a request's body may be, decompressed; a larger one is refused with 413. "
        "Larger lets clients send larger batches; every request in flight may take a few times as much memory.",
    )
    drain_timeout: _Duration = Field(
        30.0,
        ge=1.0,
        le=3600.0,
        description="How long stopping may take, from the signal until all that was accepted is in the lake. "
        "Longer leaves less to the next start; a restart may take as long.",
    )
    in_flight: _Size = Field(
        64 * 2**20,
        ge=2**20,
        le=16 * 2**30,
        description="How many bytes of requests each worker handles at once; beyond that it answers 503. "
        "Larger takes higher peaks; the memory of each worker may grow to a few times as much.",
    )
    log_limit: _Size = Field(
        10 * 2**30,
        ge=2**20,
        le=2**50,
        description="How many bytes the log may hold while the lake can't take them; beyond that requests get 503. "
        "Larger outlasts a longer trouble of the lake; it needs that much disk.",
    )
    min_free: _Size = Field(
        256 * 2**20,
        ge=0,
        le=2**50,
        description="How many bytes of the disk must stay free; when they don't, requests get 503. "
        "Larger leaves more room to others on the disk; the log stops earlier.",
    )
    archive: _Truth = Field(
        default=False,
        description="Whether segments are kept below log/archive/ once they are in the lake. "
        "With them the lake can be made anew; nothing ever removes them, so the disk fills.",
    )
    node: Annotated[str, _read_by(_node), Written(form="name")] = Field(
        default_factory=_this_node,
        description="This machine's name in the names of segments and in records; taken from the host name. "
        "Two machines whose lakes are put together need two names.",
    )
    edge: Annotated[
        Literal["embedded", "external"], _read_by(_one_of("embedded", "external")), Written(form="word")
    ] = Field(
        "embedded",
        description="Whose Envoy it is: embedded starts it with the service; external expects one to run beside it, "
        "with the configuration in envoy/, as under compose.",
    )
    messages: Annotated[
        Literal["auto", "text", "json"], _read_by(_one_of("auto", "text", "json")), Written(form="word")
    ] = Field(
        "auto",
        description="How messages to the operator are written: text for people, json for machines, "
        "auto: text on a terminal, else json.",
    )
    access_log: _Truth = Field(
        default=False,
        description="Whether Envoy writes a line for each request, without its query, which may hold a key. "
        "It costs about 10 microseconds a request, and disk.",
    )
