"""What the drivers of the SDKs log in a round, and the columns of its rows.

A driver (support/sdks, clients/node/sdks, clients/go, clients/java) logs an event of each kind that its SDK can make,
all of one user: custom events without a value, with a number, with a text, with nested metadata; and an exposure of a
gate, a config and a layer of which the SDK knows nothing. Each has the round in its name.
"""

import json
from dataclasses import dataclass
from typing import Any

PRIVATE = "hunter2"

# Columns that hold the same for each event that a driver logs.
_OF_ALL = {
    "event_id": None,
    "idempotency_key": None,
    "source": "sdk",
    "user_id": "u1",
    "user_email": "a@b.c",
    "user_custom": {"plan": "pro", "n": 3},
    "user_custom_ids": {"companyID": "c9", "stableID": "s7"},
    "stable_id": "s7",
    "user_ip": "1.2.3.4",
    "user_agent": "UA/1",
    "user_country": "US",
    "user_locale": "en_US",
    "user_app_version": "1.2",
    "environment": "staging",
    "allocated_experiment": None,
    "parameter_name": None,
    "exposure_name": None,
    "exposure_value": None,
    "exposure_reason": None,
    "rule_id": None,
    "value_number": None,
    "value_string": None,
}
_JSON = ("user_custom", "metadata", "secondary_exposures", "sdk_metadata", "extra")

# What identifies an event of a round: its kind, and its name or that of what was exposed.
Identity = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What an SDK says, where they differ.

    Attributes:
        reason: of an exposure, when it knows nothing of what is exposed.
        nested: metadata may be nested; its driver logs one such event more.
        texts: every value is sent as text, and "" where there is none.
        rule_passed: of a config's exposure; None: it doesn't say.
        layer: reason and rule of a layer's exposure, where values are forced on the layer to have one.
        no_metadata: what it sends where there is none.
        diagnostics: it tells of its own start.
    """

    reason: str
    nested: bool = True
    texts: bool = False
    rule_passed: bool | None = False
    layer: tuple[str, str] | None = None
    no_metadata: dict[str, Any] | None = None
    diagnostics: bool = True


ABILITIES = {
    "py_legacy": Abilities(reason="Uninitialized:Unrecognized"),
    "py_core": Abilities(reason="NoValues"),
    "node_legacy": Abilities(reason="Uninitialized"),
    "node_core": Abilities(reason="NoValues"),
    "go_legacy": Abilities(reason="Uninitialized:Unrecognized", nested=False, texts=True),
    "java_legacy": Abilities(reason="UNINITIALIZED", nested=False),
    "java_core": Abilities(reason="NoValues", nested=False, rule_passed=None, no_metadata={}),
    "js_client": Abilities(reason="NoValues", rule_passed=None),
    "statsig_js": Abilities(
        reason="Unrecognized", rule_passed=None, layer=("LocalOverride", "override"), diagnostics=False
    ),
}


def told(round_name: str, can: Abilities) -> dict[Identity, dict[str, Any]]:
    """The columns of each event of a round; what is not named is the SDK's own to choose."""
    custom: dict[str, dict[str, Any]] = {
        "no_value": {"metadata": can.no_metadata, "value_string": "" if can.texts else None},
        "number_value": {
            "metadata": {"n": "2"},
            "value_number": 12.5,
            "value_string": "12.5" if can.texts else None,
        },
        "text_value": {"metadata": {"plan": "yearly"}, "value_string": "pro"},
    }
    if can.nested:
        custom["nested"] = {"metadata": {"cart": {"items": [1, 2.5, "x"]}}}
    exposed: dict[str, dict[str, Any]] = {
        "gate": {"exposure_value": False},
        "config": {"exposure_value": can.rule_passed},
        "layer": {"parameter_name": "a_parameter", "allocated_experiment": ""},
    }
    if can.layer is not None:
        exposed["layer"]["exposure_reason"], exposed["layer"]["rule_id"] = can.layer
    events = {}
    for kind, columns in custom.items():
        name = f"{round_name}_{kind}"
        events["custom", name] = _OF_ALL | {"event_kind": "custom", "event_name": name} | columns
    for kind, columns in exposed.items():
        name, event_kind = f"{round_name}_{kind}", f"{kind}_exposure"
        shared = {"event_kind": event_kind, "event_name": f"statsig::{event_kind}", "exposure_name": name}
        shared |= {"exposure_reason": can.reason, "rule_id": "", "value_string": "" if can.texts else None}
        events[event_kind, name] = _OF_ALL | shared | columns
    return events


def identity(row: dict[str, Any]) -> Identity:
    """Which event of a round a row is."""
    return row["event_kind"], row["exposure_name"] or row["event_name"]


def parsed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its JSON columns as values."""
    return row | {name: None if row[name] is None else json.loads(row[name]) for name in _JSON}
