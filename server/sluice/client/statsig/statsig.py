"""The calls of PyPI `statsig`'s module of this name, on one shared instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.client.statsig.server import NOT_SERVED, InitializeDetails, StatsigServer

if TYPE_CHECKING:
    from sluice.client.statsig.options import StatsigOptions
    from sluice.client.statsig.types import StatsigEvent

__all__ = ["flush", "get_instance", "initialize", "is_initialized", "log_event", "shutdown"]

_instance = StatsigServer()


def initialize(secret_key: str, options: StatsigOptions | None = None) -> InitializeDetails:
    """Say where events go; see `StatsigServer.initialize`."""
    return _instance.initialize(secret_key, options)


def is_initialized() -> bool:
    """Whether events are taken."""
    return _instance.is_initialized()


def log_event(event: StatsigEvent) -> None:
    """Take an event; see `StatsigServer.log_event`."""
    _instance.log_event(event)


def flush() -> None:
    """Return when what was logged is delivered, or can't be for now."""
    _instance.flush()


def shutdown() -> None:
    """Deliver what waits, and end."""
    _instance.shutdown()


def get_instance() -> StatsigServer:
    """The shared instance."""
    return _instance


def __getattr__(name: str) -> Any:
    if name in NOT_SERVED:
        return getattr(_instance, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
