"""Clients that send without a pause while something fails, each attempt once, and a ledger by which the lake is judged.

how an attempt ended           what the lake must have
acknowledged: 202, OK          all its events, once
refused: 4xx and the like      nothing
failed: 5xx, UNAVAILABLE       nothing, or all its events once
unanswered                     the same
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import grpc
import httpx

from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2_grpc as services
from tests.support.service import Service
from tests.support.waiting import wait_until

EVENTS = 3
# The machine is for the service, and its faults.
_PAUSE_S = 0.02
_FAILED = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL"}
_numbers = count()


@dataclass(slots=True)
class Ledger:
    """How every attempt ended: a status of HTTP, a code of gRPC, or the error that was all that came."""

    answers: dict[str, str] = field(default_factory=dict)

    def of(self, *statuses: str) -> list[str]:
        """The attempts that ended so."""
        return [attempt for attempt, status in list(self.answers.items()) if status in statuses]

    def acknowledged(self) -> list[str]:
        """Those that were promised to be in the lake."""
        return self.of("202", "OK")

    def classes(self) -> Counter[str]:
        """How many attempts ended in each way."""
        return Counter(_class_of(status) for status in list(self.answers.values()))

    def check(self, service: Service) -> None:
        """Bring all to the lake, and compare."""
        service.flush()
        rows = Counter({str(name): n for name, n in service.rows("select event_name, count(*) from events group by 1")})
        print(f"ledger: {dict(self.classes())}, {sum(attempt in rows for attempt in self.answers)} in the lake")
        wrong = {
            attempt: (status, rows[attempt])
            for attempt, status in self.answers.items()
            if rows[attempt] not in _ALLOWED[_class_of(status)]
        }
        assert wrong == {}, "attempts that the lake has otherwise than was told"


_ALLOWED = {"acknowledged": (EVENTS,), "refused": (0,), "failed": (0, EVENTS), "unanswered": (0, EVENTS)}


def _class_of(status: str) -> str:
    if status in ("202", "OK"):
        return "acknowledged"
    if status in _FAILED or (status.isdigit() and status >= "500"):
        return "failed"
    if status.isdigit() or status.isupper():
        return "refused"
    return "unanswered"


class Load:
    """Clients at work.

    Args:
        service: whom they send to.
        rest: how many post JSON.
        native: how many call by gRPC.
        text_bytes: how much text each event has beside, which hardly can be compressed.
    """

    def __init__(self, service: Service, *, rest: int = 2, native: int = 1, text_bytes: int = 0) -> None:
        self.ledger = Ledger()
        self._text_bytes = text_bytes
        self._key = service.server_key
        self._rest, self._native = service.rest, service.grpc
        self._is_over = threading.Event()
        # Names, so that the lake tells one load's attempts from another's.
        self._name = f"load{next(_numbers)}"
        work: list[Callable[[str], None]] = [self._post] * rest + [self._call] * native
        self._threads = [
            threading.Thread(target=one, args=(f"{self._name}-{index}",), daemon=True) for index, one in enumerate(work)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each finish what it has in hand."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive(), "a client does not end"

    def wait_for(self, *statuses: str, more: int = 3, within_s: float = 20) -> float:
        """Return when so many more attempts have ended in each of these ways; after how many seconds."""
        before = self._counts()
        began = time.monotonic()
        wait_until(
            lambda: all(self._counts()[status] >= before[status] + more for status in statuses),
            within_s=within_s,
            what=f"{more} more answers of each of {statuses}: {dict(self._counts())}",
        )
        return time.monotonic() - began

    def _text(self) -> str:
        return os.urandom(self._text_bytes // 2).hex()

    def _counts(self) -> Counter[str]:
        return Counter(list(self.ledger.answers.values()))

    def _note(self, attempt: str, status: str) -> None:
        self.ledger.answers[attempt] = status
        time.sleep(_PAUSE_S)

    def _post(self, client_name: str) -> None:
        event = {"user": {"userID": client_name}, "time": 1767225600000}
        headers = {"statsig-api-key": self._key, "statsig-client-time": "1767225600000"}
        with httpx.Client(timeout=40) as client:
            for number in count():
                if self._is_over.is_set():
                    return
                attempt = f"{client_name}-{number}"
                body = {"events": [event | {"eventName": attempt, "metadata": {"text": self._text()}}] * EVENTS}
                try:
                    answer = client.post(f"{self._rest}/v1/log_event", json=body, headers=headers)
                except httpx.HTTPError as exc:
                    self._note(attempt, type(exc).__name__)
                else:
                    self._note(attempt, str(answer.status_code))

    def _call(self, client_name: str) -> None:
        options = [("grpc.enable_retries", 0), ("grpc.max_reconnect_backoff_ms", 300)]
        with grpc.insecure_channel(self._native, options=options) as channel:
            stub = services.EventsServiceStub(channel)
            for number in count():
                if self._is_over.is_set():
                    return
                attempt = f"{client_name}-{number}"
                event = pb.Event(event_name=attempt, time=1767225600000, user=pb.User(user_id=client_name))
                event.metadata["text"] = self._text()
                try:
                    stub.LogEvent(
                        pb.LogEventRequest(events=[event] * EVENTS),
                        metadata=[("statsig-api-key", self._key)],
                        timeout=40,
                    )
                except grpc.RpcError as exc:
                    self._note(attempt, exc.code().name)
                else:
                    self._note(attempt, "OK")


@contextmanager
def load_on(service: Service, *, rest: int = 2, native: int = 1, text_bytes: int = 0) -> Iterator[Load]:
    """Load until the block ends; it has begun to be acknowledged, by both protocols, when the block begins."""
    load = Load(service, rest=rest, native=native, text_bytes=text_bytes)
    try:
        load.wait_for(*(["202"] if rest else []), *(["OK"] if native else []), within_s=30)
        yield load
    finally:
        load.stop()
