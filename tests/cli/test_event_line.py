"""One line tells what an event is, and a terminal doesn't obey what is in it."""

import json
from typing import Any

import pytest

from sluice.cli.event_line import event_line
from sluice.lake.masking import masked
from tests.support.lake_log import record
from tests.support.lake_rows import rows


def _line(event: dict[str, Any], **more: Any) -> str:
    body = json.dumps({"events": [{"eventName": "bought", "time": 1} | event], **more}, ensure_ascii=False)
    [row] = rows([record(body.encode())])
    return event_line(masked(row))


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        pytest.param({}, "", id="nothing but its name"),
        pytest.param({"user": {"userID": "u1"}, "value": 9.5}, "user=u1 value=9.5", id="a number"),
        pytest.param({"user": {"userID": "u1"}, "value": "pro"}, "user=u1 value=pro", id="a text"),
        pytest.param({"value": 9007199254740993}, "value=9007199254740993", id="a number that a double can't hold"),
        pytest.param({"value": "two words"}, 'value="two words"', id="words are quoted"),
        pytest.param({"user": {"userID": ""}}, 'user=""', id="an empty text is no absent one"),
        pytest.param({"user": {"customIDs": {"stableID": "s1"}}}, "stable=s1", id="a device where there is no user"),
        pytest.param(
            {"user": {"userID": "u1", "email": "jane@example.com", "ip": "203.0.113.7", "custom": {"a": 1}}},
            "user=u1 email=j***@… ip=*** custom=***",
            id="what is masked is said to be there",
        ),
        pytest.param({"metadata": {"item": "book"}}, 'metadata={"item": "book"}', id="metadata"),
    ],
)
def test_a_line_says_what_the_event_has(event: dict[str, Any], shown: str) -> None:
    assert _line(event) == f"2026-01-31T07:30:00.000Z {'bought':<24} {shown}".rstrip()


def test_columns_of_short_names_stand_below_each_other() -> None:
    assert _line({"value": 1}).index("value=") == _line({"eventName": "x" * 24, "value": 1}).index("value=")


def test_control_characters_are_shown_as_escapes() -> None:
    line = _line({"eventName": "a\x1b[2Jb\nc", "value": "\x9b31m\u202e", "metadata": {"x": "\x7f"}})

    assert "a\\x1b[2Jb\\nc" in line
    assert "\\x9b31m\\u202e" in line
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 or sign == "\u202e" for sign in line)
