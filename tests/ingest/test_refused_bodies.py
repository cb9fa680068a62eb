"""What is refused leaves memory at once: a service at its limits must not wait for the garbage collector."""

import gc
import types
from collections.abc import Iterator

import grpc
import pytest

from sluice.events.v1 import events_pb2 as pb
from tests.support.ingest_server import IngestServer, native, rest

_LARGE = 500_000


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _large_values_kept() -> list[str]:
    """Of frames of the server that nobody runs any more, but that an exception still leads to."""
    frames = [
        found
        for found in gc.get_objects()
        if isinstance(found, types.FrameType) and found.f_globals["__name__"].startswith("sluice.")
    ]
    return [
        f"{frame.f_code.co_qualname}: {name}"
        for frame in frames
        for name, value in frame.f_locals.items()
        if isinstance(value, bytes) and len(value) >= _LARGE
    ]


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("door", ["rest", "native"])
def test_a_refused_body_is_not_kept_until_garbage_is_collected(
    server: IngestServer, channel: grpc.Channel, door: str
) -> None:
    if door == "rest":
        answer = rest(channel, b" " * _LARGE)
    else:
        answer = native(channel, pb.LogEventRequest(events=[pb.Event(event_name="x" * _LARGE)]))

    assert answer.code is grpc.StatusCode.UNAUTHENTICATED
    assert server.log.entries == []
    # By its answer the server has left the call before.
    assert rest(channel, b"{}").code is grpc.StatusCode.UNAUTHENTICATED
    assert _large_values_kept() == []
