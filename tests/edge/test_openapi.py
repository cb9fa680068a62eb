"""The document that is served says what the contract says, and what the service does."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from sluice.edge.paths import EVENT_PATHS
from sluice.edge.render import installed_documents
from sluice.ingest.validate import CUSTOM_EXPOSURES, LOG_EVENT, WEBHOOK, JsonShape, Unclear, Valid
from tests.support.error_cases import CASES
from tests.support.generated import CONTRACT, EXPOSURES, PATHS, many_bodies, valid_bodies

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVED: dict[str, Any] = yaml.safe_load((installed_documents() / "openapi.yaml").read_text())
_SHAPES = {"/log_event": LOG_EVENT, "/webhooks/event_webhook": WEBHOOK, EXPOSURES: CUSTOM_EXPOSURES}
_settings = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))

_formats = FormatChecker([])


@_formats.checks("date-time")
def _is_time(value: object) -> bool:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def _resolved(document: dict[str, Any], described: Any) -> Any:
    while isinstance(described, dict) and "$ref" in described:
        found: Any = document
        for name in described["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        described = found
    return described


def _operation(document: dict[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path]["post"]
    return found


def _validator(path: str) -> Draft202012Validator:
    body = _resolved(_SERVED, _operation(_SERVED, f"/v1{path}")["requestBody"])
    schema = body["content"]["application/json"]["schema"] | {"components": _SERVED["components"]}
    return Draft202012Validator(schema, format_checker=_formats)


_VALIDATORS = {path: _validator(path) for path in _SHAPES}


@pytest.mark.parametrize("path", PATHS)
def test_every_operation_of_the_contract_is_there_with_its_parameters_and_answers(path: str) -> None:
    contract, served = _operation(CONTRACT, path), _operation(_SERVED, f"/v1{path}")
    parameters = [_resolved(_SERVED, parameter) for parameter in served["parameters"]]

    assert served["operationId"] == contract["operationId"]
    assert served["tags"] == contract["tags"]
    for wanted in contract.get("parameters", []):
        [found] = [one for one in parameters if (one["name"], one["in"]) == (wanted["name"], wanted["in"])]
        schema = _resolved(_SERVED, found["schema"])
        assert found["required"] == wanted["required"]
        assert {name: schema[name] for name in wanted["schema"]} == wanted["schema"]
    assert set(contract["responses"]) <= set(served["responses"])
    assert set(contract["requestBody"]["content"]) == set(_resolved(_SERVED, served["requestBody"])["content"])
    [scheme] = CONTRACT["components"]["securitySchemes"].items()
    here = _SERVED["components"]["securitySchemes"][scheme[0]]
    assert {name: here[name] for name in ("type", "in", "name")} == {
        name: scheme[1][name] for name in ("type", "in", "name")
    }


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_of_the_contract_has_its_members(path: str) -> None:
    for status, wanted in _operation(CONTRACT, path)["responses"].items():
        found = _resolved(_SERVED, _operation(_SERVED, f"/v1{path}")["responses"][status])
        contract = _resolved(CONTRACT, _resolved(CONTRACT, wanted)["content"]["application/json"]["schema"])
        served = _resolved(_SERVED, found["content"]["application/json"]["schema"])

        assert served["type"] == contract["type"]
        for name, schema in contract["properties"].items():
            assert served["properties"][name]["type"] == schema["type"], (status, name)


def test_every_field_of_the_contract_is_described() -> None:
    for place, wanted in _objects_of(CONTRACT["components"]["schemas"]["Event"], "Event"):
        schema = _SERVED["components"]["schemas"]
        here = {"Event": schema["Event"], "Event.user": schema["User"]}.get(place)
        if here is not None:
            assert set(wanted) <= set(here["properties"]), place
    about = CONTRACT["components"]["schemas"]["StatsigMetadata"]["properties"]
    assert set(about) == set(_SERVED["components"]["schemas"]["StatsigMetadata"]["properties"])


def _objects_of(schema: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    properties = schema.get("properties", {})
    if properties:
        yield place, properties
    for name, one in properties.items():
        yield from _objects_of(one, f"{place}.{name}")


@_settings
@given(path=st.sampled_from(PATHS), data=st.data())
def test_what_the_contract_takes_the_document_takes(path: str, data: st.DataObject) -> None:
    body = data.draw(valid_bodies(path), label="body")

    assert _VALIDATORS[path].is_valid(json.loads(body, parse_int=_integer))


@_settings
@given(path=st.sampled_from(list(_SHAPES)), data=st.data())
@example(path="/log_event", data=None)
def test_what_the_document_takes_the_service_takes_and_nothing_else(path: str, data: Any) -> None:
    bodies = data.draw(many_bodies(path, 10), label="bodies") if data else [b'{"events":[{"eventName":"e","time":1}]}']
    for body in bodies:
        try:
            # Where a key stands twice, a schema says nothing.
            document = json.loads(body.decode(), object_pairs_hook=_once, parse_int=_integer, parse_constant=_refused)
            json.dumps(document, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            continue
        if body.count(b"[") + body.count(b"{") < 500:
            assert _VALIDATORS[path].is_valid(document) == _is_taken(_SHAPES[path], body), body


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(members)) < len(members):
        raise ValueError("a key twice")
    return dict(members)


def _integer(text: str) -> int:
    return int(text) if len(text) < 100 else 10**100


def _refused(name: str) -> Any:
    raise ValueError(name)


def _is_taken(shape: JsonShape, body: bytes) -> bool:
    found = shape.check(body)
    return isinstance(shape.look_closer(body) if isinstance(found, Unclear) else found, Valid)


def test_every_status_that_a_request_can_meet_is_described() -> None:
    met = {str(case.status) for case in CASES if isinstance(case.status, int)} - {"404"}

    for path in EVENT_PATHS:
        assert set(_operation(_SERVED, path)["responses"]) == met | {"202"}
    assert "404" in _SERVED["info"]["description"]
