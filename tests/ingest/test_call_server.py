"""What the server of calls gives a client of gRPC's own, and what a later grpcio must still do for it."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import structlog

from sluice.ingest.call_server import CallServer, Sent, ServerCall
from tests.support.waiting import wait_until

_METHOD = "/a.Service/Method"
_Take = Callable[[ServerCall, Sent], None]


@contextmanager
def _serving(folder: Path, take: _Take) -> Iterator[tuple[CallServer, grpc.Channel]]:
    address = f"unix:{folder / 's.sock'}"
    server = CallServer(take, [("grpc.so_reuseport", 0)])
    server.listen(address)
    server.start()
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        try:
            yield server, channel
        finally:
            server.stop()
            server.cut_off()
            wait_until(lambda: not server.is_running, what="the server has ended")


@contextmanager
def _holding(folder: Path) -> Iterator[tuple[CallServer, grpc.Channel, list[ServerCall]]]:
    """A server whose calls wait for the answers that a test gives them."""
    taken: list[ServerCall] = []
    with _serving(folder, lambda call, _: taken.append(call)) as (server, channel):
        yield server, channel, taken


def _call(channel: grpc.Channel, *messages: bytes, metadata: tuple[tuple[str, str], ...] = ()) -> grpc.Future:
    return channel.stream_unary(_METHOD).future(iter(messages), metadata=metadata, timeout=20)


def _echo(call: ServerCall, sent: Sent) -> None:
    call.answer(repr(sent).encode(), (("x-header", "h"),))


@pytest.mark.parametrize(
    ("messages", "sent"), [((), None), ((b"",), b""), ((b"a",), b"a"), ((b"a", b"b", b"c"), [b"a", b"b"])]
)
def test_what_a_call_sends_is_taken_whole_and_of_several_messages_it_is_told(
    tmp_path: Path, messages: tuple[bytes, ...], sent: Sent
) -> None:
    with _serving(tmp_path, _echo) as (_, channel):
        call = _call(channel, *messages)

        assert call.result() == repr(sent).encode()
        assert ("x-header", "h") in tuple(call.initial_metadata())


def test_a_call_tells_its_method_and_its_metadata(tmp_path: Path) -> None:
    def take(call: ServerCall, _sent: Sent) -> None:
        call.answer(f"{call.method} {dict(call.metadata)['x-mine']}".encode())

    with _serving(tmp_path, take) as (_, channel):
        assert _call(channel, b"", metadata=(("x-mine", "m"),)).result() == b"/a.Service/Method m"


@pytest.mark.parametrize("headers", [(), (("x-header", "h"),)])
def test_an_error_has_its_code_message_and_trailers(tmp_path: Path, headers: tuple[tuple[str, str], ...]) -> None:
    def take(call: ServerCall, _sent: Sent) -> None:
        trailers = (("x-trailer", "t"), ("x-trailer-bin", b"\0\xff"))
        call.fail(grpc.StatusCode.UNAVAILABLE, "later, ü", headers=headers, trailers=trailers)

    with _serving(tmp_path, take) as (_, channel):
        call = _call(channel, b"")

        assert call.code() is grpc.StatusCode.UNAVAILABLE
        assert call.details() == "later, ü"
        assert dict(call.trailing_metadata()) == {"x-trailer": "t", "x-trailer-bin": b"\0\xff"}
        assert tuple(call.initial_metadata()) == headers


def test_of_several_answers_the_first_is_sent_and_any_thread_may_give_it(tmp_path: Path) -> None:
    with _holding(tmp_path) as (_, channel, taken):
        call = _call(channel, b"")
        wait_until(lambda: len(taken) == 1)
        taken[0].answer(b"first")
        taken[0].answer(b"second")
        taken[0].fail(grpc.StatusCode.INTERNAL, "third")

        assert call.result() == b"first"


def test_calls_are_taken_while_others_wait_for_their_answers(tmp_path: Path) -> None:
    with _holding(tmp_path) as (server, channel, taken):
        calls = [_call(channel, b"%d" % number) for number in range(200)]
        wait_until(lambda: len(taken) == 200)
        assert server.active == 200

        for number, call in enumerate(taken):
            call.answer(b"%d" % number)

        assert {call.result() for call in calls} == {b"%d" % number for number in range(200)}
        wait_until(lambda: server.active == 0)


def test_a_caller_that_is_gone_is_counted_out_and_its_answer_goes_nowhere(tmp_path: Path) -> None:
    with _holding(tmp_path) as (server, channel, taken):
        gone = _call(channel, b"")
        wait_until(lambda: len(taken) == 1)
        gone.cancel()
        wait_until(lambda: server.active == 0)
        taken[0].answer(b"too late")

        following = _call(channel, b"")
        wait_until(lambda: len(taken) == 2)
        taken[1].answer(b"in time")
        assert following.result() == b"in time"


def test_a_fault_in_one_call_is_answered_and_ends_no_other(tmp_path: Path) -> None:
    def take(call: ServerCall, sent: Sent) -> None:
        if sent == b"fault":
            raise ValueError
        call.answer(b"fine")

    with structlog.testing.capture_logs() as told, _serving(tmp_path, take) as (_, channel):
        broken = _call(channel, b"fault")

        assert _call(channel, b"").result() == b"fine"
        assert broken.code() is grpc.StatusCode.UNAVAILABLE
        assert broken.details() == "a fault of this server; send the batch again later"
    assert [message["event"] for message in told] == ["a call failed by a fault"]


def test_when_it_is_stopped_calls_that_have_begun_are_answered_and_no_others_are_taken(tmp_path: Path) -> None:
    with _holding(tmp_path) as (server, channel, taken):
        begun = _call(channel, b"")
        wait_until(lambda: len(taken) == 1)
        server.stop()
        server.stop()

        assert _call(channel, b"").code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert server.is_running
        taken[0].answer(b"answered")
        assert begun.result() == b"answered"
        wait_until(lambda: not server.is_running)


def test_calls_that_are_cut_off_end(tmp_path: Path) -> None:
    taken = threading.Event()
    with _serving(tmp_path, lambda *_: taken.set()) as (server, channel):
        call = _call(channel, b"")
        assert taken.wait(10)
        server.stop()
        server.cut_off()

        assert call.code() is not grpc.StatusCode.OK
        wait_until(lambda: not server.is_running)


def test_a_method_that_is_no_text_is_one_that_nobody_has(tmp_path: Path) -> None:
    with _serving(tmp_path, lambda call, _: call.answer(call.method.encode())) as (server, channel):
        assert channel.unary_unary(b"/\xff/\xff")(b"", timeout=10) == "/\ufffd/\ufffd".encode()
        wait_until(lambda: server.active == 0)


def test_a_caller_that_goes_before_it_has_sent_a_message_is_not_taken_for_one_that_sends_none(tmp_path: Path) -> None:
    taken: list[Sent] = []

    def take(call: ServerCall, sent: Sent) -> None:
        taken.append(sent)
        call.answer(b"")

    with _serving(tmp_path, take) as (_, channel):
        for _ in range(100):
            waits = threading.Event()
            gone = channel.stream_unary(_METHOD).future(
                iter(lambda waits=waits: waits.wait(20) and None, None), timeout=20
            )
            gone.cancel()
            waits.set()
        assert _call(channel, b"last").result() == b""

    assert taken == [b"last"]


def test_a_stop_amid_calls_answers_or_refuses_each_and_ends(tmp_path: Path) -> None:
    for round_ in range(20):
        folder = tmp_path / str(round_)
        folder.mkdir()
        with structlog.testing.capture_logs() as told, _serving(folder, _echo) as (server, channel):
            calls = [_call(channel, b"") for _ in range(20)]
            server.stop()
            calls += [_call(channel, b"") for _ in range(5)]
            server.cut_off()
            for call in calls:
                assert call.exception() is None or call.code() is not grpc.StatusCode.OK
            wait_until(lambda server=server: not server.is_running, what="the server has ended")
        assert told == []


def test_an_address_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    server = CallServer(_echo, [])

    with pytest.raises(RuntimeError):
        server.listen(f"unix:{tmp_path}/nowhere/s.sock")


def test_nothing_of_a_call_that_is_over_is_kept(tmp_path: Path) -> None:
    kept: list[weakref.ref[object]] = []

    def take(call: ServerCall, _sent: Sent) -> None:
        kept.append(weakref.ref(call._answered))
        call.answer(b"")

    gc.disable()
    try:
        with _serving(tmp_path, take) as (server, channel):
            for _ in range(10):
                _call(channel, b"").result()
            wait_until(lambda: server.active == 0)
            wait_until(lambda: sum(reference() is not None for reference in kept) <= 1, what="they are let go")
    finally:
        gc.enable()
