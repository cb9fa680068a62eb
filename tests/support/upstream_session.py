"""A service with an upstream that has gates, and an SDK that knows the service's address alone.

    python -m tests.support.upstream_session DATA_FOLDER

Prints as JSON what the SDK was told of a gate, what upstream was asked, and the rows.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.service import Service
from tests.support.upstream import upstream_server

_RULE = {
    "name": "everyone",
    "id": "rule_1",
    "salt": "",
    "passPercentage": 100,
    "returnValue": True,
    "idType": "userID",
    "conditions": [{"type": "public", "targetValue": None, "operator": None, "field": None, "idType": "userID"}],
}
_GATE = {
    "name": "a_gate",
    "type": "feature_gate",
    "entity": "feature_gate",
    "salt": "",
    "enabled": True,
    "defaultValue": False,
    "idType": "userID",
    "rules": [_RULE],
}
_SPECS = {
    "has_updates": True,
    "time": 1,
    "feature_gates": [_GATE],
    "dynamic_configs": [],
    "layer_configs": [],
    "layers": {},
}
_PROGRAM = """
import sys
from statsig import StatsigEvent, StatsigOptions, StatsigUser, statsig

url, key = sys.argv[1:]
statsig.initialize(key, StatsigOptions(api=f"{url}/v1", api_for_download_config_specs=f"{url}/v1"))
user = StatsigUser("u1")
passes = statsig.check_gate(user, "a_gate")
statsig.log_event(StatsigEvent(user, "asked"))
statsig.shutdown()
print(passes)
"""


def main() -> None:
    """Run the session."""
    folder = Path(sys.argv[1])
    with upstream_server() as upstream:
        upstream.answer = json.dumps(_SPECS).encode()
        with Service(folder, "--upstream", f"http://127.0.0.1:{upstream.port}") as service:
            service.import_keys("secret-of-a-shop")
            told = subprocess.run(
                [sys.executable, "-c", _PROGRAM, service.rest, "secret-of-a-shop"],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                timeout=60,
            ).stdout
            service.flush()
            found = service.rows(
                "select event_name, user_id, exposure_name, exposure_value, rule_id from events "
                f"where key_id = '{service.key_id('secret-of-a-shop')}' and event_kind <> 'diagnostics'"
            )
            outcome = {
                "told": told.strip(),
                "asked": sorted({asked.path.partition("?")[0] for asked in upstream.asked}),
                "rows": sorted(map(list, found)),
                "messages": service.messages(),
            }
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()
