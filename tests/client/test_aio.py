"""What only the client for asyncio does: its loop."""

import asyncio
import logging
import threading
from pathlib import Path

import pytest

from sluice import disk
from sluice.client import AsyncClient, ClientError, Event, NotDelivered, Reason, Settings, Undelivered
from tests.support.stub_server import UNAVAILABLE, StubServer
from tests.support.waiting import until

KEY = "secret-of-tests"


async def test_many_tasks_log_and_flush_at_once(server: StubServer) -> None:
    settings = Settings(batch_events=20, queue_events=100, wait_for_room_s=30)
    async with AsyncClient(server.address, KEY, settings) as client:

        async def log(task: int) -> None:
            for number in range(100):
                await client.log(Event(f"{task}-{number}", "u1"))
                if number % 50 == 0:
                    await client.flush()

        await asyncio.gather(*(log(task) for task in range(10)))
        await client.flush()

    assert sorted(server.acknowledged) == sorted(f"{t}-{n}" for t in range(10) for n in range(100))


async def test_events_that_the_server_sets_aside_are_counted(server: StubServer) -> None:
    server.sets_aside = 1
    async with AsyncClient(server.address, KEY) as client:
        await client.log_many([Event("a", "u1"), Event("b", "u1")])
        await client.flush()

        assert (client.stats().delivered, client.stats().set_aside) == (2, 1)


async def test_it_has_no_thread(server: StubServer) -> None:
    before = set(threading.enumerate())
    async with AsyncClient(server.address, KEY, Settings(linger_s=0)) as client:
        await client.log(Event("a", "u1"))
        await until(lambda: server.acknowledged)
        new = set(threading.enumerate()) - before
        ours = [thread for thread in new if "sluice" in thread.name or "asyncio" in thread.name]

    assert ours == []
    assert threading.active_count() <= len(before) + 9  # those of the server and of gRPC


def test_a_client_belongs_to_one_loop(server: StubServer) -> None:
    client = AsyncClient(server.address, KEY)

    async def first() -> None:
        await client.log(Event("a", "u1"))
        with pytest.raises(ClientError, match="another event loop"):
            await asyncio.to_thread(lambda: asyncio.run(second()))
        await client.close()

    async def second() -> None:
        await client.log(Event("b", "u1"))

    asyncio.run(first())
    assert server.acknowledged == ["a"]


def test_a_loop_that_ends_before_the_client_is_closed_is_told(
    server: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Undelivered] = []
    client = AsyncClient(server.address, KEY, Settings(on_undelivered=told.append, linger_s=100))

    async def log() -> None:
        await client.log(Event("a", "u1"))
        await asyncio.sleep(0)

    asyncio.run(log())

    assert [(each.event.event_name, each.reason) for each in told] == [("a", Reason.CLOSED)]
    assert "ends before it was closed; 1 events wait" in caplog.text
    assert server.calls == []


def test_a_loop_that_ends_leaves_the_spool_to_the_next_client(server: StubServer, tmp_path: Path) -> None:
    async def log(name: str, *, close: bool) -> None:
        client = AsyncClient(server.address, KEY, Settings(spool=tmp_path, linger_s=100))
        await client.log(Event(name, "u1"))
        await asyncio.sleep(0)
        if close:
            await client.close()

    asyncio.run(log("a", close=False))
    asyncio.run(log("b", close=True))

    assert sorted(server.acknowledged) == ["a", "b"]


async def test_a_call_that_is_cancelled_while_it_waits_for_room_takes_nothing(server: StubServer) -> None:
    server.answer = lambda _: UNAVAILABLE
    async with AsyncClient(server.address, KEY, Settings(queue_events=1, wait_for_room_s=60, linger_s=0)) as client:
        await client.log(Event("a", "u1"))
        waiting = asyncio.create_task(client.log(Event("b", "u1")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        server.answer = lambda _: None
        await client.flush()

    assert server.acknowledged == ["a"]


async def test_closing_wakes_those_who_wait_for_room(server: StubServer) -> None:
    server.answer = lambda _: UNAVAILABLE
    client = AsyncClient(server.address, KEY, Settings(queue_events=1, wait_for_room_s=60, linger_s=0))
    await client.log(Event("a", "u1"))
    waiting = asyncio.create_task(client.log(Event("b", "u1")))
    await asyncio.sleep(0)
    with pytest.raises(NotDelivered):
        await client.close(timeout_s=0.05)

    with pytest.raises(ClientError, match="closed"):
        await asyncio.wait_for(waiting, 5)


class SlowSync:
    """A disk whose syncs wait until a test lets them go on."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = threading.Event()

    def before(self, operation: disk.Operation) -> None:
        if operation.verb == "datasync":
            self.begun += 1
            self.may_end.wait(10)

    def after(self, operation: disk.Operation) -> None:
        pass


async def test_a_slow_disk_does_not_stop_the_loop_and_calls_share_a_sync(server: StubServer, tmp_path: Path) -> None:
    slow = SlowSync()
    async with AsyncClient(server.address, KEY, Settings(spool=tmp_path, spool_sync_s=0, linger_s=100)) as client:
        with disk.observed(slow):
            calls = [asyncio.create_task(client.log(Event("a", "u1"))) for _ in range(20)]
            await until(lambda: slow.begun)
            assert not any(call.done() for call in calls)
            slow.may_end.set()
            await asyncio.gather(*calls)

    assert slow.begun <= 3
    assert len(server.acknowledged) == 20


async def test_messages_go_to_the_log_of_the_client(server: StubServer, caplog: pytest.LogCaptureFixture) -> None:
    server.answers(UNAVAILABLE)
    async with AsyncClient(server.address, KEY, Settings(linger_s=0, first_backoff_s=0.01)) as client:
        await client.log(Event("a", "u1"))
        await client.flush()

    assert [(record.name, record.levelno) for record in caplog.records] == [("sluice.client", logging.WARNING)]
