"""What it costs to take a request, in calls of Python and in operations on the disk: neither grows with its events."""

import asyncio
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from google.api.httpbody_pb2 import HttpBody

from bench.events import bodies
from sluice.ingest import service_body
from sluice.ingest.admission import Admission
from sluice.ingest.at_once import AtOnce
from sluice.ingest.call import Desk
from sluice.ingest.context import IngestContext
from sluice.ingest.event_count import EventCounts
from sluice.ingest.follow_keys import FollowedKeys
from sluice.keys.key import Kind
from sluice.keys.key_file import KeyFile
from sluice.keys.store import Keys
from sluice.log.appender import SegmentAppender
from sluice.log.ids import new_request_id
from tests.support.cost import Cost, counted

if TYPE_CHECKING:
    from sluice.ingest.call_server import ServerCall
    from sluice.ingest.receive import Receiver

_WAY = service_body.WAYS[f"/{service_body.SERVICE}/LogEvent"]


class _Call:
    """A call, as far as a desk asks."""

    method = ""

    def __init__(self, secret: str) -> None:
        self.metadata = (
            ("statsig-api-key", secret),
            ("statsig-client-time", "1767225600000"),
            ("x-envoy-original-path", "/v1/log_event"),
        )
        self.answered = threading.Event()

    def answer(self, _message: bytes, _headers: Any = ()) -> None:
        self.answered.set()


async def _cost(folder: Path, batch: int) -> Cost:
    """What the second of two requests costs, until it is handed to the log, and there on the disk."""
    _, secret = KeyFile(folder / "keys.json").create(kind=Kind.SERVER)
    log = SegmentAppender(
        folder / "log", node="n1", index=0, seal_age_s=60, seal_size_bytes=2**26, queue_bytes=2**24, min_free_bytes=0
    )
    log.begin()
    context = IngestContext(
        keys=FollowedKeys(Keys(folder / "keys.json")),
        appender=log,
        admission=Admission(2**26),
        max_body_bytes=2**24,
        clock=time.time,
        event_counts=EventCounts(),
    )
    desk = Desk(AtOnce(context), cast("Receiver", None), new_request_id, asyncio.get_running_loop())

    def send(body: bytes) -> None:
        call = _Call(secret)
        desk.take(_WAY, cast("ServerCall", call), HttpBody(data=body).SerializeToString())
        log.turn()
        assert call.answered.is_set()

    first, second = bodies(2 * batch, batch=batch, seed=5, typed=False).bodies
    send(first)
    with counted() as cost:
        send(second)
    log.begin_close()
    log.end()
    return cost


@pytest.mark.parametrize("batch", [1, 20, 100, 500])
def test_a_request_costs_the_same_however_many_events_it_has(tmp_path: Path, batch: int) -> None:
    cost = asyncio.run(_cost(tmp_path, batch))

    assert cost.operations == ["write", "datasync"]
    assert cost.calls <= 380
