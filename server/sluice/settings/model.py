"""Every setting of the service: its type, default, bounds, and what a larger value buys and costs.

The sentences below the fields are what `sluice up --help` and docs/settings.md print. Where a value may come from:
load.py; what each stage gets of them: stages.py.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sluice.edge.config import Upstream  # noqa: TC001  pydantic reads the annotations
from sluice.settings.places import DEFAULT_DATA_DIR, VARIABLE_PREFIX
from sluice.settings.types import (
    AutoOnOff,
    Count,
    Duration,
    EventPaths,
    FileOrNone,
    Folder,
    FolderOrNone,
    Form,
    ListenAddress,
    NodeName,
    OnOff,
    Size,
    UpstreamOrNone,
)
from sluice.settings.units import Address, BadValue, format_size

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import PydanticBaseSettingsSource

__all__ = ["DataFolder", "Settings", "default_in_words", "default_text", "form_of", "sentence_of"]

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

_KIB, _MIB, _GIB, _TIB = 2**10, 2**20, 2**30, 2**40


def _this_node() -> str:
    return re.sub(r"[^a-z0-9_]", "_", socket.gethostname().lower(), flags=re.ASCII)[:64] or "_"


def _cores() -> int:
    return len(os.sched_getaffinity(0))


class DataFolder(BaseSettings):
    """The one setting that every command needs; what is wrong with others is no matter of most."""

    model_config = SettingsConfigDict(
        use_attribute_docstrings=True,
        env_prefix=VARIABLE_PREFIX,
        enable_decoding=False,
        extra="ignore",
        frozen=True,
        validate_default=False,
    )

    data_dir: Folder = DEFAULT_DATA_DIR
    """The folder of the log, the lake and the keys; made if it is missing. A relative name counts from the folder that
    the command runs in."""

    def __init__(self, *sources: PydanticBaseSettingsSource) -> None:
        # Given rather than made in settings_customise_sources: whoever made them asks them where a wrong value stood.
        super().__init__(_build_sources=(sources, {}))

    @field_validator("*", mode="before")
    @classmethod
    def _read_as_text(cls, said: Any) -> str:
        # sluice.toml may hold numbers and truth values; each is read as the text that it is.
        if not isinstance(said, str | int | float | Path):
            raise BadValue("a list, a table or a date where one value belongs")
        return str(said).strip()


class Settings(DataFolder):
    """What an operator can set. Sizes are in bytes and durations in seconds, whatever unit they were written in."""

    listen: ListenAddress = Address(host="127.0.0.1", port=8080)
    """Where events come in: REST, gRPC and gRPC-Web on one port; port 0 is any free one. An address that others can
    reach opens the service to them, in clear text unless a proxy adds TLS."""

    admin: ListenAddress = Address(host="127.0.0.1", port=9464)
    """Where /metrics, /livez and /readyz answer; port 0 is any free one. It asks for no key: keep it where only
    operators can reach it."""

    workers: Count = Field(default_factory=_cores, ge=1, le=256, json_schema_extra={"default": "one per core"})
    """How many processes check and store requests. More use more cores; beyond the number of cores they only cost
    memory."""

    seal_age: Duration = Field(10.0, ge=0.1, le=3600.0)
    """How old an open segment may get before it is sealed, and so can go to the lake. Longer makes fewer, larger
    segments; events wait longer until queries see them."""

    seal_size: Size = Field(64 * _MIB, ge=64 * _KIB, le=_GIB)
    """How large a segment may get before it is sealed. Larger makes fewer files; recovery after a crash grows with it,
    and the memory that a damaged one takes."""

    lake_age: Duration = Field(60.0, ge=0.1, le=3600.0)
    """How long sealed segments may wait for others to share their Parquet file. Longer makes fewer, larger files, which
    queries read faster; events wait longer until queries see them."""

    lake_size: Size = Field(128 * _MIB, ge=64 * _KIB, le=4 * _GIB)
    """How many bytes of segments make a Parquet file without waiting any longer. Larger makes fewer, larger files; the
    lake writer needs more memory."""

    transcoding: Literal["body", "typed"] = "body"
    """Who takes JSON apart: body hands it to the workers as it came, lossless and cheap; typed lets Envoy make typed
    messages of it, which enforces the schema, loses what the schema doesn't have, and costs more CPU and memory."""

    extra_paths: EventPaths = Field((), json_schema_extra={"default": "none"})
    """Further paths that take events as /v1/log_event does, for browsers whose ad blockers list the known ones: one or
    several, with commas between them. The configuration in envoy/, for an external Envoy, is rendered with its own."""

    upstream: UpstreamOrNone = Field(None, json_schema_extra={"default": "none: they are answered 404"})
    """Where SDKs' requests go that are none of events, such as those for gates and configurations (/v1/ and /v2/), so
    that an SDK needs one address for all: https or http, host, port. They go there unchanged, with their keys and
    users, and are never logged or stored. For an external Envoy, as above."""

    upstream_ca: FileOrNone = Field(None, json_schema_extra={"default": "the system's own"})
    """A file of the certificates (PEM) that an upstream's own must be signed by, where it isn't signed by one that this
    system trusts."""

    max_body: Size = Field(10 * _MIB, ge=_KIB, le=256 * _MIB)
    """How large a request's body may be, decompressed; a larger one is refused with 413. Larger lets clients send
    larger batches; every request in flight may take a few times as much memory."""

    drain_timeout: Duration = Field(30.0, ge=1.0, le=3600.0)
    """How long stopping may take, from the signal until all that was accepted is in the lake. Longer leaves less to the
    next start; a restart may take as long."""

    in_flight: Size = Field(
        default_factory=lambda values: max(64 * _MIB, 4 * values["max_body"]),
        ge=_MIB,
        le=16 * _GIB,
        json_schema_extra={"default": "64MiB, or four times max-body if that is more"},
    )
    """How many bytes of requests each worker handles at once; beyond that it answers 503. Larger takes higher peaks;
    the memory of each worker may grow to a few times as much."""

    log_limit: Size = Field(10 * _GIB, ge=_MIB, le=2**50)
    """How many bytes of the log may wait for the lake; beyond that requests get 503, until a twentieth of it is free
    again. Larger outlasts a longer trouble of the lake; it needs that much disk."""

    min_free: Size = Field(
        default_factory=lambda values: max(256 * _MIB, 2 * max(values["lake_size"], values["seal_size"])),
        ge=0,
        le=2**50,
        json_schema_extra={"default": "256MiB, or twice lake-size or seal-size if that is more"},
    )
    """How many bytes of the disk must stay free; when they don't, requests get 503 until they do. The lake writer uses
    them to make room: with fewer than a file of the lake takes, a full disk stays full. Larger leaves more room to
    others on the disk; on a small one the log stops earlier."""

    rejects_per_hour: Size = Field(256 * _MIB, ge=0, le=_TIB)
    """How many bytes of refused requests of known keys are kept for each hour; each worker keeps its share. Larger
    keeps more of a flood of them, for sluice rejects; it needs that much disk, and the lake grows by it. With 0 none is
    kept, and keys with on-invalid quarantine get 503 for requests with bad events."""

    archive: OnOff = False
    """Whether segments are kept below log/archive/ once they are in the lake. With them the lake can be made anew;
    nothing ever removes them, so the disk fills."""

    node: NodeName = Field(default_factory=_this_node, json_schema_extra={"default": "the host name"})
    """This machine's name in the names of segments and in records. Two machines whose lakes are put together need two
    names."""

    edge: Literal["embedded", "external"] = "embedded"
    """Whose Envoy it is: embedded starts it with the service; external expects one to run beside it, with the
    configuration in envoy/, as under compose."""

    sockets: FolderOrNone = Field(None, json_schema_extra={"default": "a private folder in the temporary folder"})
    """The folder of the workers' sockets; if it is missing it is made, for this user and its group. An external Envoy
    must be one of that group. Its name must be short, since a path of a socket has at most 107 bytes."""

    messages: Literal["auto", "text", "json"] = "auto"
    """How messages to the operator are written: text for people, json for machines, auto: text on a terminal, else
    json."""

    reflection: AutoOnOff = "auto"
    """Whether gRPC reflection answers: auto where listen is a loopback address, and nowhere else. On, tools such as
    grpcurl need no .proto files; anyone who reaches the port learns the calls and messages, without a key. The
    configuration in envoy/, for an external Envoy, has it off."""

    access_log: OnOff = False
    """Whether Envoy writes a line for each request, without its query, which may hold a key. It costs CPU for each
    request, and disk."""

    @field_validator("in_flight")
    @classmethod
    def _take_one_body(cls, in_flight: int, info: ValidationInfo) -> int:
        if in_flight < (max_body := info.data.get("max_body", 0)):
            raise BadValue(
                f"{format_size(in_flight)} is less than one body of max-body, {format_size(max_body)}",
                hint="make it a few times as large, or leave it out",
            )
        return in_flight

    @field_validator("upstream")
    @classmethod
    def _lead_elsewhere(cls, upstream: Upstream | None, info: ValidationInfo) -> Upstream | None:
        listen = info.data.get("listen")
        if upstream and listen and upstream.port == listen.port and upstream.host in {listen.host, *_THIS_MACHINE}:
            raise BadValue(f'"{upstream.authority}" is this service itself', hint="name another server")
        return upstream


def form_of(field: FieldInfo) -> Form:
    """How values of a field are written."""
    forms = [known for known in field.metadata if isinstance(known, Form)]
    return forms[0] if forms else Form(" or ".join(get_args(field.annotation)))


def sentence_of(field: FieldInfo) -> str:
    """What a field is for, in one line."""
    return " ".join(str(field.description).split())


def default_in_words(field: FieldInfo) -> str:
    """What the documents say of a default that is not the same everywhere; else empty."""
    extra = field.json_schema_extra
    return str(extra["default"]) if isinstance(extra, dict) else ""


def default_text(field: FieldInfo) -> str:
    """A field's default as people write it, or in words."""
    return default_in_words(field) or form_of(field).show(field.default)
