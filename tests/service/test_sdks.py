"""Real SDKs from PyPI, unchanged but for URL and key."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.sdk_events import ABILITIES, PRIVATE, identity, parsed, told

_ROOT = Path(__file__).parents[2]
_SDK_TYPES = {"py_legacy": "py-server", "py_core": "statsig-server-core-python"}

RowsOf = Callable[[str], list[dict[str, Any]]]


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", f"tests.support.{module}"]


@pytest.fixture(scope="module")
def rows_of(tmp_path_factory: pytest.TempPathFactory) -> RowsOf:
    folder = tmp_path_factory.mktemp("sdks")
    done = subprocess.run(
        [*_python("loopback"), *_python("sdk_session"), str(folder / "data"), *_SDK_TYPES],
        check=False,
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    return lambda sdk: [parsed(row) for row in outcome[sdk]]


@pytest.mark.parametrize("sdk", _SDK_TYPES)
def test_each_event_arrives_once_with_each_field_in_its_column(rows_of: RowsOf, sdk: str) -> None:
    events = told("first", ABILITIES[sdk])

    rows = [row for row in rows_of(sdk) if identity(row) in events]

    assert sorted(map(identity, rows)) == sorted(events)
    for row in rows:
        wanted = events[identity(row)]
        assert {column: row[column] for column in wanted} == wanted
        assert row["sdk_type"] == _SDK_TYPES[sdk]
        assert row["client_time_ms"] is not None
        assert row["time_ms"] is not None


@pytest.mark.parametrize("sdk", _SDK_TYPES)
def test_what_an_sdk_says_of_its_own_start_arrives(rows_of: RowsOf, sdk: str) -> None:
    assert "statsig::diagnostics" in {row["event_name"] for row in rows_of(sdk) if row["event_kind"] == "diagnostics"}


@pytest.mark.parametrize("sdk", _SDK_TYPES)
def test_private_attributes_are_nowhere(rows_of: RowsOf, sdk: str) -> None:
    assert PRIVATE not in json.dumps(rows_of(sdk))
