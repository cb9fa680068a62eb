"""PyPI `statsig-python-core`, unchanged but for URL and key: custom events of each kind and exposures."""

import sys

from statsig_python_core import Statsig, StatsigOptions, StatsigUser

url, key = sys.argv[1:]
options = StatsigOptions()
options.specs_url = f"{url}/v2/download_config_specs"
options.log_event_url = f"{url}/v1/log_event"
options.environment = "staging"
statsig = Statsig(key, options)
statsig.initialize().wait()
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
statsig.log_event(user, "text_value", value="pro", metadata={"plan": "yearly"})
statsig.log_event(user, "number_value", value=12.5, metadata={"n": "2"})
statsig.log_event(user, "no_value")
statsig.check_gate(user, "a_gate")
statsig.get_experiment(user, "a_config")
statsig.flush_events().wait()
statsig.shutdown().wait()
