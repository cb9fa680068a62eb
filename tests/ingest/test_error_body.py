"""The body of an error over HTTP: every violation that fits, what is left out counted, and gRPC told the same."""

import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2, status_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.ingest.answers import answer_to
from sluice.ingest.error_body import _body_class
from sluice.ingest.outcome import Error, KeyRefused, TooLarge, Unavailable, Why
from sluice.ingest.violations import MISSING, Invalid, Violation, invalid_request
from sluice.keys.key import Refusal

# What Envoy takes of headers and trailers, and how much longer bytes are as base64.
_ENVOY_TAKES_BYTES = 60 * 1024
_AS_BASE64 = 4 / 3

_texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=400)
_violations = st.lists(st.builds(Violation, path=_texts, expected=_texts, found=_texts), min_size=1, max_size=300)
_invalid = _violations.map(lambda found: Invalid(violations=tuple(found), invalid_events=100, events=10**6))


def _body(error: Error) -> dict[str, Any]:
    """As Envoy prints it, but for its own JSON."""
    [(_, details)] = answer_to(error, transcoded=True).trailers
    found: dict[str, Any] = MessageToDict(_body_class().FromString(details))
    return found


def _many(count: int, length: int) -> Invalid:
    violation = Violation(path="p" * length, expected="e" * length, found="f" * length)
    return Invalid(violations=(violation,) * count, invalid_events=count, events=count)


def test_each_violation_has_its_path_what_was_expected_and_what_was_found() -> None:
    error = Invalid(
        violations=(
            Violation(path="events[3].time", expected="integer", found="string"),
            Violation(path="events[17].user", expected="object", found=MISSING),
        ),
        invalid_events=2,
        events=500,
    )

    assert _body(error) == {
        "message": error.message(max_bytes=10_000),
        "status": 400,
        "errors": [
            {"path": "events[3].time", "expected": "integer", "found": "string"},
            {"path": "events[17].user", "expected": "object", "found": "nothing"},
        ],
        "invalidEvents": 2,
        "events": 500,
    }


def test_where_the_request_as_a_whole_is_wrong_nothing_is_counted() -> None:
    assert set(_body(invalid_request("body", "JSON", "an empty body"))) == {"message", "status", "errors"}


def test_other_errors_are_as_the_contract_has_them() -> None:
    assert set(_body(KeyRefused(refusal=Refusal.MISSING, prefix=""))) == {"message"}
    for error in (TooLarge(1024), Unavailable(Why.OVERLOADED)):
        assert set(_body(error)) == {"message", "status"}


@given(_invalid)
@example(_many(100, 20))
@example(_many(1000, 100))
@example(_many(300, 20_000))
def test_an_answer_fits_whatever_is_wrong_and_says_how_much_it_leaves_out(error: Invalid) -> None:
    answer, body = answer_to(error, transcoded=True), _body(error)

    size = len(answer.message) + sum(len(name) + len(value) * _AS_BASE64 for name, value in answer.trailers)
    assert size < _ENVOY_TAKES_BYTES - 2000
    errors = body.get("errors", [])
    assert len(errors) + body.get("errorsNotShown", 0) == len(error.violations)
    shown = zip(errors, error.violations, strict=False)
    assert all(told == {"path": one.path, "expected": one.expected, "found": one.found} for told, one in shown)
    assert len(json.dumps(body)) < _ENVOY_TAKES_BYTES * 2


def test_a_hundred_events_with_three_violations_each_are_all_shown() -> None:
    error = Invalid(
        violations=tuple(
            Violation(
                path=f"events[{index}].{name}", expected="integer (ms since epoch)", found="number beyond 64 bits"
            )
            for index in range(100)
            for name in ("time", "eventName", "user.email")
        ),
        invalid_events=100,
        events=100,
    )

    assert len(_body(error)["errors"]) == 300


@given(_invalid)
def test_grpc_callers_are_told_the_same(error: Invalid) -> None:
    [(_, details)] = answer_to(error, transcoded=False).trailers
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status_pb2.Status.FromString(details).details)

    told = [
        (one["path"], f"missing, expected {one['expected']}")
        if one["found"] == MISSING
        else (one["path"], f"expected {one['expected']}, got {one['found']}")
        for one in _body(error).get("errors", [])
    ]
    named = [(violation.field, violation.description) for violation in bad.field_violations]
    assert named == told[: len(named)]
