"""One client that sends without an end, in a thread of its own, and keeps the ledger. It sends no attempt twice."""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import httpx

from sluice.events.v1 import events_service_pb2_grpc as services
from tests.support.ledger.attempts import Attempt, Sending, choose_size, json_body, make_attempt, message
from tests.support.ledger.ledger import Answer, Ledger, Outcome

__all__ = ["PATIENT_S", "Client", "Door", "Habits", "NativeClient", "RestClient"]

PATIENT_S = 30.0
_IMPATIENT_S = 0.02
_SHARE_OF_IMPATIENT = 0.02
_SHARE_OF_FAULTS = 0.06
_PAUSE_AFTER_AN_ANSWER_S = 0.03
_PAUSE_AFTER_NONE_S = 0.1
# A lake writer that comes back on a slow machine would have ever more to do.
_MANY_SEGMENTS = 200
_TIMES_SLOWER = 8
_LOOK_AT_BACKLOG_EVERY_S = 1.0
_MOST_NOT_SERVED = 20
# A client that begins anew connects anew, too.
_SHARE_OF_NEW_CONNECTIONS = 0.1
_EVENTS_WITH_TEXT = 3

# gRPC itself sends nothing again, and its own pauses are for servers that are far away.
_CHANNEL_OPTIONS = (
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 300),
)
_REFUSING = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where events go in.

    Attributes:
        address: `host:port`, the same over restarts.
        server_key: one that opens both doors.
        client_key: one that opens only that for SDKs.
        backlog: tells how many segments wait for the lake: clients send less often while they are many.
    """

    address: str
    server_key: str
    client_key: str
    backlog: Callable[[], int] = lambda: 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How clients are.

    Attributes:
        only_good: none sends what must be refused, or gives up early.
        reconnects: some attempts go over a new connection.
        text_bytes: how much text each of an attempt's three events has, which can hardly be compressed; 0: they are as
            many, and as long, as it comes.
    """

    only_good: bool = False
    reconnects: bool = True
    text_bytes: int = 0


class Client(threading.Thread):
    """One client.

    Args:
        door: where it sends to.
        ledger: what it keeps, as others do.
        chance: makes its choices.
        habits: what they are among.
        paused: while it is set, none is begun.
        ended: set for the thread to end.

    Attributes:
        protocol: what it speaks.
        answers: how often it was answered what, by the protocol's status; with the errors that were all that came.
        not_served: the latest other answers than acknowledgements, in words, each with how long it took.
        rests: whether it has nothing in hand, and begins nothing.
        served_at: when it began what was acknowledged last, on the monotonic clock.
        waits_since: when it began what it has in hand.
        error: what ended it too early.
    """

    protocol = ""

    def __init__(
        self,
        door: Door,
        ledger: Ledger,
        *,
        chance: random.Random,
        habits: Habits,
        paused: threading.Event,
        ended: threading.Event,
    ) -> None:
        super().__init__(daemon=True, name=f"client-{self.protocol}")
        self._door = door
        self._ledger = ledger
        self._chance = chance
        self._paused = paused
        self._ended = ended
        self._habits = habits
        self.answers: Counter[str] = Counter()
        self.not_served: deque[str] = deque(maxlen=_MOST_NOT_SERVED)
        self.rests = False
        self.served_at = 0.0
        self.waits_since: float | None = None
        self.error: Exception | None = None
        self._looked_at = 0.0
        self._slower = 1

    def run(self) -> None:
        """Send, until it is told to end."""
        try:
            while not self._ended.is_set():
                if self._paused.is_set():
                    self.rests = True
                    time.sleep(0.01)
                    continue
                self.rests = False
                self._attempt()
        except Exception as exc:  # noqa: BLE001  whatever it is, whoever waits for this thread raises it
            self.error = exc
        finally:
            self.rests = True
            self.disconnect()

    def send(self, attempt: Attempt) -> Answer:
        """Send it once, and wait for the answer."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """Let the next attempt go over a new connection."""
        raise NotImplementedError

    def faults(self) -> tuple[str, ...]:
        """What may be wrong with an attempt that must be refused."""
        raise NotImplementedError

    def key_for(self, sending: Sending) -> str:
        """The key that an attempt is sent with."""
        if sending.fault == "key":
            return "secret-that-nobody-made"
        return self._door.server_key if sending.webhook else self._door.client_key

    def _attempt(self) -> None:
        text_bytes = self._habits.text_bytes
        count = _EVENTS_WITH_TEXT if text_bytes else choose_size(self._chance)
        attempt = make_attempt(
            self._ledger.begin(count), self._chance, count=count, sending=self._choose_sending(), text_bytes=text_bytes
        )
        if not attempt.sending.kept_alive:
            self.disconnect()
        sent_at, began = time.time(), time.monotonic()
        self.waits_since = began
        answer = self.send(attempt)
        self.waits_since = None
        door = f"{self.protocol}{' webhook' if attempt.sending.webhook else ''}"
        self._ledger.end(attempt.id, answer, door=door, must_fail=attempt.sending.fault, sent_at=sent_at)
        self.answers[answer.status] += 1
        if answer.outcome is Outcome.ACKNOWLEDGED:
            self.served_at = began
        else:
            self.not_served.append(f"after {time.monotonic() - began:.3f} s {answer.status}: {answer.words}")
        answered = answer.outcome in (Outcome.ACKNOWLEDGED, Outcome.REFUSED)
        pause_s = _PAUSE_AFTER_AN_ANSWER_S if answered else _PAUSE_AFTER_NONE_S
        time.sleep(self._chance.random() * pause_s * self._look_at_backlog())

    def _look_at_backlog(self) -> int:
        now = time.monotonic()
        if now - self._looked_at > _LOOK_AT_BACKLOG_EVERY_S:
            self._looked_at = now
            self._slower = _TIMES_SLOWER if self._door.backlog() > _MANY_SEGMENTS else 1
        return self._slower

    def _choose_sending(self) -> Sending:
        chance = self._chance
        odd = not self._habits.only_good
        return Sending(
            webhook=chance.random() < 0.25,
            gzip=chance.random() < 0.5,
            kept_alive=not self._habits.reconnects or chance.random() >= _SHARE_OF_NEW_CONNECTIONS,
            fault=chance.choice(self.faults()) if odd and chance.random() < _SHARE_OF_FAULTS else "",
            timeout_s=_IMPATIENT_S if odd and chance.random() < _SHARE_OF_IMPATIENT else PATIENT_S,
        )


class RestClient(Client):
    """Posts JSON."""

    protocol = "rest"
    _http: httpx.Client | None = None

    def faults(self) -> tuple[str, ...]:
        return ("key", "event", "syntax")

    def disconnect(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def send(self, attempt: Attempt) -> Answer:
        # Without certificates, whose reading takes longer than a request.
        self._http = self._http or httpx.Client(verify=False, trust_env=False)
        path = "webhooks/event_webhook" if attempt.sending.webhook else "log_event"
        headers = {
            "content-type": "application/json",
            "statsig-api-key": self.key_for(attempt.sending),
            "statsig-client-time": str(int(time.time() * 1000)),
            **({"content-encoding": "gzip"} if attempt.sending.gzip else {}),
        }
        try:
            answer = self._http.post(
                f"http://{self._door.address}/v1/{path}",
                content=json_body(attempt),
                headers=headers,
                timeout=attempt.sending.timeout_s,
            )
        except httpx.HTTPError as exc:
            return Answer(outcome=Outcome.UNANSWERED, status=type(exc).__name__, words=str(exc))
        return Answer(
            outcome=_outcome_of(answer.status_code),
            status=str(answer.status_code),
            request_id=answer.headers.get("x-request-id", ""),
            words=answer.text,
        )


class NativeClient(Client):
    """Calls by gRPC."""

    protocol = "grpc"
    _channel: grpc.Channel | None = None

    def faults(self) -> tuple[str, ...]:
        return ("key", "event", "compressed")

    def disconnect(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def send(self, attempt: Attempt) -> Answer:
        self._channel = self._channel or grpc.insecure_channel(self._door.address, options=_CHANNEL_OPTIONS)
        stub = services.EventsServiceStub(self._channel)
        method = stub.ReceiveWebhookEvent if attempt.sending.webhook else stub.LogEvent
        try:
            _, call = method.with_call(
                message(attempt),
                metadata=[("statsig-api-key", self.key_for(attempt.sending))],
                timeout=attempt.sending.timeout_s,
                # Native calls go uncompressed: docs/grpc.md.
                compression=grpc.Compression.Gzip if attempt.sending.fault == "compressed" else None,
            )
        except grpc.RpcError as exc:
            return _answer_of(exc.code(), exc.details() or "")
        request_id = dict(call.initial_metadata()).get("x-request-id", "")
        return Answer(outcome=Outcome.ACKNOWLEDGED, status="OK", request_id=request_id)


def _outcome_of(status: int) -> Outcome:
    if status == 202:
        return Outcome.ACKNOWLEDGED
    if 400 <= status < 500:
        return Outcome.REFUSED
    assert status >= 500, f"an answer that nobody expects: {status}"
    return Outcome.FAILED


def _answer_of(code: grpc.StatusCode, words: str) -> Answer:
    if code in _REFUSING:
        return Answer(outcome=Outcome.REFUSED, status=code.name, words=words)
    outcome = Outcome.UNANSWERED if code is grpc.StatusCode.DEADLINE_EXCEEDED else Outcome.FAILED
    return Answer(outcome=outcome, status=code.name, words=words)
