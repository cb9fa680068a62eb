"""The template with its values: what Envoy reads."""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from textwrap import indent
from typing import TYPE_CHECKING, Any

from sluice.edge import limits, native_errors, upstream
from sluice.edge.config import Transcoding, UnusableEdgeConfig, is_ip_address
from sluice.edge.paths import EVENT_PATHS, NOT_FOUND, TYPED_PATHS, regex_of
from sluice.worker_sockets import tools_socket

if TYPE_CHECKING:
    from sluice.edge.config import EdgeConfig

__all__ = ["installed_descriptor", "installed_documents", "render"]

_LUA_INDENT = " " * 18
_ROUTE_INDENT = " " * 14
_MAPPER_INDENT = " " * 12
_CLUSTER_INDENT = " " * 2

_KEY_IN_PATH = "[^?]*(/(secret|client|console)-|/download_config_specs/)[^?]*([?].*)?"

# The services of gRPC's own that any caller may reach, as they stand in a regular expression within quotes.
_HEALTH = r"health\\.v1\\.Health"
_REFLECTION = r"reflection\\.v1(alpha)?\\.ServerReflection"

# What browsers, proxies and Envoy add to a request and no worker reads: gRPC in Python pays for each header.
_NOT_FOR_WORKERS = (
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "cookie",
    "origin",
    "pragma",
    "priority",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-envoy-external-address",
    "x-envoy-original-method",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
)


def render(config: EdgeConfig) -> str:
    """Envoy's configuration, as YAML.

    Raises:
        UnusableEdgeConfig: the package has no descriptor set, and the config names none; or this system has no trusted
            certificates for an upstream, and the config names none.
    """
    template = Template(_own_file("envoy.yaml.tmpl"))
    typed = config.transcoding is Transcoding.TYPED
    errors = native_errors.template_values(config)
    of_upstream = upstream.template_values(config.upstream)
    return template.substitute(
        accepted_lua=_indented(_own_file("accepted.lua")),
        access_log=_access_log(wanted=config.access_log),
        admin_socket=json.dumps(config.admin_socket),
        answer_timeout_s=config.answer_timeout_s,
        buffer_bytes=limits.buffer_bytes(config.max_body_bytes, typed=typed),
        descriptor=json.dumps(config.descriptor_path or str(installed_descriptor())),
        documents=json.dumps(config.documents_folder or str(installed_documents()))[1:-1],
        event_path_lua=_indented(_own_file("event_path.lua")),
        event_paths=regex_of((*EVENT_PATHS, *config.extra_paths)),
        extra_routes=_extra_routes(config),
        grpc_body_bytes=limits.grpc_body_bytes(config.max_body_bytes),
        grpc_frame_lua=_indented(_own_file("grpc_frame.lua")),
        grpc_web_errors_lua=_indented(_own_file("grpc_web_errors.lua")),
        headers_timeout_s=min(10, config.request_timeout_s),
        headers_to_remove=", ".join(_NOT_FOR_WORKERS),
        idle_timeout_s=config.idle_timeout_s,
        known_paths=regex_of(EVENT_PATHS),
        listen_host=config.listen_host,
        listen_port=config.listen_port,
        max_body_bytes=config.max_body_bytes,
        max_connections=config.max_connections,
        max_headers_kib=limits.MAX_HEADERS_KIB,
        max_heap_bytes=config.max_heap_bytes,
        max_regex=limits.MAX_REGEX_INSTRUCTIONS,
        max_requests=config.max_requests,
        not_found_message=NOT_FOUND,
        open_grpc_tools="|".join((_HEALTH, _REFLECTION) if config.reflection else (_HEALTH,)),
        read_bytes=limits.READ_BYTES,
        request_timeout_s=config.request_timeout_s,
        stream_idle_timeout_s=max(config.request_timeout_s, config.answer_timeout_s) + 5,
        # Each thread has a connection of its own to each worker.
        streams=max(1, config.worker_requests // config.concurrency),
        supervisor_host=config.supervisor_host,
        supervisor_port=config.supervisor_port,
        supervisor_type="STATIC" if is_ip_address(config.supervisor_host) else "STRICT_DNS",
        # The end of a range is not in it.
        typed_body_bytes=limits.typed_body_bytes(config.max_body_bytes) + 1 if typed else 0,
        typed_lua=_indented(_own_file("typed.lua")),
        typed_paths=regex_of(TYPED_PATHS),
        upstream_cluster=_indented(of_upstream["upstream_cluster"], _CLUSTER_INDENT),
        upstream_mappers=_indented(Template(of_upstream["upstream_mappers"]).substitute(errors), _MAPPER_INDENT),
        upstream_routes=_indented(of_upstream["upstream_routes"], _ROUTE_INDENT),
        tools_endpoints=", ".join(_endpoint(tools_socket(path)) for path in config.worker_sockets),
        worker_endpoints=", ".join(_endpoint(path) for path in config.worker_sockets),
        **errors,
    )


def installed_descriptor() -> Path:
    """Envoy's descriptor set in the installed package, found without importing the generated code."""
    spec = find_spec("sluice.events.v1.events_pb2")
    if spec is None or spec.origin is None:
        raise UnusableEdgeConfig("the generated code is not installed", hint="make gen")
    return Path(spec.origin).with_name("transcoder.binpb")


def installed_documents() -> Path:
    """The API's description in the installed package, as it is served: OpenAPI in YAML and JSON, and as a page."""
    return Path(__file__).with_name("documents")


def _own_file(name: str) -> str:
    return files("sluice.edge").joinpath(name).read_text(encoding="utf-8")


def _indented(part: str, by: str = _LUA_INDENT) -> str:
    return indent(part.rstrip("\n"), by)


def _extra_routes(config: EdgeConfig) -> str:
    if not config.extra_paths:
        return ""
    routes = Template(_own_file("extra_paths.yaml.tmpl")).substitute(paths=regex_of(config.extra_paths))
    return _indented(routes, _ROUTE_INDENT)


def _endpoint(path: str) -> str:
    return f"{{endpoint: {{address: {{pipe: {{path: {json.dumps(path)}}}}}}}}}"


def _access_log(*, wanted: bool) -> str:
    if not wanted:
        return "[]"
    fields = {
        "time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        # Not %REQ(:PATH)%: its query may hold the API key.
        "path": "%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "received_bytes": "%BYTES_RECEIVED%",
        "sent_bytes": "%BYTES_SENT%",
        "duration_ms": "%DURATION%",
        "worker": "%UPSTREAM_HOST%",
        "request_id": "%RESP(X-REQUEST-ID)%",
    }
    # Some SDKs ask by an address that has their key in its path: /v2/download_config_specs/secret-….json
    holds_key = {"name": ":path", "string_match": {"safe_regex": {"regex": _KEY_IN_PATH}}}
    return json.dumps(
        [
            _access_logger(fields, {"header_filter": {"header": holds_key | {"invert_match": True}}}),
            _access_logger(fields | {"path": "left out, as it holds a key"}, {"header_filter": {"header": holds_key}}),
        ]
    )


def _access_logger(fields: dict[str, str], log_filter: dict[str, Any]) -> dict[str, Any]:
    formatter = {
        "name": "envoy.formatter.req_without_query",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery"
        },
    }
    return {
        # Not a file named /dev/stderr: that can't be opened where it is a socket, as under systemd.
        "name": "envoy.access_loggers.stderr",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
            "log_format": {"json_format": fields, "formatters": [formatter]},
        },
        "filter": log_filter,
    }
