"""What a client sends in one attempt, made so that each row of the lake tells whose it is and whether it is whole.

Every event carries the attempt's id, its own place among the attempt's events, how many they are, and a checksum of all
that with a text. An attempt is made once and sent once: a client that sends again makes a new one.
"""

import gzip
import json
import random
import time
import zlib
from dataclasses import dataclass

import msgspec

from sluice.events.v1 import events_pb2 as pb

__all__ = ["Attempt", "Mark", "Sending", "json_body", "make_attempt", "message", "sum_of"]

MOST_EVENTS = 100
EVENT_NAME = "attempt"

# Signs that JSON escapes, and some that take two to four bytes; slices of it are the texts.
_TEXT = "".join(f'{n:x} "q" \\ /\té–🌊 ' for n in range(700))
_SIZES = (1, 1, 1, 2, 3, 5, 10, 30, MOST_EVENTS)
_TEXT_LENGTHS = (0, 20, 60, 200, 4000)
_TEXT_WEIGHTS = (2, 8, 8, 2, 0.1)


class Mark(msgspec.Struct, frozen=True):
    """The `metadata` of an event.

    Attributes:
        attempt: the attempt's id.
        index: the event's place, from 0.
        count: of the attempt's events.
        sum: see `sum_of`.
        text: of any length.
    """

    attempt: int
    index: int
    count: int
    sum: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How an attempt is sent.

    Attributes:
        webhook: to the door for webhooks, else to the one for SDKs.
        gzip: a JSON body is compressed.
        kept_alive: over a connection that has served before.
        fault: why it must be refused: `key`, `event`, `syntax`, `compressed`, or "" for a good one.
        timeout_s: how long its client waits; short for one that gives up.
    """

    webhook: bool
    gzip: bool
    kept_alive: bool
    fault: str
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request that is sent once.

    Attributes:
        id: no other has it.
        marks: of its events.
        sending: how it is sent.
    """

    id: int
    marks: tuple[Mark, ...]
    sending: Sending


def make_attempt(
    attempt_id: int, chance: random.Random, *, count: int, sending: Sending, text_bytes: int = 0
) -> Attempt:
    """An attempt with events of different lengths, or with so much text each, which can hardly be compressed."""
    marks = []
    for index in range(count):
        text = chance.randbytes(text_bytes // 2).hex() if text_bytes else _some_text(chance)
        marks.append(Mark(attempt_id, index, count, sum_of(attempt_id, index, count, text), text))
    return Attempt(id=attempt_id, marks=tuple(marks), sending=sending)


def _some_text(chance: random.Random) -> str:
    [length] = chance.choices(_TEXT_LENGTHS, _TEXT_WEIGHTS)
    begin = chance.randrange(len(_TEXT) - length)
    return _TEXT[begin : begin + length]


def choose_size(chance: random.Random) -> int:
    """How many events an attempt has: mostly few, at most `MOST_EVENTS`."""
    size = chance.choice(_SIZES)
    return chance.randint(1, size)


def sum_of(attempt: int, index: int, count: int, text: str) -> int:
    """What shows that nothing of an event was altered, nor taken from another one."""
    return zlib.crc32(f"{attempt}/{index}/{count}/{text}".encode())


def user_of(mark: Mark) -> str:
    """The userID of an event."""
    return f"a{mark.attempt}.{mark.index}"


def json_body(attempt: Attempt) -> bytes:
    """The body of a REST request, compressed where the attempt wants it."""
    events = [_json_event(mark) for mark in attempt.marks]
    if attempt.sending.fault == "event":
        del events[-1]["eventName"]
    body = json.dumps({"events": events}, ensure_ascii=attempt.id % 2 == 0).encode()
    if attempt.sending.fault == "syntax":
        body = body[:-1]
    return gzip.compress(body, 1) if attempt.sending.gzip else body


def message(attempt: Attempt) -> pb.LogEventRequest | pb.ReceiveWebhookEventRequest:
    """The message of a gRPC call."""
    made: pb.LogEventRequest | pb.ReceiveWebhookEventRequest
    made = pb.ReceiveWebhookEventRequest() if attempt.sending.webhook else pb.LogEventRequest()
    for mark in attempt.marks:
        event = made.events.add(event_name=EVENT_NAME, time=_now_ms())
        event.user.user_id = user_of(mark)
        event.value.number_value = mark.index
        event.metadata.update(msgspec.structs.asdict(mark))
    if attempt.sending.fault == "event":
        made.events[-1].ClearField("event_name")
    return made


def _json_event(mark: Mark) -> dict[str, object]:
    return {
        "user": {"userID": user_of(mark)},
        "eventName": EVENT_NAME,
        "time": _now_ms(),
        "value": mark.index,
        "metadata": msgspec.structs.asdict(mark),
    }


def _now_ms() -> int:
    return int(time.time() * 1000)
