"""What PyPI `statsig` calls its server: here a client of Sluice.

As there, a call that is wrong raises, and what the world does (a server that is down, a full queue) does not: it is
told to `sdk_error_callback` and to the log `sluice.client`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from sluice.client.errors import ClientError, InvalidEvent
from sluice.client.statsig.options import StatsigOptions
from sluice.client.statsig.types import StatsigRuntimeError, StatsigValueError, event_of
from sluice.client.sync import Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.client.statsig.types import StatsigEvent

__all__ = ["NOT_SERVED", "InitializeDetails", "NotServed", "StatsigServer"]

_messages = logging.getLogger("sluice.client")

_SECONDS_BETWEEN_MESSAGES = 10.0

# What needs a configuration, which Sluice has not.
NOT_SERVED = frozenset(
    {
        "check_gate",
        "check_gate_with_exposure_logging_disabled",
        "evaluate_all",
        "get_client_initialize_response",
        "get_config",
        "get_config_with_exposure_logging_disabled",
        "get_experiment",
        "get_experiment_groups",
        "get_experiment_with_exposure_logging_disabled",
        "get_feature_gate",
        "get_layer",
        "get_layer_with_exposure_logging_disabled",
        "log_exposure_for_config",
        "manually_log_config_exposure",
        "manually_log_experiment_exposure",
        "manually_log_gate_exposure",
        "manually_log_layer_parameter_exposure",
        "override_config",
        "override_experiment",
        "override_gate",
        "override_layer",
        "pause_polling_dcs",
        "remove_all_overrides",
        "remove_config_override",
        "remove_experiment_override",
        "remove_gate_override",
        "remove_layer_override",
        "start_polling_dcs",
    }
)


class NotServed(ClientError, NotImplementedError):
    """A call that needs gates, configs or experiments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitializeDetails:
    """What `initialize` came to, in the fields that PyPI `statsig` has for events."""

    duration: int = 0
    source: str = "Sluice"
    init_success: bool = True
    store_populated: bool = False
    error: Exception | None = None
    timed_out: bool = False


class StatsigServer:
    """Logs events from any thread, once it is initialized."""

    def __init__(self) -> None:
        self._options: StatsigOptions | None = None
        self._client: Client | None = None
        self._lost = 0
        self._told_at_s = float("-inf")

    def initialize(self, sdkKey: str, options: StatsigOptions | None = None) -> InitializeDetails:  # noqa: N803  as its callers write it
        """Say where events go. Calls nobody; a second time it does nothing.

        Raises:
            StatsigValueError: the options don't say where Sluice is.
            InvalidSettings: the key or the address can't be.
            SpoolError: the spool's folder can't be used.
        """
        if self._options is not None:
            _messages.info("statsig is already initialized")
            return InitializeDetails()
        options = options or StatsigOptions()
        if options.sends:
            if options.api is None:
                raise StatsigValueError('say where Sluice is: StatsigOptions(api="http://127.0.0.1:8080/v1")')
            self._client = Client(options.api, sdkKey, options.settings)
        self._options = options
        return InitializeDetails()

    def is_initialized(self) -> bool:
        """Whether events are taken."""
        return self._options is not None

    def log_event(self, event: StatsigEvent) -> None:
        """Take an event; it is sent in the background.

        Raises:
            StatsigRuntimeError: `initialize` was not called.
            InvalidEvent: it breaks the contract; the error says where and how.
        """
        if self._options is None:
            raise StatsigRuntimeError("Must call initialize before logging events")
        if self._client is None:
            return
        try:
            self._client.log(event_of(event, self._options.tier))
        except InvalidEvent:
            raise
        except ClientError as exc:
            self._lost += 1
            self._tell("log_event", exc)

    def flush(self) -> None:
        """Return when what was logged is delivered, or can't be for now."""
        self._do("flush", Client.flush)

    def shutdown(self) -> None:
        """Deliver what waits, and end. `initialize` may be called anew."""
        try:
            self._do("shutdown", Client.close)
        finally:
            self._options = self._client = None

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name not in NOT_SERVED:
            raise AttributeError(f"{type(self).__name__} has no {name}")

        def not_served(*_: object, **__: object) -> NoReturn:
            raise NotServed(
                f"{name}: Sluice takes events, and serves no gates, configs or experiments",
                hint="keep PyPI statsig for these; StatsigOptions(api_for_log_event=…) sends its events here",
            )

        return not_served

    def _do(self, name: str, call: Callable[[Client], None]) -> None:
        if self._client is None:
            return
        try:
            call(self._client)
        except ClientError as exc:
            self._tell(name, exc)

    def _tell(self, name: str, error: ClientError) -> None:
        now_s = time.monotonic()
        if name != "log_event" or now_s - self._told_at_s >= _SECONDS_BETWEEN_MESSAGES:
            lost, self._lost, self._told_at_s = self._lost, 0, now_s
            _messages.error("statsig.%s: %s; events that were not taken since the last message: %d", name, error, lost)
        callback = self._options.sdk_error_callback if self._options is not None else None
        if callback is not None:
            try:
                callback(name, error)
            except Exception:  # noqa: BLE001  the caller's fault must not reach those who log
                _messages.exception("sdk_error_callback has failed")
