"""What the service takes beyond the contract: for example what, who sends it, and what its row says.

docs/errors.md prints this table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LENIENCIES", "Leniency"]

_EVENT = {"user": '{"userID":"u1"}', "eventName": '"e"', "time": "1767225600000"}


@dataclass(frozen=True, kw_only=True)
class Leniency:
    """One leniency.

    Attributes:
        name: what is taken.
        example: the part of a request that shows it.
        sender: who sends it.
        row: columns of its row; empty: there is no row.
        body: the request that is sent.
        by_schema: whether the contract's schema of the body refuses it; else it says nothing of it, or another part of
            the contract does.
        path: of the address.
        headers: beside the key and the clock; None takes one away.
    """

    name: str
    example: str
    sender: str
    row: dict[str, Any]
    body: str
    by_schema: bool = True
    path: str = "/v1/log_event"
    headers: dict[str, str | None] = field(default_factory=dict)


def _of_event(name: str, example: str, sender: str, row: dict[str, Any], **more: Any) -> Leniency:
    """An event with these members; `""` stands for one that is left out."""
    members = {**_EVENT, **more.pop("fields")}
    event = "{" + ",".join(f'"{key}":{text}' for key, text in members.items() if text) + "}"
    return Leniency(name=name, example=example, sender=sender, row=row, body=f'{{"events":[{event}]}}', **more)


def _of_user(name: str, user: str, sender: str, row: dict[str, Any], **more: Any) -> Leniency:
    return _of_event(name, f'"user":{user}', sender, row, fields={"user": user}, **more)


_ONE = json.dumps({"events": [{"user": {"userID": "u1"}, "eventName": "e", "time": 1767225600000}]})

LENIENCIES = [
    _of_user("a number as userID", '{"userID":12345}', "the legacy Node SDK", {"user_id": "12345"}),
    _of_user("a null in the user", '{"userID":null,"email":null,"custom":null}', "all SDKs", {"user_id": None}),
    _of_user("customIDs that are null", '{"customIDs":null}', "Go", {"user_custom_ids": None}),
    _of_user(
        "a null among customIDs", '{"customIDs":{"a":null,"b":"x"}}', "applications", {"user_custom_ids": {"b": "x"}}
    ),
    _of_user("a user that is null: an empty one", "null", "Node SDKs", {"user_id": None}),
    _of_user("an e-mail address of any form", '{"email":"none"}', "applications", {"user_email": "none"}),
    _of_event(
        "no user, of an event whose name begins with `statsig::`",
        '"eventName":"statsig::diagnostics"',
        "Java and Go",
        {"event_kind": "diagnostics", "user_id": None},
        fields={"user": "", "eventName": '"statsig::diagnostics"'},
    ),
    _of_event(
        "null as value and metadata",
        '"value":null,"metadata":null',
        "the cores",
        {"value_number": None, "value_string": None, "metadata": None},
        fields={"value": "null", "metadata": "null"},
    ),
    _of_event(
        "a time in ISO-8601, in UTC unless it names an offset",
        '"time":"2026-01-01T00:00:00Z"',
        "Statsig's documents allow it",
        {"time_ms": 1767225600000},
        fields={"time": '"2026-01-01T00:00:00Z"'},
    ),
    _of_event(
        "an integer in text as time, but of eight digits, which are a date",
        '"time":"1767225600000"',
        "Statsig's documents allow it",
        {"time_ms": 1767225600000},
        fields={"time": '"1767225600000"'},
    ),
    _of_event(
        "an integral float as time",
        '"time":1767225600000.0',
        "the Node core",
        {"time_ms": 1767225600000},
        fields={"time": "1767225600000.0"},
        by_schema=False,
    ),
    _of_event(
        "a number that no double holds",
        '"value":9007199254740993',
        "applications",
        {"value_string": "9007199254740993"},
        fields={"value": "9007199254740993"},
        by_schema=False,
    ),
    _of_event(
        "fields beyond the contract",
        '"colour":"red"',
        "all SDKs",
        {"extra": '{"event":{"colour":"red"}}'},
        fields={"colour": '"red"'},
        by_schema=False,
    ),
    _of_event(
        "a key twice: the last counts",
        '"eventName":"e","eventName":"f"',
        "nobody that is known",
        {"event_name": "f"},
        fields={"eventName": '"e","eventName":"f"'},
        by_schema=False,
    ),
    Leniency(
        name="statsigMetadata that are null",
        example='"statsigMetadata":null',
        sender="nobody that is known",
        row={"sdk_type": None, "sdk_metadata": None},
        body=_ONE[:-1] + ',"statsigMetadata":null}',
    ),
    Leniency(
        name="a null within statsigMetadata",
        example='"statsigMetadata":{"sdkType":null}',
        sender="all SDKs",
        row={"sdk_type": None},
        body=_ONE[:-1] + ',"statsigMetadata":{"sdkType":null}}',
    ),
    Leniency(
        name="statsigMetadata of any type, at the webhook",
        example='"statsigMetadata":7',
        sender="third parties",
        row={"extra": '{"request":{"statsigMetadata":7}}'},
        body=_ONE[:-1] + ',"statsigMetadata":7}',
        by_schema=False,
        path="/v1/webhooks/event_webhook",
    ),
    Leniency(
        name="a user of the whole request: that of each event without one",
        example='{"user":{"userID":"u2"},"events":[…]}',
        sender="Statsig's documents allow it",
        row={"user_id": "u2"},
        body='{"user":{"userID":"u2"},"events":[{"eventName":"e","time":1767225600000}]}',
    ),
    Leniency(
        name="one event in place of the array, at the webhook",
        example='{"user":{"userID":"u1"},"event":"paid","value":9.5,"timestamp":1767225600000}',
        sender="webhooks, as Statsig documents them",
        row={"event_name": "paid", "value_number": 9.5, "time_ms": 1767225600000, "extra": None},
        body='{"user":{"userID":"u1"},"event":"paid","value":9.5,"timestamp":1767225600000}',
        path="/v1/webhooks/event_webhook",
    ),
    Leniency(
        name="one event that does not say when, at the webhook",
        example='{"user":{"userID":"u1"},"event":"paid"}',
        sender="webhooks, as Statsig documents them",
        row={"event_name": "paid", "time_ms": None},
        body='{"user":{"userID":"u1"},"event":"paid"}',
        path="/v1/webhooks/event_webhook",
    ),
    Leniency(
        name="the clock in the body, where header and query don't tell it",
        example='{"clientTime":"1767225600000","events":[…]}',
        sender="the legacy JS beacon",
        row={"client_time_ms": 1767225600000, "extra": None},
        body=_ONE[:-1] + ',"clientTime":"1767225600000"}',
        by_schema=False,
        headers={"statsig-client-time": None},
    ),
    Leniency(
        name="a client key and the clock in the query",
        example="?k=client-…&t=1767225600000",
        sender="browsers, beacons",
        row={"user_id": "u1", "client_time_ms": 1767225600000},
        body=_ONE,
        by_schema=False,
        path="/v1/log_event?k={client}&t=1767225600000",
        headers={"statsig-api-key": None, "statsig-client-time": None},
    ),
    Leniency(
        name="text/plain, or no content type",
        example="content-type: text/plain",
        sender="beacons",
        row={"user_id": "u1"},
        body=_ONE,
        by_schema=False,
        headers={"Content-Type": "text/plain;charset=UTF-8"},
    ),
]
