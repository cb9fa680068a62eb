"""Real SDKs from PyPI, unchanged but for URL and key."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.sdk_events import CUSTOM, METADATA_OF_TEXT_VALUE, PRIVATE, USER, VALUES

_ROOT = Path(__file__).parents[2]


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", f"tests.support.{module}"]


@pytest.fixture(scope="module")
def rows_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("sdks")
    done = subprocess.run(
        [*_python("loopback"), *_python("sdk_session"), str(folder / "data"), "py_legacy", "py_core"],
        check=False,
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    return lambda sdk: {row["event_name"]: row for row in outcome[sdk]}


@pytest.mark.parametrize(("sdk", "sdk_type"), [("py_legacy", "py-server"), ("py_core", "statsig-server-core-python")])
def test_custom_events_arrive_with_each_field_in_its_column(
    rows_of: Callable[[str], dict[str, dict[str, Any]]], sdk: str, sdk_type: str
) -> None:
    rows = rows_of(sdk)

    for name, values in VALUES.items():
        row = rows[name]
        assert {column: row[column] for column in USER} == USER
        assert json.loads(row["user_custom"]) == CUSTOM
        assert row["sdk_type"] == sdk_type
        assert row["client_time_ms"] is not None
        assert row["time_ms"] is not None
        assert (row["value_string"], row["value_number"]) == values
    assert json.loads(rows["text_value"]["metadata"]) == METADATA_OF_TEXT_VALUE


def test_the_legacy_sdk_logs_exposures_of_each_kind(rows_of: Callable[[str], dict[str, dict[str, Any]]]) -> None:
    rows = rows_of("py_legacy")

    assert rows["statsig::gate_exposure"]["event_kind"] == "gate_exposure"
    assert rows["statsig::gate_exposure"]["exposure_name"] == "a_gate"
    assert rows["statsig::gate_exposure"]["exposure_value"] is False
    assert rows["statsig::config_exposure"]["exposure_name"] == "a_config"
    assert rows["statsig::layer_exposure"]["exposure_name"] == "a_layer"
    assert rows["statsig::layer_exposure"]["parameter_name"] == "a_parameter"
    assert json.loads(rows["number_value"]["metadata"]) == {"nested": {"a": [1, 2]}}
    assert rows["statsig::diagnostics"]["event_kind"] == "diagnostics"


def test_the_core_sdk_logs_exposures(rows_of: Callable[[str], dict[str, dict[str, Any]]]) -> None:
    rows = rows_of("py_core")

    assert rows["statsig::gate_exposure"]["exposure_name"] == "a_gate"
    assert rows["statsig::gate_exposure"]["exposure_value"] is False
    assert rows["statsig::config_exposure"]["exposure_name"] == "a_config"


@pytest.mark.parametrize("sdk", ["py_legacy", "py_core"])
def test_private_attributes_are_nowhere(rows_of: Callable[[str], dict[str, dict[str, Any]]], sdk: str) -> None:
    assert PRIVATE not in json.dumps(rows_of(sdk))
