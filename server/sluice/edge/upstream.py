"""Where requests go that are none of events, if the operator named an address: Envoy's cluster and route for it.

An SDK with one address for all then gets its gates and configurations from there. It stands apart from the workers,
with limits of its own, so that an address that is slow or gone takes nothing from events; nothing is tried twice.
Bodies are streamed: of each request no more is held than one read.
"""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.edge import limits
from sluice.edge.config import UnusableEdgeConfig, is_ip_address
from sluice.edge.paths import LIKE_EVENTS, NOT_FOUND, OF_SDKS

if TYPE_CHECKING:
    from sluice.edge.config import Upstream

__all__ = ["system_ca_bundle", "template_values"]

# SDKs give up sooner, or ask again. A large configuration on a slow line takes longer than a sign of life; a drain of
# the whole service waits for the whole of it.
_SILENCE_TIMEOUT_S = 10
_ANSWER_TIMEOUT_S = 25
_CONNECT_TIMEOUT_S = 3
_MAX_CONNECTIONS = 64
_MAX_REQUESTS = 256

_MESSAGE = "the upstream address could not be reached, or gave no answer; try again later"

# Where Linux distributions keep what Python's own default doesn't lead to.
_CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")


def template_values(upstream: Upstream | None) -> dict[str, str]:
    """The parts of the template that are there only with an upstream."""
    if upstream is None:
        return {"upstream_mappers": "", "upstream_routes": "", "upstream_cluster": ""}
    return {
        "upstream_mappers": _MAPPERS,
        "upstream_routes": "".join(f"- {json.dumps(route)}\n" for route in _routes(upstream)),
        "upstream_cluster": f"- {json.dumps(_cluster(upstream))}\n",
    }


def system_ca_bundle() -> str:
    """The file of certificates that this system trusts.

    Raises:
        UnusableEdgeConfig: there is none.
    """
    candidates = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_CA_BUNDLES)
    for path in candidates:
        if path and Path(path).is_file():
            return path
    raise UnusableEdgeConfig(
        "this system has no file of trusted certificates", hint="apt-get install ca-certificates, or set upstream-ca"
    )


# Before those that speak of workers. Aliases are the template's.
_IS_PATH = f'{{name: ":path", string_match: {{safe_regex: {{regex: "{OF_SDKS}([?].*)?"}}}}}}'
_IS_NO_EVENT = f'{{name: ":path", invert_match: true, string_match: {{safe_regex: {{regex: "{LIKE_EVENTS}"}}}}}}'
_MAPPERS = f"""\
- filter:
    and_filter:
      filters:
      - or_filter: {{filters: [*is_broken_off, *is_504]}}
      - header_filter: {{header: {_IS_PATH}}}
      - header_filter: {{header: {_IS_NO_EVENT}}}
  status_code: 503
  body: {{inline_string: "{_MESSAGE}"}}
  body_format_override: *json
  headers_to_add: [*request_id, *cors_origin, *cors_expose, $retry_after]
"""


def _routes(upstream: Upstream) -> list[dict[str, Any]]:
    on = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
    return [
        {
            "name": "misspelt_event_path",
            "match": {"safe_regex": {"regex": LIKE_EVENTS}},
            "direct_response": {"status": 404, "body": {"inline_string": NOT_FOUND}},
        },
        {
            "name": "upstream",
            "match": {"safe_regex": {"regex": OF_SDKS}},
            "route": {
                "cluster": "upstream",
                "timeout": f"{_ANSWER_TIMEOUT_S}s",
                "idle_timeout": f"{_SILENCE_TIMEOUT_S}s",
                "host_rewrite_literal": upstream.authority,
            },
            "request_headers_to_add": [
                {
                    "header": {"key": "x-forwarded-for", "value": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"},
                    "append_action": "APPEND_IF_EXISTS_OR_ADD",
                }
            ],
            "typed_per_filter_config": {"body_limit": on, "for_upstream": on},
        },
    ]


def _cluster(upstream: Upstream) -> dict[str, Any]:
    address = {"address": upstream.host, "port_value": upstream.port}
    cluster: dict[str, Any] = {
        "name": "upstream",
        "type": "STATIC" if is_ip_address(upstream.host) else "LOGICAL_DNS",
        "connect_timeout": f"{_CONNECT_TIMEOUT_S}s",
        "per_connection_buffer_limit_bytes": limits.READ_BYTES,
        # Events must not wait at the start for a name that can't be resolved.
        "wait_for_warm_on_init": False,
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": _MAX_CONNECTIONS,
                    "max_pending_requests": _MAX_REQUESTS,
                    "max_requests": _MAX_REQUESTS,
                    "max_retries": 0,
                }
            ]
        },
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": address}}}]}],
        },
    }
    if not is_ip_address(upstream.host):
        cluster["dns_lookup_family"] = "V4_PREFERRED"
    if upstream.tls:
        cluster["transport_socket"] = _tls(upstream)
    return cluster


def _tls(upstream: Upstream) -> dict[str, Any]:
    is_ip = is_ip_address(upstream.host)
    context: dict[str, Any] = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
            "validation_context": {
                "trusted_ca": {"filename": upstream.ca_path or system_ca_bundle()},
                # Without it any certificate that the CA has signed would do.
                "match_typed_subject_alt_names": [
                    {"san_type": "IP_ADDRESS" if is_ip else "DNS", "matcher": {"exact": upstream.host}}
                ],
            },
        },
    }
    if not is_ip:
        context["sni"] = upstream.host
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}
