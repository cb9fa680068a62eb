"""What identifies people, and keys that open something, is not readable in a masked row; all else is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.lake.masking import masked
from sluice.lake.schema import EVENT_COLUMNS
from tests.support.lake_log import record
from tests.support.lake_rows import rows

_KEY = "secret-x11a-sIkBqbIJxphCZuhZM_BpA2EHsXVHCn"
_EVENT: dict[str, Any] = {
    "eventName": "bought",
    "time": 1767225600000,
    "value": "top-secret-plan-of-a-whole-year",
    "user": {
        "userID": "u1",
        "email": "jane.roe@example.com",
        "ip": "203.0.113.7",
        "custom": {"plan": "yearly"},
        "customIDs": {"companyID": "c9"},
        "phone": "+1 555 0100",
    },
    "metadata": {"item": "book", "url": f"https://example.com/specs/{_KEY}.json"},
    "session": "s1",
}


def _row(event: dict[str, Any]) -> dict[str, Any]:
    [row] = rows([record(json.dumps({"events": [event], "beyond": 1}).encode())])
    return row


def test_people_are_masked_and_the_rest_stays_as_it_was_sent() -> None:
    row = _row(_EVENT)

    shown = masked(row)

    changed = {name: shown[name] for name in row if shown[name] != row[name]}
    assert changed == {
        "user_email": "j***@…",
        "user_ip": "***",
        "user_custom": "***",
        "metadata": '{"item": "book", "url": "https://example.com/specs/secret-***.json"}',
        "extra": '{"request":{"beyond":1},"event":{"session":"s1"},"user":"***"}',
    }


@pytest.mark.parametrize("kept", ["jane.roe", "example.com", "203.0.113.7", "yearly", "555 0100", _KEY])
def test_nothing_of_a_masked_value_is_anywhere_in_the_row(kept: str) -> None:
    event = _EVENT | {"metadata": {"key": _KEY}}

    assert kept in json.dumps(_row(event), default=str)
    assert kept not in json.dumps(masked(_row(event)), default=str)


@pytest.mark.parametrize(
    "sent",
    [
        rf"line one\n{_KEY}",
        rf"a\tb\t{_KEY}",
        rf"\u00e9{_KEY}",
        _KEY.replace("secret", r"secr\u0065t"),
        _KEY.replace("-x11a", r"\u002Dx11a"),
        _KEY.replace("x11a", r"x\u00311a"),
        rf"\\{_KEY}",
        rf"\\\n{_KEY}",
        r"\\" + _KEY.replace("s", r"\u0073", 1),
    ],
)
def test_a_server_secret_is_hidden_also_where_json_escapes_what_stands_before_or_in_it(sent: str) -> None:
    body = f'{{"events":[{{"eventName":"e","time":1,"user":{{}},"metadata":{{"log":"{sent}"}}}}]}}'
    assert json.loads(body)["events"][0]["metadata"]["log"].endswith(_KEY)
    [row] = rows([record(body.encode())])

    shown = masked(row)["metadata"]

    assert json.loads(shown)["log"] == json.loads(body)["events"][0]["metadata"]["log"].replace(_KEY, "secret-***")


@pytest.mark.parametrize(
    "kept",
    [
        "secret-santa",
        "top-secret-plan-of-a-whole-year",
        r"so\u0063ial-secretary-of-state",
        r"\\u0073ecret-aaaaaaaaaaaaaaaaaa",
        r"\u003cb\u003esecret-recipes-of\u003c/b\u003e",
    ],
)
def test_what_only_begins_like_a_server_secret_is_shown(kept: str) -> None:
    [row] = rows(
        [record(f'{{"events":[{{"eventName":"e","time":1,"user":{{}},"metadata":{{"x":"{kept}"}}}}]}}'.encode())]
    )

    assert masked(row)["metadata"] == f'{{"x":"{kept}"}}'


@given(
    st.lists(
        st.sampled_from(["\\", "secret-", "aaaaaaaaaaaaaaaaaa", "\n", "u0073", "ecret-", '"', "é", "-"]), max_size=12
    )
)
def test_masked_json_is_json(parts: list[str]) -> None:
    for ensure_ascii in (True, False):
        text = json.dumps({"x": "".join(parts)}, ensure_ascii=ensure_ascii)
        for sent in (text, text.replace("s", r"\u0073")):
            json.loads(masked({"metadata": sent})["metadata"])


@pytest.mark.parametrize(
    ("email", "shown"), [("a@b", "a***@…"), ("nobody", "***"), ("", "***"), ("@b", "***@…"), ("a@b@c", "a***@…")]
)
def test_an_address_of_any_form_is_masked(email: str, shown: str) -> None:
    assert masked({"user_email": email}) == {"user_email": shown}


def test_what_was_not_sent_stays_null() -> None:
    row = _row({"eventName": "e", "time": 1})

    assert masked(row) == row


def test_every_text_of_a_key_is_masked_in_whatever_column_it_stands() -> None:
    row = {column.name: f"x {_KEY} y" for column in EVENT_COLUMNS if column.name != "extra"}
    row["extra"] = json.dumps({"event": {"key": _KEY}})
    row["user_custom_ids"] = {"id": _KEY}  # type: ignore[assignment]  # the one column that is a map

    assert _KEY not in json.dumps(masked(row))
