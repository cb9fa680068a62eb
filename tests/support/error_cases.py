"""Every error that a caller can meet: what it says, and how to meet it. docs/errors.md prints this table.

In texts `{…}` stands for what a stack's facts say; `found` is `nothing` where something is missing. Where nothing is
wrong with the request, there is no path and nothing that was expected.
"""

from __future__ import annotations

import gzip
import math
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf.struct_pb2 import Struct, Value

from sluice.error_details import Reason
from sluice.events.v1 import events_pb2 as pb
from tests.support.cut_line import CutLine
from tests.support.edge import exchange, running_edge
from tests.support.error_stack import GOOD, MAX_BODY, Stack, Told, told_over_http
from tests.support.http2 import frame

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CASES", "ErrorCase"]


@dataclass(frozen=True, kw_only=True)
class ErrorCase:
    """One error.

    Attributes:
        cause: what a caller did, or met.
        status: of HTTP, or the name of gRPC's code.
        reason: that of gRPC and of the metrics.
        path: where in the request; "" nowhere.
        expected: in words.
        found: in words.
        mend: what to do.
        meet: sends what is answered so.
    """

    cause: str
    status: int | str
    reason: Reason | None
    path: str
    expected: str
    found: str
    mend: str
    meet: Callable[[Stack], Told]

    @property
    def begins(self) -> str:
        """How its message begins; how to mend it comes after."""
        if not self.path:
            return self.found
        expected = f"expected {self.expected}"
        return f"{self.path}: " + (
            f"missing, {expected}" if self.found == "nothing" else f"{expected}, got {self.found}"
        )


_MEND_EVENTS = "mend them or leave them out, and send the rest again"
_SEND_EVENTS = 'send {{"events":[...]}}'
_TIME = "integer (ms since epoch)"
_CLOCK = "send the client's clock in this header, or as t in the query"
_CLOCK_IN_BODY = "send the client's clock as clientTime in the body, or in a header"
_MEND = "mend that, and send the request again"


_WITHOUT_USER = '{"eventName":"e","time":1767225600000}'


def _event(**fields: str) -> str:
    parts = {"user": '{"userID":"u1"}', "eventName": '"e"', "time": "1767225600000", **fields}
    members = ",".join(f'"{name}":{text}' for name, text in parts.items() if text)
    return f'{{"events":[{{{members}}}]}}'


def _request(  # noqa: PLR0917  a row of the table, in its order
    cause: str, where: str, expected: str, found: str, mend: str, body: bytes | str, **named: Any
) -> ErrorCase:
    """A JSON body that is wrong as a whole."""
    return ErrorCase(
        cause=cause,
        status=400,
        reason=Reason.INVALID_REQUEST,
        path=where,
        expected=expected,
        found=found,
        mend=mend,
        meet=lambda stack: stack.rest(body, **named),
    )


def _of_event(cause: str, name: str, expected: str, found: str, body: str, **named: Any) -> ErrorCase:
    """A JSON body with an event that is wrong."""
    return ErrorCase(
        cause=cause,
        status=400,
        reason=Reason.INVALID_EVENTS,
        path=f"events[0]{name and '.'}{name}",
        expected=expected,
        found=found,
        mend=_MEND_EVENTS,
        meet=lambda stack: stack.rest(body, **named),
    )


_BODIES = [
    _request("an empty body", "body", "JSON", "an empty body", _SEND_EVENTS, ""),
    _request(
        "a body that was cut off",
        "events[0].time",
        "JSON",
        "the end of the body at offset 60",
        "send the whole body",
        GOOD[:60],
    ),
    _request(
        "no JSON; NaN",
        "events[0].time",
        "JSON",
        "a character that may not stand at offset 58",
        "write the body with a JSON library",
        _event(time="NaN"),
    ),
    _request(
        "half of a surrogate pair",
        "events[0].eventName",
        "JSON",
        "half a surrogate pair at offset 48",
        "don't cut text within a character",
        _event(eventName='"\\ud800"'),
    ),
    _request(
        "a byte that is not UTF-8",
        "events[0].eventName",
        "text in UTF-8",
        "another byte at offset 49",
        "write the whole body in UTF-8",
        _event(eventName='"xy"').encode().replace(b"xy", b"x\xff"),
    ),
    _request(
        "nested too deep",
        "events[0].metadata",
        "at most 500 levels of nesting",
        "a deeper one at offset 580",
        "nest it less, or send it as text",
        _event(metadata="[" * 500 + "]" * 500),
    ),
    _request(
        "a packed body that is broken or cut off",
        "body",
        "gzip",
        "something else, or only a part",
        "pack the whole body so, or send it without content-encoding",
        gzip.compress(GOOD.encode())[:-4],
        headers={"content-encoding": "gzip"},
    ),
    _request(
        "a packed body of very many members",
        "body",
        "at most 10,000 members of gzip",
        "more",
        "pack the whole body as one",
        gzip.compress(b"") * 10_001,
        headers={"content-encoding": "gzip"},
    ),
    _request("another value than an object", "body", "object", "array", _SEND_EVENTS, "[]"),
    _request("no events", "events", "array", "nothing", _SEND_EVENTS, "{}"),
    _request("events that are null", "events", "array", "nothing", _SEND_EVENTS, '{"events":null}'),
    _request("events that are no array", "events", "array", "object", _SEND_EVENTS, '{"events":{}}'),
    _request(
        "statsigMetadata that is no object",
        "statsigMetadata",
        "object",
        "string",
        "leave out what isn't known of the SDK",
        '{"events":[],"statsigMetadata":"js"}',
    ),
    _request(
        "statsigMetadata with another type in it",
        "statsigMetadata.sdkType",
        "string",
        "number",
        "leave out what isn't known of the SDK",
        '{"events":[],"statsigMetadata":{"sdkType":1}}',
    ),
    _request("no clock", "STATSIG-CLIENT-TIME", _TIME, "nothing", _CLOCK, GOOD, headers={"statsig-client-time": None}),
    _request(
        "a clock that is no number",
        "STATSIG-CLIENT-TIME",
        _TIME,
        "another text",
        _CLOCK,
        GOOD,
        headers={"statsig-client-time": "1.5"},
    ),
    _request(
        "a clock beyond 64 bits",
        "STATSIG-CLIENT-TIME",
        _TIME,
        "number beyond 64 bits",
        _CLOCK,
        GOOD,
        headers={"statsig-client-time": "9223372036854775808"},
    ),
    *(
        _request(
            f"a clock in the body that is {cause}",
            "clientTime",
            _TIME,
            found,
            _CLOCK_IN_BODY,
            f'{{"events":[],"clientTime":{sent}}}',
            headers={"statsig-client-time": None},
        )
        for cause, found, sent in [
            ("text, but no number", "another text", '"soon"'),
            ("no integer", "another value", "1.5"),
            ("beyond 64 bits", "number beyond 64 bits", "9223372036854775808"),
        ]
    ),
    _request("a user of the request that is no object", "user", "object", "number", _MEND, '{"events":[],"user":7}'),
    _request(
        "a user of the request, too large for so many events",
        "user",
        "at most 16777 bytes where 1000 events share it",
        "20012",
        "send fewer events per request, or a smaller user",
        f'{{"user":{{"email":"{"x" * 20_000}"}},"events":[{",".join([_WITHOUT_USER] * 1000)}]}}',
    ),
]

_EVENTS = [
    _of_event("an event that is no object", "", "object", "number", '{"events":[7]}'),
    _of_event("no event name", "eventName", "string", "nothing", _event(eventName="")),
    _of_event("an event name of another type", "eventName", "string", "number", _event(eventName="7")),
    _of_event("no time", "time", _TIME, "nothing", _event(time="")),
    _of_event("a time with a fraction", "time", _TIME, "number with a fraction", _event(time="1.5")),
    _of_event("a time beyond 64 bits", "time", _TIME, "number beyond 64 bits", _event(time="9223372036854775808")),
    _of_event("a time in words", "time", _TIME, "string that is no ISO-8601 time", _event(time='"soon"')),
    _of_event("a time of another type", "time", _TIME, "boolean", _event(time="true")),
    _of_event("no user", "user", "object", "nothing", _event(user="")),
    _of_event("a user that is no object", "user", "object", "string", _event(user='"u1"')),
    _of_event("a userID of another type", "user.userID", "string or number", "boolean", _event(user='{"userID":true}')),
    _of_event("an e-mail of another type", "user.email", "string", "number", _event(user='{"email":1}')),
    _of_event("custom that is no object", "user.custom", "object", "array", _event(user='{"custom":[]}')),
    _of_event("customIDs that are no object", "user.customIDs", "object", "array", _event(user='{"customIDs":[]}')),
    _of_event(
        "a custom id that is no text",
        "user.customIDs",
        "strings as values",
        "number",
        _event(user='{"customIDs":{"a":7}}'),
    ),
    _of_event("a value of another type", "value", "string or number", "boolean", _event(value="true")),
    _of_event("metadata that are no object", "metadata", "object", "string", _event(metadata='"text"')),
]

_WEBHOOK = "/v1/webhooks/event_webhook"
_NO_SUCH_NAME = "array, or in its place event, the name of one"


def _of_webhook(cause: str, path: str, expected: str, found: str, body: str, mend: str = _MEND) -> ErrorCase:  # noqa: PLR0917  a row of the table, in its order
    """One event as webhooks post it, which is wrong."""
    return _request(f"webhook: {cause}", path, expected, found, mend, body, path=_WEBHOOK)


_OF_WEBHOOKS = [
    _of_webhook(
        "neither events nor one event",
        "events",
        _NO_SUCH_NAME,
        "neither",
        "{}",
        'send {{"events":[...]}}, or one event as {{"event":"...","user":{{...}}}}',
    ),
    _of_webhook(
        "both events and one event",
        "events",
        _NO_SUCH_NAME,
        "both",
        '{"event":"e","user":{},"events":[]}',
        "leave one of them out",
    ),
    _of_webhook("a name of another type", "event", "string", "number", '{"event":7,"user":{}}'),
    _of_webhook("no user", "user", "object", "nothing", '{"event":"e"}'),
    _of_webhook("a time of another type", "timestamp", _TIME, "boolean", '{"event":"e","user":{},"timestamp":true}'),
    _of_webhook("a value of another type", "value", "string or number", "array", '{"event":"e","user":{},"value":[]}'),
    _of_webhook("metadata that are no object", "metadata", "object", "array", '{"event":"e","user":{},"metadata":[]}'),
]


def _of_exposure(cause: str, name: str, expected: str, found: str, exposure: str) -> ErrorCase:
    """An exposure of log_custom_exposure that is wrong."""
    return ErrorCase(
        cause=f"exposure: {cause}",
        status=400,
        reason=Reason.INVALID_EVENTS,
        path=f"exposures[0]{name and '.'}{name}",
        expected=expected,
        found=found,
        mend=_MEND_EVENTS,
        meet=lambda stack: stack.rest(f'{{"exposures":[{exposure}]}}', path=_EXPOSURES),
    )


_EXPOSURES = "/v1/log_custom_exposure"
_OF_EXPOSURES = [
    _request(
        "exposure: none, as in a body of another endpoint",
        "exposures",
        "array",
        "nothing",
        'send {{"exposures":[...]}}',
        GOOD,
        path=_EXPOSURES,
    ),
    _of_exposure("no object", "", "object", "number", "7"),
    _of_exposure("no name", "", "experimentName or gateName", "neither", '{"user":{},"group":"g"}'),
    _of_exposure(
        "both names",
        "",
        "either experimentName or gateName",
        "both",
        '{"user":{},"group":"g","experimentName":"e","gateName":"g","passes":true}',
    ),
    _of_exposure("neither group nor rule", "", "group or ruleID", "neither", '{"user":{},"experimentName":"e"}'),
    _of_exposure(
        "an empty name",
        "experimentName",
        "a name",
        "an empty string",
        '{"user":{},"experimentName":"","group":"g"}',
    ),
    _of_exposure(
        "a name of another type", "gateName", "string", "number", '{"user":{},"gateName":7,"passes":true,"group":"g"}'
    ),
    _of_exposure("a rule of another type", "ruleID", "string", "number", '{"user":{},"experimentName":"e","ruleID":7}'),
    _of_exposure("a gate without outcome", "passes", "boolean", "nothing", '{"user":{},"gateName":"g","group":"g"}'),
    _of_exposure(
        "an outcome of another type",
        "passes",
        "boolean",
        "string",
        '{"user":{},"gateName":"g","group":"g","passes":"true"}',
    ),
    _of_exposure("no user", "user", "object", "nothing", '{"experimentName":"e","group":"g"}'),
]


def _key(cause: str, reason: Reason, found: str, mend: str, key: str, **named: Any) -> ErrorCase:
    expected = {
        Reason.KEY_MISSING: "an API key",
        Reason.KEY_UNKNOWN: "a key that is known here",
        Reason.KEY_NOT_FOR_THIS_DOOR: "a key for this endpoint",
    }.get(reason, "a key in force")
    return ErrorCase(
        cause=cause,
        status=401,
        reason=reason,
        path="statsig-api-key",
        expected=expected,
        found=found,
        mend=mend,
        meet=lambda stack: stack.rest(key=key, **named),
    )


_KEYS = [
    _key("no key", Reason.KEY_MISSING, "nothing", "send it in this header, a client key also as ?k=", ""),
    _key(
        "a key that nobody made",
        Reason.KEY_UNKNOWN,
        '"{unknown}..."',
        "make one with sluice keys create, or to keep a Statsig key, import it: sluice keys import",
        "unknown",
    ),
    _key(
        "a key that was revoked",
        Reason.KEY_REVOKED,
        '"{revoked}...", which is revoked',
        "make another with sluice keys create",
        "revoked",
    ),
    _key(
        "a key that has expired",
        Reason.KEY_EXPIRED,
        '"{expired}...", which has expired',
        "make another with sluice keys create",
        "expired",
    ),
    _key(
        "a key made for other endpoints; a client key at the webhook",
        Reason.KEY_NOT_FOR_THIS_DOOR,
        '"{client}...", which is not',
        "use one made for it, such as a server secret",
        "client",
        path="/v1/webhooks/event_webhook",
    ),
    ErrorCase(
        cause="a server secret in the address",
        status=401,
        reason=Reason.SERVER_SECRET_IN_QUERY,
        path="k in the query",
        expected="a client key",
        found='server secret "{server}..."',
        mend="send it in the header statsig-api-key, and replace it, as addresses are logged",
        meet=lambda stack: stack.rest(key="", path=f"/v1/rgstr?k={stack.keys['server']}"),
    ),
]


def _http(  # noqa: PLR0917  a row of the table, in its order
    cause: str, status: int, where: str, expected: str, found: str, mend: str, **named: Any
) -> ErrorCase:
    """What Envoy refuses before any worker sees it."""
    return ErrorCase(
        cause=cause,
        status=status,
        reason=Reason.TOO_LARGE if status == 413 else None,
        path=where,
        expected=expected,
        found=found,
        mend=mend,
        meet=lambda stack: stack.rest(**named),
    )


def _raw(request: bytes) -> Callable[[Stack], Told]:
    return lambda stack: told_over_http(exchange(stack.edge.address, request))


_FEWER = "send fewer events per request"
_HTTP = [
    _http(
        "another path",
        404,
        "path",
        "/v1/log_event, /v1/rgstr, /v1/webhooks/event_webhook or /v1/log_custom_exposure",
        "/v1/initialize",
        "check the address that the SDK was given",
        path="/v1/initialize?k=client-0123456789",
    ),
    _http("another method", 405, "method", "POST", "PUT", "send the request with POST", method="PUT"),
    _http("another method, of health", 405, "method", "GET", "POST", "send the request with GET", path="/livez"),
    _http(
        "a content type that is not JSON",
        415,
        "content-type",
        "application/json, text/plain or none",
        "content-type application/xml and content-encoding -",
        "change that header",
        headers={"Content-Type": "application/xml"},
    ),
    _http(
        "a packing that is not read",
        415,
        "content-encoding",
        "gzip, zstd, br, identity or none",
        "content-type application/json and content-encoding deflate",
        "change that header",
        headers={"content-encoding": "deflate"},
    ),
    _http(
        "a body that is too large",
        413,
        "body",
        "at most {max_body} bytes, unpacked",
        "more",
        _FEWER,
        body=b" " * (MAX_BODY + 1),
    ),
    _http(
        "a body that unpacks to too much",
        413,
        "body",
        "at most {max_body} bytes, unpacked",
        "more",
        _FEWER,
        body=gzip.compress(b" " * (MAX_BODY + 1)),
        headers={"content-encoding": "gzip"},
    ),
    ErrorCase(
        cause="a body that does not arrive in time",
        status=408,
        reason=None,
        path="body",
        expected="all of it within {patience_s} s",
        found="only a part",
        mend=_FEWER,
        meet=_raw(b"POST /v1/log_event HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"),
    ),
    ErrorCase(
        cause="too large headers, or too many",
        status=431,
        reason=None,
        path="headers",
        expected="at most 32 KiB and 100 of them",
        found="more",
        mend="send fewer, and shorter ones",
        meet=_raw(b"POST /v1/log_event HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40_000 + b"\r\n\r\n"),
    ),
    ErrorCase(
        cause="what is no HTTP",
        status=400,
        reason=None,
        path="request",
        expected="valid HTTP",
        found="what Envoy calls http1.codec_error",
        mend="send it with an HTTP client",
        meet=_raw(b"GARBAGE\r\n\r\n"),
    ),
]


def _overloaded(stack: Stack) -> Told:
    large = _event(eventName=f'"{"x" * 2048}"')
    with stack.log_that_holds():
        first = threading.Thread(target=stack.rest, args=[large])
        first.start()
        assert stack.server.log.handed_over.wait(10)
        told = stack.rest(large)
    first.join()
    return told


def _log_unavailable(stack: Stack) -> Told:
    with stack.log_that(refuses=True):
        return stack.rest()


def _fail(*_: object) -> None:
    raise RuntimeError("a bug")


def _fault(stack: Stack) -> Told:
    with stack.log_that(put=_fail):
        return stack.rest()


def _stopping(stack: Stack) -> Told:
    told: list[Told] = []
    with stack.log_that_holds():
        waiting = threading.Thread(target=lambda: told.append(stack.rest()))
        waiting.start()
        assert stack.server.log.handed_over.wait(10)
        stack.server.ask_to_stop()
        stack.server.ask_to_stop()
        waiting.join()
    stack.new_worker()
    return told[0]


def _no_answer(stack: Stack) -> Told:
    with stack.log_that_holds():
        return stack.rest()


def _no_answer_over_grpc(stack: Stack) -> Told:
    with stack.log_that_holds():
        return stack.grpc(pb.LogEventRequest(events=[_good()]).SerializeToString())


def _without_worker(call: Callable[[Stack], Told]) -> Callable[[Stack], Told]:
    def meet(stack: Stack) -> Told:
        with stack.log_that(healthy=False):
            stack.edge.await_healthy(0)
            told = call(stack)
        stack.edge.await_healthy(1)
        return told

    return meet


def _lost(stack: Stack) -> Told:
    """The worker's connection breaks while it has the request."""
    with tempfile.TemporaryDirectory(prefix="lost-") as folder, stack.log_that_holds():
        line = Path(folder) / "line.sock"
        with (
            CutLine(line, stack.server.config.socket) as cut_line,
            ThreadPoolExecutor(1) as pool,
            running_edge(Path(folder), workers=0, sockets=[str(line)]) as edge,
        ):
            headers = {"statsig-api-key": stack.keys["server"], "statsig-client-time": "1"}
            answer = pool.submit(edge.post, GOOD.encode(), headers=headers)
            assert stack.server.log.handed_over.wait(10)
            cut_line.cut()
            return told_over_http(answer.result(10))


def _later(  # noqa: PLR0917  a row of the table, in its order
    cause: str, status: int | str, reason: Reason | None, found: str, mend: str, meet: Callable[[Stack], Told]
) -> ErrorCase:
    """Nothing is wrong with the request."""
    return ErrorCase(cause=cause, status=status, reason=reason, path="", expected="", found=found, mend=mend, meet=meet)


_AGAIN_LATER = "send the batch again later"
_PERHAPS_STORED = "the events may be on disk, or not: send them again"
_BROKE_OFF = "the service broke off before it answered"
_LATER = [
    _later("too much at once", 503, Reason.OVERLOADED, "too many requests at once", _AGAIN_LATER, _overloaded),
    _later(
        "the log takes nothing",
        503,
        Reason.LOG_UNAVAILABLE,
        "the log can't take events now",
        _AGAIN_LATER,
        _log_unavailable,
    ),
    _later("the worker ends", 503, Reason.STOPPING, "this server is stopping", "send the batch again", _stopping),
    _later("a fault of Sluice", 503, Reason.INTERNAL_FAULT, "a fault of this server", _AGAIN_LATER, _fault),
    _later(
        "no worker is there for it",
        503,
        Reason.NO_WORKER,
        "the service can't take the request now",
        "send it again later",
        _without_worker(lambda stack: stack.rest()),
    ),
    _later(
        "the worker was lost",
        503,
        Reason.WORKER_LOST,
        _BROKE_OFF,
        _PERHAPS_STORED,
        _lost,
    ),
    _later(
        "no answer in time",
        504,
        Reason.NO_ANSWER,
        "no worker answered within {patience_s} s",
        _PERHAPS_STORED,
        _no_answer,
    ),
    _later(
        "none of events, and the upstream is down",
        503,
        None,
        "the upstream address could not be reached, or gave no answer",
        "try again later",
        lambda stack: stack.rest(path="/v1/initialize", typed=True),
    ),
]

_TYPED = [
    _request("typed transcoding: no JSON", "body", "JSON", "what Envoy's parser calls: ", _MEND, GOOD[:60], typed=True),
    _request("typed transcoding: no object", "body", "object", "another value", _MEND, "[7]", typed=True),
    _request(
        "typed transcoding: a time of another type",
        "events[0].time",
        _TIME,
        "another value",
        _MEND,
        _event(time='"soon"'),
        typed=True,
    ),
    _request(
        "typed transcoding: a clock in the body of another type",
        "clientTime",
        _TIME,
        "another value",
        _MEND,
        '{"clientTime":"soon","events":[]}',
        typed=True,
    ),
    _request(
        "typed transcoding: a key twice",
        "events[0]",
        "each key once",
        "one twice",
        _MEND,
        _event(eventName='"e","eventName":"f"'),
        typed=True,
    ),
    _request(
        "typed transcoding: an array in place of an object",
        "events[0]",
        "what the schema has there",
        "an array or an object",
        _MEND,
        _event(metadata="[1]"),
        typed=True,
    ),
    _request(
        "typed transcoding: no events",
        "events",
        "at least one, as this server can't tell an empty list from a missing one",
        "none",
        'send {{"events":[...]}}, or nothing if there are none',
        '{"events":[]}',
        typed=True,
    ),
    _request(
        "typed transcoding: nested too deep",
        "body",
        "values of the schema's types, at most 32 levels of free-form nesting",
        "others",
        "nest free-form objects less, and write UTF-8",
        _event(metadata='{"a":' * 40 + "1" + "}" * 40),
        typed=True,
    ),
    _of_event(
        "typed transcoding: a value of another type",
        "value",
        "string or number",
        "boolean",
        _event(value="true"),
        typed=True,
    ),
    _of_event("typed transcoding: no time", "time", _TIME, "nothing", _event(time=""), typed=True),
]


def _good(**fields: Any) -> pb.Event:
    event = pb.Event(**({"event_name": "e", "user": pb.User(user_id="u1"), "time": 1} | fields))
    for name in [name for name, value in fields.items() if value is None]:
        event.ClearField(name)
    return event


def _grpc(  # noqa: PLR0917  a row of the table, in its order
    cause: str,
    status: str,
    reason: Reason,
    path: str,
    expected: str,
    found: str,
    mend: str,
    meet: Callable[[Stack], Told],
) -> ErrorCase:
    return ErrorCase(
        cause=cause, status=status, reason=reason, path=path, expected=expected, found=found, mend=mend, meet=meet
    )


def _grpc_event(cause: str, name: str, expected: str, found: str, **fields: Any) -> ErrorCase:
    message = pb.LogEventRequest(events=[_good(**fields)]).SerializeToString()
    return _grpc(
        cause,
        "INVALID_ARGUMENT",
        Reason.INVALID_EVENTS,
        f"events[0].{name}",
        expected,
        found,
        _MEND_EVENTS,
        lambda stack: stack.grpc(message),
    )


_NAN = Value(number_value=math.nan)
_FINITE = ("finite numbers", "NaN or Infinity")
_ONE_OF = "one of sluice.events.v1.EventsService"
_NOT_COMPRESSED = "protobuf that is not compressed"
_INVALID = "INVALID_ARGUMENT"
_GRPC = [
    _grpc_event("no event name", "event_name", "string", "nothing", event_name=None),
    _grpc_event("no user", "user", "sluice.events.v1.User", "nothing", user=None),
    _grpc_event("a value of another kind", "value", "string, number or null", "boolean", value=Value(bool_value=True)),
    _grpc_event("NaN as value", "value", *_FINITE, value=_NAN),
    _grpc_event("NaN in metadata", "metadata", *_FINITE, metadata=Struct(fields={"a": _NAN})),
    _grpc(
        "no message",
        _INVALID,
        Reason.INVALID_REQUEST,
        "body",
        "a message",
        "nothing",
        "send one message in each call",
        lambda stack: stack.grpc_messages(),
    ),
    _grpc(
        "another message",
        _INVALID,
        Reason.INVALID_REQUEST,
        "body",
        "sluice.events.v1.LogEventRequest, UTF-8, at most 32 levels of free-form nesting",
        "bytes that are none",
        "make the message with the classes of its schema",
        lambda stack: stack.grpc(b"\xff"),
    ),
    _grpc(
        "a clock that is no number",
        _INVALID,
        Reason.INVALID_REQUEST,
        "STATSIG-CLIENT-TIME",
        _TIME,
        "another text",
        _CLOCK,
        lambda stack: stack.grpc(statsig_client_time="soon"),
    ),
    _grpc(
        "NaN in the user of the request",
        _INVALID,
        Reason.INVALID_REQUEST,
        "user.custom",
        *_FINITE,
        _MEND,
        lambda stack: stack.grpc(
            pb.LogEventRequest(user=pb.User(custom=Struct(fields={"a": _NAN}))).SerializeToString()
        ),
    ),
    _grpc(
        "a message that is too large",
        _INVALID,
        Reason.TOO_LARGE,
        "body",
        "at most {max_body} bytes, unpacked",
        "more",
        _FEWER,
        lambda stack: stack.grpc(b"x" * (MAX_BODY + 1)),
    ),
    _grpc(
        "a deadline that is none",
        _INVALID,
        Reason.INVALID_REQUEST,
        "grpc-timeout",
        "up to 8 digits and a unit, as in 10S",
        "another text",
        "leave it to the gRPC library",
        lambda stack: stack.http2(frame(b""), grpc_timeout="soon"),
    ),
    _grpc(
        "a body that is not one message",
        _INVALID,
        Reason.INVALID_REQUEST,
        "body",
        "one message behind a flag of 0 and its length in 4 bytes",
        "something else",
        "call with a gRPC library",
        lambda stack: stack.http2(frame(b"", length=9)),
    ),
    _grpc(
        "no key",
        "UNAUTHENTICATED",
        Reason.KEY_MISSING,
        "statsig-api-key",
        "an API key",
        "nothing",
        "send it in this header",
        lambda stack: stack.grpc(key=""),
    ),
    *(
        _grpc(
            name,
            "UNIMPLEMENTED",
            Reason.METHOD_NOT_FOUND,
            "method",
            _ONE_OF,
            "another",
            "call LogEvent or ReceiveWebhookEvent",
            lambda stack, method=method: stack.grpc(method=method),
        )
        for name, method in (
            ("another method", "/sluice.events.v1.Unknown/LogEvent"),
            ("another method of the service", "/sluice.events.v1.EventsService/StreamEvents"),
        )
    ),
    _grpc(
        "reflection, where it is off",
        "UNIMPLEMENTED",
        Reason.REFLECTION_OFF,
        "method",
        _ONE_OF,
        "reflection, which is off here",
        "use the .proto files, or ask the operator for the setting reflection",
        lambda stack: stack.grpc(method="/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
    ),
    _grpc(
        "compression",
        "UNIMPLEMENTED",
        Reason.UNSUPPORTED_ENCODING,
        "content-type or grpc-encoding",
        _NOT_COMPRESSED,
        "another encoding",
        "send application/grpc or application/grpc-web, and no compression",
        lambda stack: stack.http2(frame(b""), grpc_encoding="gzip"),
    ),
    _grpc(
        "another encoding than protobuf",
        "UNIMPLEMENTED",
        Reason.UNSUPPORTED_ENCODING,
        "content-type or grpc-encoding",
        _NOT_COMPRESSED,
        "another encoding",
        "send application/grpc or application/grpc-web, and no compression",
        lambda stack: stack.http2(frame(b""), content_type="application/grpc+json"),
    ),
    _grpc(
        "a message flagged as compressed",
        "INTERNAL",
        Reason.UNSUPPORTED_ENCODING,
        "body",
        "a message that is not compressed",
        "one flagged as compressed without grpc-encoding",
        "send messages uncompressed",
        lambda stack: stack.http2(frame(b"", flag=1)),
    ),
    _later(
        "no worker is there for it",
        "UNAVAILABLE",
        Reason.NO_WORKER,
        "the service can't take the request now",
        "send it again later",
        _without_worker(lambda stack: stack.grpc()),
    ),
    _later(
        "no answer in time",
        "DEADLINE_EXCEEDED",
        Reason.NO_ANSWER,
        "no worker answered within {patience_s} s",
        _PERHAPS_STORED,
        _no_answer_over_grpc,
    ),
]

CASES = [*_BODIES, *_EVENTS, *_OF_WEBHOOKS, *_OF_EXPOSURES, *_KEYS, *_HTTP, *_LATER, *_TYPED, *_GRPC]
