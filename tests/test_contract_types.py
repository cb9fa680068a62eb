"""The field lists that the doors and the lake share agree with the typed shape, the schemas and the contract."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from sluice import contract
from sluice.events.v1 import events_pb2 as pb

_SCHEMAS = yaml.safe_load((Path(__file__).parent / "contract/openapi.yaml").read_text())["components"]["schemas"]


def _names(struct: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(struct)}


@pytest.mark.parametrize(
    ("schema", "struct", "listed"),
    [
        (_SCHEMAS["Event"], contract.Event, contract.EVENT_FIELDS),
        (_SCHEMAS["Event"], contract.LenientEvent, contract.EVENT_FIELDS),
        (_SCHEMAS["Event"]["properties"]["user"], contract.User, contract.USER_FIELDS),
        (_SCHEMAS["StatsigMetadata"], contract.StatsigMetadata, contract.STATSIG_METADATA_FIELDS),
    ],
)
def test_the_typed_shape_checks_just_the_fields_of_the_contract(
    schema: dict[str, Any], struct: type[msgspec.Struct], listed: tuple[str, ...]
) -> None:
    assert _names(struct) == set(schema["properties"])
    assert _names(struct) <= set(listed)


@pytest.mark.parametrize(
    ("message", "listed"),
    [
        (pb.LogEventRequest, contract.REQUEST_FIELDS),
        (pb.Event, contract.EVENT_FIELDS),
        (pb.User, contract.USER_FIELDS),
        (pb.StatsigMetadata, contract.STATSIG_METADATA_FIELDS),
    ],
)
def test_the_protobuf_schema_has_the_listed_fields_by_their_json_names(message: Any, listed: tuple[str, ...]) -> None:
    assert {field.json_name for field in message.DESCRIPTOR.fields} == set(listed)


def test_the_forms_beyond_the_contract_check_fields_that_are_listed() -> None:
    assert _names(contract.WebhookEventBody) - {"events"} <= set(contract.WEBHOOK_EVENT_FIELDS)
    assert _names(contract.Exposure) <= set(contract.EXPOSURE_FIELDS)
    assert _names(contract.LogEventBody) <= set(contract.REQUEST_FIELDS)


@pytest.mark.parametrize(
    ("sent", "milliseconds"),
    [
        (0, 0),
        (-5, -5),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (1.795e12, 1_795_000_000_000),
        ("2026-01-01T00:00:00Z", 1_767_225_600_000),
        ("2026-01-01", 1_767_225_600_000),
        ("20260101", 1_767_225_600_000),
        ("1767225600000", 1_767_225_600_000),
        ("1710101000000", 1_710_101_000_000),
        ("-5", -5),
        ("2026-01-01T00:00:00.123999", 1_767_225_600_123),
        ("2026-01-01T05:30:00+05:30", 1_767_225_600_000),
        ("1969-12-31T23:59:59.9995Z", -1),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200_000),
    ],
)
def test_a_time_is_milliseconds_in_any_accepted_form(sent: object, milliseconds: int) -> None:
    assert contract.milliseconds_of(sent) == milliseconds


@pytest.mark.parametrize(
    "sent", [None, True, 1.5, 2**63, float(2**63), float("inf"), float("nan"), "soon", "", "9" * 19, "9" * 20, [], {}]
)
def test_anything_else_is_no_time(sent: object) -> None:
    assert contract.milliseconds_of(sent) is None
