"""Envoy in front of the workers: its configuration, and the embedded process."""

from sluice.edge.admin import AdminUnreachable
from sluice.edge.binary import EnvoyMissing, find_envoy
from sluice.edge.config import EdgeConfig, Transcoding, UnusableEdgeConfig, Upstream
from sluice.edge.limits import max_receive_message_bytes
from sluice.edge.process import AddressTaken, EnvoyFailed, EnvoyProcess
from sluice.edge.render import render

__all__ = [
    "AddressTaken",
    "AdminUnreachable",
    "EdgeConfig",
    "EnvoyFailed",
    "EnvoyMissing",
    "EnvoyProcess",
    "Transcoding",
    "UnusableEdgeConfig",
    "Upstream",
    "find_envoy",
    "max_receive_message_bytes",
    "render",
]
