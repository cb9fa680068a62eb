"""Clients at work on one service, and the comparison of its lake with what they were told."""

import random
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ledger.clients import PATIENT_S, Client, Door, Habits, NativeClient, RestClient
from tests.support.ledger.lake import LakeReader, compare
from tests.support.ledger.ledger import Ledger
from tests.support.service import Service
from tests.support.waiting import wait_until

__all__ = ["Load", "assert_lake_has_what_was_told", "load_on"]

_MOST_TOLD = 20
# Three short events: the machine is for the service, and for what is done to it.
_FEW_BYTES = 40


class Load:
    """A number of clients on one service.

    Args:
        door: of the service.
        ledger: what they keep.
        seed: of their choices.
        rest: how many send JSON.
        native: how many call by gRPC.
        habits: of all of them.
    """

    def __init__(
        self,
        door: Door,
        ledger: Ledger,
        *,
        seed: int,
        rest: int = 4,
        native: int = 2,
        habits: Habits = Habits(),  # noqa: B008  frozen
    ) -> None:
        self.ledger = ledger
        self._paused = threading.Event()
        self._ended = threading.Event()
        kinds: list[type[Client]] = [RestClient] * rest + [NativeClient] * native
        self._clients = [
            kind(
                door,
                ledger,
                chance=random.Random(f"{seed} {index}"),
                habits=habits,
                paused=self._paused,
                ended=self._ended,
            )
            for index, kind in enumerate(kinds)
        ]

    def start(self) -> None:
        """Let them begin."""
        for client in self._clients:
            client.start()

    def pause(self) -> None:
        """Let each finish what it has in hand; return when none has anything."""
        self._paused.set()
        wait_until(
            lambda: all(client.rests for client in self._clients),
            within_s=PATIENT_S * 3,
            what="each client has its answer, or has given up",
        )
        for client in self._clients:
            if client.error is not None:
                raise client.error

    def resume(self) -> None:
        """Let them go on."""
        self._paused.clear()

    def end(self) -> None:
        """Let them finish what they have in hand, and end."""
        self._ended.set()
        for client in self._clients:
            if client.is_alive():
                client.join(timeout=PATIENT_S * 3)
            assert not client.is_alive(), "a client does not end"
            if client.error is not None:
                raise client.error

    def is_served_since(self, at: float) -> bool:
        """Whether attempts begun after this moment, on the monotonic clock, were acknowledged, of either protocol."""
        return all(
            any(client.served_at > at for client in self._clients if isinstance(client, kind))
            for kind in {type(client) for client in self._clients}
        )

    def wait_for(self, *statuses: str, more: int = 3, within_s: float = 20) -> float:
        """Return when so many more attempts have ended in each of these ways; after how many seconds.

        Args:
            statuses: of HTTP, as "202", and of gRPC, as "OK".
            more: how many.
            within_s: how long that may take.
        """
        before = {status: self._answered(status) for status in statuses}
        began = time.monotonic()
        wait_until(
            lambda: all(self._answered(status) >= before[status] + more for status in statuses),
            within_s=within_s,
            what=f"{more} more answers of each of {statuses}",
        )
        return time.monotonic() - began

    def not_acknowledged(self) -> list[int]:
        """Of each client, how many attempts were answered otherwise, or not at all."""
        return [sum(client.answers.values()) - client.answers["202"] - client.answers["OK"] for client in self._clients]

    def not_served(self) -> list[str]:
        """What clients were answered that was no acknowledgement: of each the latest."""
        return [words for client in self._clients for words in client.not_served]

    def _answered(self, status: str) -> int:
        return sum(client.answers[status] for client in self._clients)

    @property
    def oldest_wait_s(self) -> float:
        """For how long the client that waits longest has been waiting for its answer."""
        now = time.monotonic()
        return max((now - since for client in self._clients if (since := client.waits_since)), default=0.0)


@contextmanager
def load_on(
    service: Service,
    *,
    rest: int = 2,
    native: int = 1,
    text_bytes: int = _FEW_BYTES,
    reconnects: bool = True,
    journal: Path | None = None,
    beside: Load | None = None,
) -> Iterator[Load]:
    """Load of good requests until the block ends, which begins when it is acknowledged by every protocol.

    Args:
        service: whom they send to.
        rest, native: how many post JSON, and how many call by gRPC.
        text_bytes, reconnects: see `Habits`.
        journal: of the attempts; else it lies beside the data folder.
        beside: another load on the same service, whose ledger they share.
    """
    ledger = beside.ledger if beside else Ledger(journal or service.data_dir.parent / "attempts.tsv")
    door = Door(address=service.grpc, server_key=service.server_key, client_key=service.client_key)
    habits = Habits(only_good=True, reconnects=reconnects, text_bytes=text_bytes)
    load = Load(door, ledger, seed=len(ledger), rest=rest, native=native, habits=habits)
    load.start()
    try:
        load.wait_for(*(["202"] if rest else []), *(["OK"] if native else []), within_s=30)
        yield load
    finally:
        load.end()
        if beside is None:
            ledger.close()


def assert_lake_has_what_was_told(service: Service, ledger: Ledger, *, besides: Collection[str] = ()) -> None:
    """Bring all to the lake, and assert that it is right; no client may have anything in hand.

    Args:
        service: whose lake it is.
        ledger: of all who sent to it.
        besides: names of events that a test has posted itself.
    """
    service.flush()
    ledger.forget_what_was_found()
    findings = compare(LakeReader(service.data_dir, besides=besides), ledger)
    print("ledger:", ", ".join(f"{n} {outcome.name.lower()}" for outcome, n in ledger.classes().items() if n))
    print("in the lake:", ", ".join(f"{n} {outcome.name.lower()}" for outcome, n in ledger.in_lake().items() if n))
    assert findings == [], "\n".join(str(finding) for finding in findings[:_MOST_TOLD])
