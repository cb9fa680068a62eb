"""Keys follow their file, and a caller whose key is not known never makes the loop wait for the disk."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from sluice import disk
from sluice.contract import Source
from sluice.ingest.follow_keys import FollowedKeys
from sluice.keys.key import Key, Kind, Refusal
from sluice.keys.key_file import KeyFile
from sluice.keys.store import Keys
from tests.support.ingest_server import IngestServer, rest
from tests.support.waiting import until

_BODY = b'{"events":[{"eventName":"e","time":1767225600000,"user":{"userID":"u"}}]}'
_TIME = ("statsig-client-time", "1767225600000")


class _Store:
    """Counts looks, and how many are under way at the same time; a look ends when it may."""

    def __init__(self) -> None:
        self.is_unreadable = False
        self.looks = self.most_at_once = 0
        self.may_end = threading.Event()
        self.may_end.set()
        self._under_way = 0

    def check(self, *_: object, **__: object) -> Key | Refusal:
        return Refusal.UNKNOWN

    def reload_if_changed(self) -> bool:
        self.looks += 1
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        assert self.may_end.wait(20)
        self._under_way -= 1
        return False


@asynccontextmanager
async def _following(keys: FollowedKeys) -> AsyncIterator[None]:
    task = asyncio.create_task(keys.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def _run(scenario: Callable[[FollowedKeys, _Store], Awaitable[None]]) -> None:
    async def run() -> None:
        store = _Store()
        keys = FollowedKeys(store)
        async with _following(keys):
            await until(lambda: store.looks)
            try:
                await scenario(keys, store)
            finally:
                store.may_end.set()

    asyncio.run(run())


def test_a_key_that_was_made_this_moment_opens_without_waiting_for_the_next_second(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"

    async def scenario() -> None:
        keys = FollowedKeys(Keys(path))
        async with _following(keys):
            for _ in range(5):
                key, secret = KeyFile(path).create(kind=Kind.SERVER)
                began = time.monotonic()
                assert await keys.catch_up()
                assert keys.check(secret, Source.SDK, from_query=False, now=0.0) == key
                assert time.monotonic() - began < 0.5

    asyncio.run(scenario())


def test_what_a_look_saw_that_began_before_the_call_is_not_enough() -> None:
    async def scenario(keys: FollowedKeys, store: _Store) -> None:
        store.may_end.clear()
        looks = store.looks
        first = asyncio.create_task(keys.catch_up())
        await until(lambda: store.looks == looks + 1)
        # It may have read the file by now.
        second = asyncio.create_task(keys.catch_up())
        await asyncio.sleep(0)
        store.may_end.set()
        assert await first
        assert store.looks == looks + 1
        assert await second
        assert store.looks == looks + 2

    _run(scenario)


def test_a_flood_of_unknown_keys_makes_few_looks_one_at_a_time_and_most_wait_for_none() -> None:
    async def scenario(keys: FollowedKeys, store: _Store) -> None:
        began = time.monotonic()
        caught_up = await asyncio.gather(*(keys.catch_up() for _ in range(1000)))
        while time.monotonic() - began < 0.5:
            caught_up += await asyncio.gather(*(keys.catch_up() for _ in range(1000)))
        looks_per_s = store.looks / (time.monotonic() - began)

        assert looks_per_s < 15
        assert store.most_at_once == 1
        assert any(caught_up)
        assert caught_up[:1000].count(False) > 900

    _run(scenario)


def test_a_disk_that_hangs_makes_nobody_wait_for_long() -> None:
    async def scenario(keys: FollowedKeys, store: _Store) -> None:
        store.may_end.clear()
        began = time.monotonic()
        for _ in range(3):
            assert not await keys.catch_up()
        assert time.monotonic() - began < 5

    _run(scenario)


def test_for_an_unreadable_file_nobody_waits() -> None:
    async def scenario(keys: FollowedKeys, store: _Store) -> None:
        store.is_unreadable = True
        looks = store.looks
        assert not await keys.catch_up()
        assert store.looks == looks

    _run(scenario)


def test_while_the_file_of_keys_hangs_known_keys_open_and_others_are_refused(
    channel: grpc.Channel, server_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    hangs = threading.Event()

    def hang(path: Path) -> disk.Identity | None:
        hangs.set()
        goes_on.wait(30)
        return identity(path)

    identity = disk.identity
    monkeypatch.setattr(disk, "identity", hang)
    began = time.monotonic()
    unknown = rest(channel, _BODY, ("statsig-api-key", "secret-nobody-knows"), _TIME)
    known = rest(channel, _BODY, ("statsig-api-key", server_key), _TIME)
    took_s = time.monotonic() - began
    assert hangs.wait(5)
    goes_on.set()

    assert (unknown.code, known.code) == (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.OK)
    assert took_s < 10


def test_a_new_key_opens_at_its_first_call(server: IngestServer, channel: grpc.Channel) -> None:
    keys = KeyFile(Path(server.config.data_dir) / "keys.json")
    codes = []
    for _ in range(5):
        _, secret = keys.create(kind=Kind.SERVER)
        codes.append(rest(channel, _BODY, ("statsig-api-key", secret), _TIME).code)

    assert codes == [grpc.StatusCode.OK] * 5
