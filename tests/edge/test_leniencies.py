"""Each leniency: the contract refuses it or is silent, the service takes it, and its row says what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from sluice.log.record import encode
from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.edge import post
from tests.support.error_stack import Stack, error_stack
from tests.support.lake_rows import rows
from tests.support.leniencies import LENIENCIES, Leniency

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTRACT = yaml.safe_load((Path(__file__).parents[1] / "contract/openapi.yaml").read_text())
_RECEIVED_AT_US = 1_767_225_600_000_000


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with error_stack() as running:
        yield running


def _refused_by_schema(leniency: Leniency) -> bool:
    path = leniency.path.partition("?")[0].removeprefix("/v1")
    schema = _CONTRACT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator(
        schema | {"components": _CONTRACT["components"]}, format_checker=FormatChecker(["email"])
    )
    return not validator.is_valid(json.loads(leniency.body))


@pytest.mark.parametrize("leniency", LENIENCIES, ids=lambda leniency: leniency.name)
def test_what_is_taken_beyond_the_contract_is_kept_as_the_table_says(stack: Stack, leniency: Leniency) -> None:
    stack.server.log.entries.clear()
    headers = {"statsig-api-key": stack.keys["server"], "statsig-client-time": "1767225600000", **leniency.headers}
    answer = post(
        stack.edge.address,
        leniency.body.encode(),
        path=leniency.path.format(**stack.keys),
        headers={name: value for name, value in headers.items() if value is not None},
    )

    assert _refused_by_schema(leniency) == leniency.by_schema
    assert (answer.status, answer.json) == (202, {"success": True})
    [entry] = stack.server.log.entries
    [row] = rows([LogRecord.FromString(b"".join(encode(entry, received_at_us=_RECEIVED_AT_US, node="n1")))])
    assert {column: row[column] for column in leniency.row} == leniency.row
