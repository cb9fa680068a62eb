"""PyPI `statsig`, unchanged but for URL and key.

Lines of standard input are commands, and each is printed once it has been followed: `log ROUND` logs an event of each
kind, with the round in their names; `flush` sends. At the end of input the SDK is shut down.
"""

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
print("ready", flush=True)
for line in sys.stdin:
    command, *names = line.split()
    if command == "log":
        [name] = names
        statsig.log_event(StatsigEvent(user, f"{name}_no_value"))
        statsig.log_event(StatsigEvent(user, f"{name}_number_value", value=12.5, metadata={"n": "2"}))
        statsig.log_event(StatsigEvent(user, f"{name}_text_value", value="pro", metadata={"plan": "yearly"}))
        statsig.log_event(StatsigEvent(user, f"{name}_nested", metadata={"cart": {"items": [1, 2.5, "x"]}}))
        statsig.manually_log_gate_exposure(user, f"{name}_gate")
        statsig.manually_log_config_exposure(user, f"{name}_config")
        statsig.manually_log_layer_parameter_exposure(user, f"{name}_layer", "a_parameter")
    else:
        statsig.flush()
    print(line, end="", flush=True)
statsig.shutdown()
