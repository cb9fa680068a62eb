"""What it costs to take a request, in calls of Python and in operations on the disk: neither grows with its events."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.api.httpbody_pb2 import HttpBody

from bench.events import bodies
from sluice.ingest import service_body
from sluice.ingest.admission import Admission
from sluice.ingest.call import Desk
from sluice.ingest.event_count import EventCounts
from sluice.ingest.follow_keys import FollowedKeys
from sluice.ingest.receive import Receiver
from sluice.ingest.rejects import HourBudget, Rejects
from sluice.keys.key import Kind
from sluice.keys.key_file import KeyFile
from sluice.keys.store import Keys
from sluice.log.appender import SegmentAppender
from sluice.log.ids import new_request_id
from tests.support.cost import Cost, counted
from tests.support.ingest_server import FakeRefusedLog

_METHOD = f"/{service_body.SERVICE}/LogEvent"


class _Context:
    """A call, as far as a door asks."""

    def __init__(self, secret: str) -> None:
        self._metadata = (
            ("statsig-api-key", secret),
            ("statsig-client-time", "1767225600000"),
            ("x-envoy-original-path", "/v1/log_event"),
        )

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata

    async def send_initial_metadata(self, _metadata: Any) -> None:
        pass

    async def abort(self, code: Any, message: str, _trailers: Any) -> None:
        raise AssertionError(f"{code}: {message}")


async def _cost(folder: Path, batch: int) -> Cost:
    """What the second of two requests costs."""
    _, secret = KeyFile(folder / "keys.json").create(kind=Kind.SERVER)
    log = SegmentAppender(
        folder / "log", node="n1", index=0, seal_age_s=60, seal_size_bytes=2**26, queue_bytes=2**24, min_free_bytes=0
    )
    await log.start()
    rejects = Rejects(FakeRefusedLog(), budget=HourBudget(0), waiting_bytes=0)
    receiver = Receiver(
        keys=FollowedKeys(Keys(folder / "keys.json")),
        appender=log,
        rejects=rejects,
        admission=Admission(2**26),
        max_body_bytes=2**24,
        clock=time.time,
        event_counts=EventCounts(),
    )
    details = SimpleNamespace(method=_METHOD, invocation_metadata=())
    call = service_body.handlers(Desk(receiver, new_request_id)).service(details).unary_unary
    first, second = bodies(2 * batch, batch=batch, seed=5, typed=False).bodies
    await call(HttpBody(data=first).SerializeToString(), _Context(secret))
    with counted() as cost:
        await call(HttpBody(data=second).SerializeToString(), _Context(secret))
    await log.close()
    return cost


@pytest.mark.parametrize("batch", [1, 20, 100, 500])
def test_a_request_costs_the_same_however_many_events_it_has(tmp_path: Path, batch: int) -> None:
    cost = asyncio.run(_cost(tmp_path, batch))

    assert cost.operations == ["write", "datasync"]
    assert cost.calls <= 450
