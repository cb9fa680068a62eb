"""What befalls a service while SDKs have events to send, and how each fault is begun, seen by all and ended."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from socket import socket
from typing import ClassVar

import httpx

from tests.clients.front import DELAY_S, Front, Treatment, served_front
from tests.support.service import Service
from tests.support.waiting import wait_until

_MET_WITHIN_S = 40.0


class Fault:
    """One fault; this one is none.

    Attributes:
        name: as docs/sdks.md names it.
        flags: what the service is started with.
        settle_s: how long after its end its consequences last.
    """

    name: ClassVar[str] = "202"
    settle_s: ClassVar[float] = 0.0
    flags: ClassVar[tuple[str, ...]] = ()

    def __init__(self, service: Service) -> None:
        self._service = service

    @classmethod
    def flags_now(cls) -> tuple[str, ...]:
        """Flags of a service that can meet it."""
        return cls.flags

    def reached(self) -> AbstractContextManager[str]:
        """The URL that SDKs are given."""
        return nullcontext(self._service.rest)

    def begin(self) -> None:
        """From now on."""

    def wait_until_met(self, keys: set[str]) -> None:
        """Return when each key's SDK has met it."""

    def end(self) -> None:
        """No more."""

    def keys_of_beacons(self) -> set[str]:
        """Keys of pages of which a beacon was seen; without a front nothing is."""
        return set()


class _ThroughAFront(Fault):
    """A fault that is made, or seen, by the front."""

    front: Front

    @contextmanager
    def reached(self) -> Iterator[str]:
        with served_front(self._service.grpc) as self.front:
            yield self.front.url

    def keys_of_beacons(self) -> set[str]:
        return self.front.keys(lambda post: post.beacon)


class Refused(_ThroughAFront):
    """Every post of events is invalid: the front spoils it, the service answers."""

    name = "400"

    def begin(self) -> None:
        self.front.treatment = Treatment.SPOILED

    def wait_until_met(self, keys: set[str]) -> None:
        _wait_for_all(keys, lambda: self.front.keys(lambda post: post.status == 400))

    def end(self) -> None:
        self.front.treatment = Treatment.NONE


class LogFull(_ThroughAFront):
    """The service's own 503: its log is full, as the lake takes nothing. The front only looks on."""

    name = "503"
    flags = ("--log-limit", "1MiB", "--seal-age", "1h", "--lake-age", "1h")

    def begin(self) -> None:
        # Else it would publish at once what fills the log.
        self._lake = self._service.pid("lake")
        os.kill(self._lake, signal.SIGSTOP)
        self._wait_for_all_workers(503, "x" * 300_000)

    def wait_until_met(self, keys: set[str]) -> None:
        _wait_for_all(keys, lambda: self.front.keys(lambda post: post.status == 503))

    def end(self) -> None:
        os.kill(self._lake, signal.SIGCONT)
        self._service.flush()
        self._wait_for_all_workers(202, "")

    def _wait_for_all_workers(self, status: int, filler: str) -> None:
        # Each looks by itself what waits for the lake; they take turns: this many answers are from all of them.
        wait_until(
            lambda: all(self._post(filler) == status for _ in range(6)),
            within_s=20,
            what=f"all workers answer {status}",
        )

    def _post(self, filler: str) -> int:
        event = {"user": {"userID": "u1"}, "eventName": "filler", "time": 1, "metadata": {"text": filler}}
        headers = {"statsig-api-key": self._service.server_key, "statsig-client-time": "1"}
        body = json.dumps({"events": [event]})
        headers["content-type"] = "application/json"
        return httpx.post(f"{self._service.rest}/v1/log_event", content=body, headers=headers, timeout=10).status_code


class Restart(Fault):
    """`sluice up` is stopped, and started again later; meanwhile its address refuses connections.

    That an SDK has met it nobody sees but the SDK: the scenario lasts long enough for each to try.
    """

    name = "restart"

    @classmethod
    def flags_now(cls) -> tuple[str, ...]:
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            return ("--listen", f"127.0.0.1:{free.getsockname()[1]}")

    def begin(self) -> None:
        code = self._service.stop()
        assert code == 0, f"sluice up ended with {code}"

    def end(self) -> None:
        self._service.start()


class SlowAck(_ThroughAFront):
    """Events are durable at once, and the answers come late."""

    name = "slow ack"
    settle_s = 2 * DELAY_S + 1  # Java's serversdk gives up after 10 s, and sends again 10 s later

    def begin(self) -> None:
        self.front.treatment = Treatment.DELAYED

    def wait_until_met(self, keys: set[str]) -> None:
        _wait_for_all(keys, lambda: self.front.keys(lambda post: post.treatment is Treatment.DELAYED))

    def end(self) -> None:
        self.front.treatment = Treatment.NONE


FAULTS: tuple[type[Fault], ...] = (Fault, Refused, LogFull, Restart, SlowAck)


def service_for(fault: type[Fault], data_dir: Path) -> Service:
    """A service that can meet the fault."""
    return Service(data_dir, *fault.flags_now())


def _wait_for_all(keys: set[str], met: Callable[[], set[str]]) -> None:
    wait_until(lambda: keys <= met(), within_s=_MET_WITHIN_S, what="each SDK has met the fault")
