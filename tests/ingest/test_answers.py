"""Errors in the words of gRPC: codes, details, length; and that docs/contract.md quotes them truly."""

from pathlib import Path

import grpc
import pytest
from google.rpc import status_pb2

from sluice.ingest.answers import answer_to
from sluice.ingest.outcome import KeyRefused, TooLarge, Unavailable, Why
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
    assert _details(answer.trailers).endswith(b"\x78\xf7\x03")


@pytest.mark.parametrize("transcoded", [True, False])
@pytest.mark.parametrize(
    "error", [_LONG, invalid_request("body", "a", "b"), KeyRefused(refusal=Refusal.MISSING, prefix=""), TooLarge(1)]
)
def test_no_answer_is_the_one_on_which_sdks_drop_a_batch(error: Invalid | KeyRefused, transcoded: bool) -> None:
    answer = answer_to(error, transcoded=transcoded)

    assert answer.code not in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED}
    assert answer.message.isascii()


def test_a_native_callers_trailers_stay_below_8_kib() -> None:
    for violations in range(1, 101):
        error = Invalid(violations=_LONG.violations[:violations], invalid_events=violations, events=violations)
        answer = answer_to(error, transcoded=False)
        # Binary trailers travel as base64.
        size = len(answer.message) + sum(len(value) * 4 // 3 + 4 for _, value in answer.trailers)
        assert size < 7 * 1024


def test_a_long_message_reaches_http_callers_in_the_details() -> None:
    answer = answer_to(_LONG, transcoded=True)

    message = status_pb2.Status.FromString(_details(answer.trailers)).message
    assert len(answer.message) < 4 * 1024 < len(message) <= 16 * 1024
    assert message.endswith(" more (100 of 100 events are invalid; none was accepted)")
    assert message.startswith(answer.message)
