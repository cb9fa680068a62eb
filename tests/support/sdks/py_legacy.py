"""PyPI `statsig`, unchanged but for URL and key: logs a custom event of each kind and an exposure of each kind."""

import sys

from statsig import StatsigEnvironmentTier, StatsigEvent, StatsigOptions, StatsigUser, statsig

url, key = sys.argv[1:]
statsig.initialize(key, StatsigOptions(api=f"{url}/v1", tier=StatsigEnvironmentTier.staging))
user = StatsigUser(
    "u1",
    email="a@b.c",
    ip="1.2.3.4",
    country="US",
    locale="en_US",
    app_version="1.2",
    user_agent="UA/1",
    custom={"plan": "pro", "n": 3},
    private_attributes={"password": "hunter2"},
    custom_ids={"companyID": "c9", "stableID": "s7"},
)
statsig.log_event(StatsigEvent(user, "text_value", value="pro", metadata={"plan": "yearly"}))
statsig.log_event(StatsigEvent(user, "number_value", value=12.5, metadata={"nested": {"a": [1, 2]}}))
statsig.log_event(StatsigEvent(user, "no_value"))
statsig.manually_log_gate_exposure(user, "a_gate")
statsig.manually_log_config_exposure(user, "a_config")
statsig.manually_log_layer_parameter_exposure(user, "a_layer", "a_parameter")
statsig.flush()
statsig.shutdown()
