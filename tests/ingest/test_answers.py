"""Errors in the words of gRPC: codes, details, length; and that docs/contract.md quotes them truly."""

from pathlib import Path

import grpc
import pytest
from google.rpc import status_pb2

from sluice.ingest.answers import answer_to
from sluice.ingest.outcome import KeyRefused, TooLarge, Unavailable, Why
from sluice.ingest.rich_status import RETRY_DELAY_S
from sluice.ingest.violations import Invalid, Violation, invalid_request
from sluice.keys.key import Refusal

_PAGE = (Path(__file__).parents[2] / "docs/contract.md").read_text()
_LONG = Invalid(
    violations=tuple(Violation(path=f"events[{i}].time", expected="x" * 300, found="y") for i in range(100)),
    invalid_events=100,
    events=100,
)


def _details(trailers: tuple[tuple[str, bytes], ...]) -> bytes:
    return dict(trailers)["grpc-status-details-bin"]


@pytest.mark.parametrize("refusal", Refusal)
def test_each_refused_key_is_401_in_the_documented_words(refusal: Refusal) -> None:
    prefix = "client-a" if refusal is Refusal.NOT_FOR_THIS_DOOR else "secret-a"

    answer = answer_to(KeyRefused(refusal=refusal, prefix=prefix), transcoded=True)

    assert answer.code is grpc.StatusCode.UNAUTHENTICATED
    assert f"`{answer.message}`" in _PAGE
    assert _details(answer.trailers) == status_pb2.Status(code=16, message=answer.message).SerializeToString()


@pytest.mark.parametrize("why", Why)
def test_each_reason_to_come_later_is_503_in_the_documented_words(why: Why) -> None:
    answer = answer_to(Unavailable(why), transcoded=True)

    assert answer.code is grpc.StatusCode.UNAVAILABLE
    assert f"`{answer.message}`" in _PAGE
    # Field 15, varint 503.
    assert _details(answer.trailers).endswith(b"\x78\xf7\x03")
    assert answer.headers == (("retry-after", str(RETRY_DELAY_S[why])),)


@pytest.mark.parametrize("transcoded", [True, False])
@pytest.mark.parametrize(
    "error", [_LONG, invalid_request("body", "a", "b"), KeyRefused(refusal=Refusal.MISSING, prefix=""), TooLarge(1)]
)
def test_no_answer_is_the_one_on_which_sdks_drop_a_batch(error: Invalid | KeyRefused, transcoded: bool) -> None:
    answer = answer_to(error, transcoded=transcoded)

    assert answer.code not in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED}
    assert answer.message.isascii()


def test_only_what_a_native_caller_may_send_again_has_its_request_id_in_the_trailers() -> None:
    errors = [_LONG, KeyRefused(refusal=Refusal.MISSING, prefix=""), TooLarge(1), *map(Unavailable, Why)]

    for error in errors:
        assert answer_to(error, transcoded=False).trailers_only == isinstance(error, Unavailable)
        assert not answer_to(error, transcoded=True).trailers_only


def test_a_body_that_is_too_large_is_413_to_http_and_invalid_to_native_callers() -> None:
    native, transcoded = (answer_to(TooLarge(1024), transcoded=transcoded) for transcoded in (False, True))

    assert (native.code, native.headers) == (grpc.StatusCode.INVALID_ARGUMENT, ())
    assert (transcoded.code, transcoded.headers) == (grpc.StatusCode.OUT_OF_RANGE, (("x-http-status", "413"),))
    assert (
        native.message
        == transcoded.message
        == "body: expected at most 1024 bytes, unpacked, got more; send fewer events per request"
    )


def test_http_answers_carry_no_details_that_nobody_would_see() -> None:
    for error in (_LONG, KeyRefused(refusal=Refusal.UNKNOWN, prefix="secret-a"), TooLarge(1), Unavailable(Why.FAULT)):
        answer = answer_to(error, transcoded=True)

        assert not status_pb2.Status.FromString(_details(answer.trailers)).details


def test_a_long_message_reaches_http_callers_in_the_details() -> None:
    answer = answer_to(_LONG, transcoded=True)

    message = status_pb2.Status.FromString(_details(answer.trailers)).message
    assert len(answer.message) < 4 * 1024 < len(message) <= 16 * 1024
    assert message.endswith(
        " more (100 of 100 events are invalid; none was accepted: mend them or leave them out, and send the rest again)"
    )
    assert message.startswith(answer.message)
