from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from sluice.client.answer import Answer, Delivered, Later, Refused, Violation, answer_of, delivered
from sluice.events.v1 import events_pb2 as pb
from sluice.ingest.answers import answer_to
from sluice.ingest.outcome import TooLarge, Unavailable, Why
from sluice.ingest.validate_proto import LOG_EVENT_REQUEST
from sluice.ingest.violations import Invalid

_TRANSIENT = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
_OF_SETUP = {"UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"}
_REFUSED = {"INVALID_ARGUMENT", "OUT_OF_RANGE"}


_FAILURES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


def test_a_response_says_how_many_events_are_set_aside_and_one_that_is_none_of_ours_counts_as_delivered() -> None:
    assert delivered(pb.LogEventResponse(success=True, quarantined_events=3).SerializeToString()) == Delivered(3)
    assert delivered(b"") == Delivered()
    assert delivered(b"\xff") == Delivered()


@pytest.mark.parametrize("code", _FAILURES, ids=lambda code: code.name)
def test_every_failure_is_refused_or_for_later(code: grpc.StatusCode) -> None:
    answer = answer_of(code, "said", ())

    if code.name in _REFUSED:
        assert answer == Refused(message="said")
    else:
        of_setup = code.name in _OF_SETUP
        for_ever = of_setup or code.name in _TRANSIENT
        assert answer == Later(code=code.name, message="said", needs_you=of_setup, for_ever=for_ever)


def _server_says(error: Any) -> Answer:
    said = answer_to(error, transcoded=False)
    return answer_of(said.code, said.message, said.trailers)


def _invalid(events: list[bool]) -> Invalid:
    """What the server's own check finds in a request of which these events are right, and the others lack both."""
    request = pb.LogEventRequest()
    for right in events:
        event = request.events.add()
        if right:
            event.event_name = "e"
            event.user.SetInParent()
    found = LOG_EVENT_REQUEST.look_closer(request.SerializeToString())
    assert isinstance(found, Invalid)
    return found


@given(st.lists(st.booleans(), min_size=1, max_size=300).filter(lambda events: not all(events)))
def test_the_events_that_the_server_names_are_found(events: list[bool]) -> None:
    invalid = _invalid(events)
    wrong = [index for index, right in enumerate(events) if not right]

    from_details = _server_says(invalid)
    said = answer_to(invalid, transcoded=False)
    from_text = answer_of(said.code, said.message, ())

    for answer in (from_details, from_text):
        assert isinstance(answer, Refused)
        named = sorted({violation.index for violation in answer.violations})
        # The first, as many as there is room for.
        assert named == wrong[: len(named)]
        assert len(named) >= min(len(wrong), 10)
        assert {violation.path for violation in answer.violations} == {"event_name", "user"}


def test_the_text_says_the_same_where_an_answer_has_no_details() -> None:
    text = (
        "events[3].time: expected integer (ms since epoch), got number with a fraction; events[17].eventName: missing; "
        "and 5 more (7 of 500 events are invalid; none was accepted)"
    )

    assert answer_of(grpc.StatusCode.INVALID_ARGUMENT, text, None) == Refused(
        message=text,
        violations=(
            Violation(index=3, path="time", message="expected integer (ms since epoch), got number with a fraction"),
            Violation(index=17, path="eventName", message="missing"),
        ),
    )


def test_a_refusal_of_the_whole_names_no_event() -> None:
    answer = _server_says(TooLarge(1000))

    assert isinstance(answer, Refused)
    assert (answer.violations, answer.most_bytes) == ((), 1000)
    assert "1000 bytes" in answer.message


def test_the_pause_that_the_server_asks_for_is_read() -> None:
    answer = _server_says(Unavailable(Why.LOG_UNAVAILABLE))

    assert isinstance(answer, Later)
    assert answer.delay_s == 5


@pytest.mark.parametrize(
    ("duration", "delay_s"),
    [(Duration(seconds=1, nanos=500_000_000), 1.5), (Duration(), 0.0), (Duration(seconds=-5), 0.0)],
)
def test_a_pause_is_in_seconds_and_never_negative(duration: Duration, delay_s: float) -> None:
    status = status_pb2.Status()
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=duration))
    answer = answer_of(
        grpc.StatusCode.UNAVAILABLE, "", (("x", "y"), ("grpc-status-details-bin", status.SerializeToString()))
    )

    assert isinstance(answer, Later)
    assert answer.delay_s == delay_s


@given(st.binary(max_size=60), st.text(max_size=60), st.sampled_from(list(grpc.StatusCode)))
def test_no_answer_is_too_strange_to_read(details: bytes, message: str, code: grpc.StatusCode) -> None:
    assert answer_of(code, message, (("grpc-status-details-bin", details),))
