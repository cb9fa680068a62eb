"""Both fronts of the client behind one set of blocking calls, so that a test of what they share runs on each."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from sluice.client import AsyncClient, Client, Event, Settings, Stats

_Result = TypeVar("_Result")


class Front(Protocol):
    """What tests call."""

    def log(self, event: Event) -> str: ...
    def log_many(self, events: Iterable[Event]) -> list[str]: ...
    def flush(self, timeout_s: float = 30) -> None: ...
    def close(self, timeout_s: float | None = None) -> None: ...
    def stats(self) -> Stats: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class MakeFront(Protocol):
    """Makes a front as its class is called."""

    def __call__(self, target: str, api_key: str, settings: Settings | None = None) -> Front: ...


class InLoop:
    """An AsyncClient in a loop of its own, which runs in a thread."""

    def __init__(self, target: str, api_key: str, settings: Settings | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._ended = False
        try:
            self._client = self._run(self._make(target, api_key, settings))
        except BaseException:
            self._end()
            raise

    def log(self, event: Event) -> str:
        return self._run(self._client.log(event))

    def log_many(self, events: Iterable[Event]) -> list[str]:
        return self._run(self._client.log_many(events))

    def flush(self, timeout_s: float = 30) -> None:
        self._run(self._client.flush(timeout_s))

    def close(self, timeout_s: float | None = None) -> None:
        if self._ended:
            return
        try:
            self._run(self._client.close(timeout_s))
        finally:
            self._end()

    def stats(self) -> Stats:
        return self._client.stats()

    def __repr__(self) -> str:
        return repr(self._client)

    def __enter__(self) -> Self:
        self._run(self._client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._ended:
            return
        try:
            self._run(self._client.__aexit__(kind, error, traceback))
        finally:
            self._end()

    @staticmethod
    async def _make(target: str, api_key: str, settings: Settings | None) -> AsyncClient:
        return AsyncClient(target, api_key, settings)

    def _run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        if self._ended:
            # As the client itself answers: it is closed, and its loop with it.
            return asyncio.run(work)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def _end(self) -> None:
        self._ended = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


FRONTS: dict[str, MakeFront] = {"threads": Client, "asyncio": InLoop}
