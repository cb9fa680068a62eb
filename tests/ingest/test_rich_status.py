"""What a native caller's program is told of an error, how much of it fits, and that docs/grpc.md lists every reason."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.error_details import DOMAIN, FieldReason, Reason
from sluice.ingest import metrics
from sluice.ingest.answers import answer_to
from sluice.ingest.outcome import Error, KeyRefused, TooLarge, Unavailable, Why, reason_of
from sluice.ingest.violations import MISSING, Invalid, Violation, invalid_request
from sluice.keys.key import Refusal

_PAGE = (Path(__file__).parents[2] / "docs/grpc.md").read_text()
# What a gRPC client takes of trailers unless it says otherwise; each costs 32 bytes beside its name and value.
_CLIENT_TAKES_BYTES = 8 * 1024
_PER_TRAILER_BYTES = 32

_TWO_EVENTS = Invalid(
    violations=(
        Violation(path="events[1].event_name", expected="string", found=MISSING),
        Violation(path="events[4].value", expected="string, number or null", found="boolean"),
    ),
    invalid_events=2,
    events=5,
)
_ERRORS: list[Error] = [
    _TWO_EVENTS,
    invalid_request("body", "a message", MISSING),
    TooLarge(1024),
    *(KeyRefused(refusal=refusal, prefix="secret-a") for refusal in Refusal),
    *map(Unavailable, Why),
]


def _status(error: Error) -> status_pb2.Status:
    [(name, value)] = answer_to(error, transcoded=False).trailers
    assert name == "grpc-status-details-bin"
    return status_pb2.Status.FromString(value)


def _detail(error: Error, message: type[Message]) -> Any:
    """The one detail of this type; None if there is none."""
    found = [each for each in _status(error).details if each.Is(message.DESCRIPTOR)]
    assert len(found) <= 1
    return message.FromString(found[0].value) if found else None


def _violations(count: int, *, path_length: int = 20) -> Invalid:
    violations = tuple(
        Violation(path=f"events[{i}].{'x' * path_length}", expected="", found=MISSING) for i in range(count)
    )
    return Invalid(violations=violations, invalid_events=count, events=count)


@pytest.mark.parametrize("error", _ERRORS, ids=lambda error: reason_of(error).value)
def test_every_error_says_its_reason_and_repeats_code_and_message(error: Error) -> None:
    answer, status = answer_to(error, transcoded=False), _status(error)

    assert (status.code, status.message) == (answer.code.value[0], answer.message)
    info = _detail(error, error_details_pb2.ErrorInfo)
    assert (info.domain, info.reason) == (DOMAIN, reason_of(error).value)
    assert re.fullmatch(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]", info.reason)


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (_TWO_EVENTS, {"violations": "2", "invalid_events": "2", "events": "5"}),
        (invalid_request("body", "a message", MISSING), {"violations": "1"}),
        (TooLarge(1024), {"max_bytes": "1024"}),
        (KeyRefused(refusal=Refusal.UNKNOWN, prefix="secret-a"), {"key_prefix": "secret-a"}),
        (KeyRefused(refusal=Refusal.MISSING, prefix=""), {}),
        (Unavailable(Why.OVERLOADED), {}),
    ],
    ids=lambda case: reason_of(case).value if not isinstance(case, dict) else "",
)
def test_facts_are_figures_and_names_and_nothing_of_an_event(error: Error, facts: dict[str, str]) -> None:
    assert dict(_detail(error, error_details_pb2.ErrorInfo).metadata) == facts


def test_each_violation_has_its_path_what_is_wrong_and_a_reason() -> None:
    request = _detail(_TWO_EVENTS, error_details_pb2.BadRequest)

    assert [(named.field, named.description, named.reason) for named in request.field_violations] == [
        ("events[1].event_name", "missing, expected string", "FIELD_MISSING"),
        ("events[4].value", "expected string, number or null, got boolean", "FIELD_INVALID"),
    ]


@pytest.mark.parametrize("error", _ERRORS, ids=lambda error: reason_of(error).value)
def test_bad_request_comes_with_what_is_invalid_and_retry_info_with_what_may_be_sent_again(error: Error) -> None:
    retry = _detail(error, error_details_pb2.RetryInfo)

    assert (_detail(error, error_details_pb2.BadRequest) is not None) == isinstance(error, Invalid)
    assert (retry is not None) == isinstance(error, Unavailable)
    assert retry is None or 1 <= retry.retry_delay.seconds <= 5


_texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=400)
_invalid = st.lists(st.builds(Violation, path=_texts, expected=_texts, found=_texts), min_size=1, max_size=300).map(
    lambda found: Invalid(violations=tuple(found), invalid_events=100, events=10**6)
)


@given(_invalid)
@example(_violations(100))
@example(_violations(300, path_length=300))
def test_trailers_fit_whatever_is_wrong_and_the_last_violations_are_left_out(error: Invalid) -> None:
    answer = answer_to(error, transcoded=False)
    named = _detail(error, error_details_pb2.BadRequest).field_violations
    info = _detail(error, error_details_pb2.ErrorInfo)

    # Binary trailers travel as base64; a percent sign in a message as three characters, which no message of ours has.
    trailers = {"grpc-status": b"3", "grpc-message": answer.message.encode()} | {
        name: value + b"-" * (len(value) // 3 + 4) for name, value in answer.trailers
    }
    size = sum(len(name) + len(value) + _PER_TRAILER_BYTES for name, value in trailers.items())
    assert size < _CLIENT_TAKES_BYTES - 500
    assert [each.field for each in named] == [each.path for each in error.violations[: len(named)]]
    assert info.metadata["violations"] == str(len(error.violations))
    assert info.metadata["invalid_events"] == str(error.invalid_events)


def test_more_violations_of_the_usual_length_fit_than_docs_promise() -> None:
    promised = re.search(r"BadRequest names as many as fit,\s+some (\d+) of the usual length", _PAGE)
    usual = tuple(Violation(path=f"events[{i}].event_name", expected="string", found=MISSING) for i in range(100))

    named = _detail(Invalid(violations=usual, invalid_events=100, events=100), error_details_pb2.BadRequest)

    assert promised is not None
    assert int(promised[1]) <= len(named.field_violations) < int(promised[1]) + 10


def test_fewer_violations_are_named_the_longer_they_are() -> None:
    counts = [
        len(_detail(_violations(100, path_length=length), error_details_pb2.BadRequest).field_violations)
        for length in (1, 30, 100, 300)
    ]

    assert all(longer < shorter for shorter, longer in pairwise(counts))
    assert counts[-1] > 0


def _documented() -> dict[str, set[str]]:
    """The reasons of the table, each with the statuses of its rows."""
    found: dict[str, set[str]] = {}
    for status, reasons in re.findall(r"^\| ([A-Z_]+) \| (.+?) \|", _PAGE, re.MULTILINE):
        for reason in re.findall(r"`([A-Z_]+)`", reasons):
            found.setdefault(reason, set()).add(status)
    return found


def test_every_reason_is_documented_with_its_status() -> None:
    documented = _documented()

    assert set(documented) == {reason.value for reason in Reason}
    for error in _ERRORS:
        assert documented[reason_of(error).value] == {code_pb2.Code.Name(_status(error).code)}


def test_every_reason_of_a_field_and_every_fact_is_documented() -> None:
    assert all(f"`{reason.value}`" in _PAGE for reason in FieldReason)
    for error in _ERRORS:
        for fact in _detail(error, error_details_pb2.ErrorInfo).metadata:
            assert f"`{fact}`" in _PAGE


def test_metrics_count_under_the_labels_they_always_had() -> None:
    assert {reason_of(error).value: metrics.label_of(reason_of(error)) for error in _ERRORS} == {
        "INVALID_EVENTS": "invalid",
        "INVALID_REQUEST": "invalid",
        "TOO_LARGE": "too_large",
        "OVERLOADED": "overloaded",
        "LOG_UNAVAILABLE": "log_unavailable",
        "STOPPING": "stopping",
        "INTERNAL_FAULT": "internal_fault",
    } | {refusal.value.upper(): refusal.value for refusal in Refusal}
