import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from sluice.client import InvalidSettings, Settings
from sluice.client.settings import MiB

_DOCUMENT = Path(__file__).parents[2] / "docs/client.md"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch_events": 0}, "batch_events: expected integer of at least 1, got 0"),
        ({"batch_events": True}, "batch_events: expected integer"),
        ({"batch_events": "500"}, "batch_events: expected integer of at least 1, got '500'"),
        ({"linger_s": -1}, "linger_s: expected seconds, got -1"),
        ({"linger_s": "1s"}, "linger_s: expected seconds, got '1s'"),
        ({"call_timeout_s": float("nan")}, "call_timeout_s: expected seconds"),
        ({"call_timeout_s": 0}, "call_timeout_s: expected more than 0 seconds"),
        ({"batch_bytes": 1000}, "batch_bytes: 1000 is less than 2048"),
        ({"queue_bytes": MiB, "batch_bytes": 2 * MiB}, "queue_bytes: 1048576 is less than batch_bytes (2097152)"),
        ({"spool": "s", "spool_bytes": 1}, "spool_bytes: 1 is less than batch_bytes (1048576)"),
        ({"first_backoff_s": 40}, "first_backoff_s: 40 is more than longest_backoff_s (30)"),
        ({"session_id": "x" * 257}, "session_id: expected text of at most 256 characters"),
    ],
)
def test_a_setting_that_cannot_be_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSettings) as told:
        Settings(**given)

    assert str(told.value).startswith(said)


@pytest.mark.parametrize("name", ["linger_s", "wait_for_room_s", "close_timeout_s", "spool_sync_s"])
def test_a_wait_may_be_nothing(name: str) -> None:
    assert getattr(Settings(**{name: 0}), name) == 0


def test_the_document_has_each_setting_with_its_default() -> None:
    section = _DOCUMENT.read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", section, re.MULTILINE))

    assert {name: cell.strip() for name, cell in rows.items()} == {
        field.name: _shown(field.name, field.default) for field in fields(Settings)
    }


def _shown(name: str, default: object) -> str:
    if name.endswith("_bytes"):
        assert isinstance(default, int)
        return f"{default // MiB} MiB"
    return {None: "none", False: "no", "": "none"}.get(default) or f"{default:,g}"
