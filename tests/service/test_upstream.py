"""An SDK that knows one address: its gates come from upstream, its events stay here."""

import json
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_an_sdk_needs_one_address_for_gates_and_events(tmp_path: Path) -> None:
    # In a namespace with loopback alone: the SDK tells its own faults to a fixed address outside.
    session = [sys.executable, "-m", "tests.support.loopback", sys.executable, "-m", "tests.support.upstream_session"]
    done = subprocess.run(
        [*session, str(tmp_path / "data")], check=False, cwd=_ROOT, capture_output=True, text=True, timeout=100
    )

    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["told"] == "True"
    assert ["statsig::gate_exposure", "u1", "a_gate", True, "rule_1"] in outcome["rows"]
    assert ["asked", "u1", None, None, None] in outcome["rows"]
    assert any("download_config_specs" in path for path in outcome["asked"])
    assert not any("log_event" in path for path in outcome["asked"])
    assert "secret-of-a-shop" not in outcome["messages"]
