"""The options of PyPI `statsig`: those that concern events are kept to, the others are taken and do nothing.

Source: statsig 0.72, statsig_options.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.client.settings import Settings
from sluice.client.statsig.types import StatsigEnvironmentTier, StatsigValueError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StatsigOptions"]

# Of configurations, id lists, evaluation, diagnostics and Statsig's own transport: nothing of it is here.
_OF_NO_MEANING = frozenset(
    {
        "api_for_download_config_specs",
        "api_for_get_id_lists",
        "init_timeout",
        "rulesets_sync_interval",
        "idlists_sync_interval",
        "bootstrap_values",
        "rules_updated_callback",
        "data_store",
        "idlists_thread_limit",
        "logging_interval",
        "disable_diagnostics",
        "custom_logger",
        "enable_debug_logs",
        "evaluation_callback",
        "retry_queue_size",
        "proxy_configs",
        "fallback_to_statsig_api",
        "out_of_sync_threshold_in_s",
        "initialize_sources",
        "config_sync_sources",
        "output_logger_level",
        "overall_init_timeout",
        "observability_client",
        "events_flushed_callback",
        "global_custom_fields",
        "disable_ua_parser",
        "disable_country_lookup",
        "service_name",
        "log_event_connection_reuse",
    }
)


class StatsigOptions:
    """How events are logged.

    Args:
        api: where Sluice is, as in `http://127.0.0.1:8080/v1`.
        api_for_log_event: the same; it goes before `api`.
        tier: the environment that the events come from.
        timeout: how long one try waits for the answer, in seconds.
        event_queue_size: events of a request, at most; Sluice's client sends earlier, after `linger_s`.
        local_mode: send nothing.
        disable_all_logging: send nothing.
        sdk_error_callback: called with the name of a call and what it could not do.
        client_settings: of Sluice's client, for what has no option here, such as `spool`. `timeout` and
            `event_queue_size` go before.
        of_no_meaning: PyPI `statsig`'s other options.

    Raises:
        StatsigValueError: an option that can't be.
        TypeError: PyPI `statsig` has no such option either.
    """

    def __init__(
        self,
        api: str | None = None,
        *,
        api_for_log_event: str | None = None,
        tier: str | StatsigEnvironmentTier | None = None,
        timeout: float | None = None,
        event_queue_size: int | None = None,
        local_mode: bool = False,
        disable_all_logging: bool = False,
        sdk_error_callback: Callable[[str, Exception], None] | None = None,
        client_settings: Settings | None = None,
        **of_no_meaning: object,
    ) -> None:
        unknown = of_no_meaning.keys() - _OF_NO_MEANING
        if unknown:
            raise TypeError(f"StatsigOptions has no option {', '.join(sorted(unknown))}")
        if tier is not None and not isinstance(tier, str):
            raise StatsigValueError("StatsigOptions.tier must be a str or StatsigEnvironmentTier")
        self.api = api_for_log_event or api
        self.tier = tier.value if isinstance(tier, StatsigEnvironmentTier) else tier
        self.sends = not (local_mode or disable_all_logging)
        self.sdk_error_callback = sdk_error_callback
        # Logging must never hold up a caller that did not expect it.
        settings = client_settings or Settings(wait_for_room_s=0)
        if timeout is not None:
            settings = replace(settings, call_timeout_s=timeout)
        if event_queue_size is not None:
            settings = replace(settings, batch_events=event_queue_size)
        self.settings = settings
