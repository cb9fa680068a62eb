"""What both fronts do, against a server that answers as a test says."""

import logging
import threading
import time
import uuid
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

from sluice import disk
from sluice.client import (
    ClientClosed,
    Event,
    InvalidEvent,
    InvalidSettings,
    NotDelivered,
    QueueFull,
    Reason,
    Settings,
    SpoolError,
    SpoolLocked,
    Trouble,
    Undelivered,
    User,
    read_refused,
)
from sluice.client.spool_file import parse
from tests.support.fronts import MakeFront
from tests.support.stub_server import UNAUTHENTICATED, UNAVAILABLE, Error, StubServer, refusal, stub_server
from tests.support.waiting import wait_until

KEY = "secret-of-tests"
QUICK = {"linger_s": 0.0, "first_backoff_s": 0.01, "longest_backoff_s": 0.05}


def _keys(server: StubServer) -> list[str]:
    return [call.request.idempotency_key for call in server.calls]


def test_a_request_says_who_sends_it_and_has_a_key_of_its_own(make: MakeFront, server: StubServer) -> None:
    with make(f"http://{server.address}/v1", KEY, Settings(session_id="s1")) as client:
        client.log(Event("a", User("u1", email="a@b.c"), value=9.5, metadata={"n": 1}))
    [call] = server.calls

    assert call.method == "LogEvent"
    assert call.metadata["statsig-api-key"] == KEY
    assert abs(int(call.metadata["statsig-client-time"]) - time.time() * 1000) < 60_000
    assert call.metadata["user-agent"].startswith("sluice-python/")
    assert call.request.statsig_metadata.sdk_type == "sluice-python"
    assert call.request.statsig_metadata.sdk_version[0].isdigit()
    assert call.request.statsig_metadata.session_id == "s1"
    assert str(uuid.UUID(call.request.idempotency_key)) == call.request.idempotency_key
    assert (call.request.events[0].user.email, call.request.events[0].value.number_value) == ("a@b.c", 9.5)


def test_a_webhook_client_makes_the_other_call(make: MakeFront, server: StubServer) -> None:
    with make(server.address, KEY, Settings(webhook=True)) as client:
        client.log(Event("a", "u1"))
    [call] = server.calls

    assert call.method == "ReceiveWebhookEvent"
    assert (call.names, len(call.request.idempotency_key)) == (["a"], 36)


def test_the_id_that_is_returned_is_the_one_that_is_sent(make: MakeFront, server: StubServer) -> None:
    with make(server.address, KEY) as client:
        ids = [client.log(Event("a", "u1")), client.log(Event("b", "u1", event_id="mine"))]
        ids += client.log_many([Event("c", "u1"), Event("d", "u1")])

    assert [event.event_id for call in server.calls for event in call.request.events] == ids
    assert ids[1] == "mine"


def test_a_full_batch_is_sent_at_once_and_others_when_they_have_lingered(make: MakeFront, server: StubServer) -> None:
    with make(server.address, KEY, Settings(batch_events=2, linger_s=30)) as client:
        client.log_many([Event(name, "u1") for name in "abc"])
        server.wait_for_calls(1)
        assert [call.names for call in server.calls] == [["a", "b"]]
    with make(server.address, KEY, Settings(linger_s=0.05)) as client:
        client.log(Event("d", "u1"))
        server.wait_for_calls(3)

    assert [call.names for call in server.calls] == [["a", "b"], ["c"], ["d"]]


def test_a_batch_is_tried_again_as_it_is_under_the_same_key(make: MakeFront, server: StubServer) -> None:
    server.answers(UNAVAILABLE, UNAVAILABLE, None)
    with make(server.address, KEY, Settings(**QUICK)) as client:
        client.log(Event("a", "u1"))
        client.flush()
        stats = client.stats()

    assert [call.names for call in server.calls] == [["a"]] * 3
    assert len({(call.request.idempotency_key, call.request.events[0].event_id) for call in server.calls}) == 1
    times = [int(call.metadata["statsig-client-time"]) for call in server.calls]
    assert times == sorted(times)
    assert (stats.delivered, stats.retries, stats.waiting) == (1, 2, 0)


def test_a_pause_that_the_server_asks_for_is_kept(make: MakeFront, server: StubServer) -> None:
    pause = RetryInfo(retry_delay=Duration(nanos=400_000_000))
    server.answers(Error(UNAVAILABLE.code, "later", (pause,)))
    with make(server.address, KEY, Settings(**QUICK)) as client:
        client.log(Event("a", "u1"))
        server.wait_for_calls(1)
        began_s = time.monotonic()
        client.flush()

    assert time.monotonic() - began_s > 0.3


def test_a_server_that_does_not_answer_in_time_is_asked_again(make: MakeFront, server: StubServer) -> None:
    server.holds.set()
    with make(server.address, KEY, Settings(call_timeout_s=0.2, **QUICK)) as client:
        client.log(Event("a", "u1"))
        server.wait_for_calls(2)
        server.holds.clear()
        client.flush()

    assert len(set(_keys(server))) == 1


def test_a_server_that_is_down_gets_the_events_when_it_is_up(make: MakeFront) -> None:
    with stub_server() as first:
        port = int(first.address.rpartition(":")[2])
    troubles: list[Trouble] = []
    with make(first.address, KEY, Settings(on_trouble=troubles.append, **QUICK)) as client:
        client.log(Event("a", "u1"))
        wait_until(lambda: troubles)
        with stub_server(port) as second:
            client.flush()

        assert second.acknowledged == ["a"]
        assert [(trouble.code, trouble.needs_you) for trouble in troubles] == [("UNAVAILABLE", False)]


def test_the_events_that_are_refused_are_told_and_the_others_are_delivered(make: MakeFront, server: StubServer) -> None:
    told: list[Undelivered] = []
    server.answers(refusal(0, 2), None)
    with make(server.address, KEY, Settings(on_undelivered=told.append)) as client:
        client.log_many([Event(name, "u1", metadata={"of": name}) for name in "abcd"])
        with pytest.raises(NotDelivered) as raised:
            client.flush()
        client.flush()
        stats = client.stats()

    assert server.acknowledged == ["b", "d"]
    assert len(set(_keys(server))) == 2
    assert [(each.event.event_name, each.path, each.message, each.reason) for each in told] == [
        ("a", "event_name", "expected text, got number", Reason.REFUSED),
        ("c", "event_name", "expected text, got number", Reason.REFUSED),
    ]
    assert list(raised.value.undelivered) == told
    assert (raised.value.undelivered_events, raised.value.waiting_events) == (2, 0)
    assert (stats.delivered, stats.refused, stats.waiting) == (2, 2, 0)


def test_a_refused_event_is_found_where_the_server_does_not_name_it(make: MakeFront, server: StubServer) -> None:
    server.answer = lambda call: refusal() if "bad" in call.names else None
    with make(server.address, KEY) as client:
        client.log_many([Event("bad" if number == 13 else f"good-{number}", "u1") for number in range(50)])
        with pytest.raises(NotDelivered) as raised:
            client.flush()

    assert len(server.acknowledged) == 49
    assert [told.event.event_name for told in raised.value.undelivered] == ["bad"]
    assert len(server.calls) <= 13  # 2 log2 n, and one


def test_a_batch_that_is_refused_whole_comes_to_an_end(make: MakeFront, server: StubServer) -> None:
    server.answer = lambda _: refusal()
    with make(server.address, KEY) as client:
        client.log_many([Event("bad", "u1") for _ in range(20)])
        with pytest.raises(NotDelivered) as raised:
            client.flush()

    assert raised.value.undelivered_events == 20
    assert len(server.calls) == 39


def test_a_wrong_key_is_told_at_once_and_keeps_the_events_until_it_is_mended(
    make: MakeFront, server: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    troubles: list[Trouble] = []
    server.answer = lambda _: UNAUTHENTICATED
    with make(server.address, KEY, Settings(on_trouble=troubles.append, linger_s=0, first_backoff_s=20)) as client:
        client.log(Event("a", "u1"))
        began_s = time.monotonic()
        with pytest.raises(NotDelivered, match="1 events wait: UNAUTHENTICATED: API key is not known here") as raised:
            client.flush(timeout_s=30)
        assert time.monotonic() - began_s < 10
        server.answer = lambda _: None
        client.flush()

    assert raised.value.trouble == Trouble(code="UNAUTHENTICATED", message="API key is not known here", needs_you=True)
    assert troubles == [raised.value.trouble]
    assert server.acknowledged == ["a"]
    assert [record.levelname for record in caplog.records if record.name == "sluice.client"] == ["ERROR"]


def test_a_full_queue_takes_nothing_and_says_why(make: MakeFront, server: StubServer) -> None:
    server.answer = lambda _: UNAVAILABLE
    with make(server.address, KEY, Settings(queue_events=3, wait_for_room_s=0, **QUICK)) as client:
        client.log_many([Event("a", "u1"), Event("b", "u1")])
        server.wait_for_calls(1)
        with pytest.raises(QueueFull, match=r"no room: 2 events wait, \d+ bytes"):
            client.log_many([Event("c", "u1"), Event("d", "u1")])
        client.log(Event("e", "u1"))
        server.answer = lambda _: None
        client.flush()

    assert sorted(server.acknowledged) == ["a", "b", "e"]


def test_a_call_that_may_wait_for_room_gets_it_when_events_are_delivered(make: MakeFront, server: StubServer) -> None:
    server.holds.set()
    with make(server.address, KEY, Settings(queue_events=1, wait_for_room_s=30, **QUICK)) as client:
        client.log(Event("a", "u1"))
        server.wait_for_calls(1)
        threading.Timer(0.1, server.holds.clear).start()
        client.log(Event("b", "u1"))

    assert server.acknowledged == ["a", "b"]


def test_a_flush_that_takes_too_long_says_what_waits_and_loses_nothing(make: MakeFront, server: StubServer) -> None:
    server.holds.set()
    with make(server.address, KEY) as client:
        client.log_many([Event("a", "u1"), Event("b", "u1")])
        with pytest.raises(NotDelivered, match="2 events wait") as raised:
            client.flush(timeout_s=0.2)
        server.holds.clear()

    assert (raised.value.waiting_events, raised.value.undelivered) == (2, ())
    assert server.acknowledged == ["a", "b"]


def test_an_invalid_event_is_told_at_the_call_and_takes_no_other_with_it(make: MakeFront, server: StubServer) -> None:
    with make(server.address, KEY) as client:
        with pytest.raises(InvalidEvent, match="value: expected number or text, got list"):
            client.log(Event("a", "u1", value=[]))
        with pytest.raises(InvalidEvent, match=r"events\[1\]\.user: missing"):
            client.log_many([Event("b", "u1"), Event("c")])
        assert client.stats().logged == 0


def test_a_closed_client_takes_no_more(make: MakeFront, server: StubServer) -> None:
    client = make(server.address, KEY)
    client.log(Event("a", "u1"))
    client.close()
    client.close()

    assert server.acknowledged == ["a"]
    with pytest.raises(ClientClosed):
        client.log(Event("b", "u1"))
    with pytest.raises(ClientClosed):
        client.flush()


def test_a_client_that_logs_nothing_calls_nobody(make: MakeFront, server: StubServer) -> None:
    with make(server.address, KEY) as client:
        client.log_many([])
        client.flush()

    assert server.calls == []


def test_what_a_closing_client_cannot_deliver_is_told(make: MakeFront, server: StubServer) -> None:
    told: list[Undelivered] = []
    server.answer = lambda _: UNAVAILABLE
    client = make(server.address, KEY, Settings(on_undelivered=told.append, **QUICK))
    client.log(Event("a", "u1"))
    with pytest.raises(NotDelivered) as raised:
        client.close(timeout_s=0.2)

    assert [(each.event.event_name, each.reason, each.may_be_stored) for each in told] == [("a", Reason.CLOSED, True)]
    assert list(raised.value.undelivered) == told


def test_what_is_raised_within_the_block_is_more_than_what_is_not_delivered(
    make: MakeFront, server: StubServer
) -> None:
    server.answer = lambda _: UNAUTHENTICATED

    def fail() -> None:
        with make(server.address, KEY) as client:
            client.log(Event("a", "u1"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()


def test_a_callback_that_fails_stops_nothing(
    make: MakeFront, server: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise ValueError

    server.answers(UNAVAILABLE, refusal(0), None)
    with make(server.address, KEY, Settings(on_trouble=fail, on_undelivered=fail, **QUICK)) as client:
        client.log_many([Event("bad", "u1"), Event("good", "u1")])
        with pytest.raises(NotDelivered):
            client.flush()

    assert server.acknowledged == ["good"]
    assert caplog.text.count("a callback of the client has failed") == 2


def test_neither_the_key_nor_an_event_is_ever_shown(
    make: MakeFront, server: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers(UNAVAILABLE, refusal(0), None)
    with make(server.address, KEY, Settings(**QUICK)) as client:
        client.log(Event("a-name", User("hunter2", email="hunter2"), value="hunter2", metadata={"hunter2": "hunter2"}))
        with pytest.raises(NotDelivered) as raised:
            client.flush()
        shown = repr(client) + str(raised.value) + caplog.text

    assert "hunter2" not in shown
    assert KEY not in shown
    assert server.address in repr(client)


@pytest.mark.parametrize("key", ["", "ключ", "a\nb", None])
def test_a_key_that_cannot_be_is_told(make: MakeFront, key: str) -> None:
    with pytest.raises(InvalidSettings, match="api_key: expected a key"):
        make("127.0.0.1:8080", key)


def test_a_spool_keeps_what_a_closed_client_could_not_deliver(
    make: MakeFront, server: StubServer, tmp_path: Path
) -> None:
    server.answer = lambda _: UNAVAILABLE
    with make(server.address, KEY, Settings(spool=tmp_path, **QUICK)) as client:
        client.log_many([Event("a", "u1"), Event("b", "u1")])
        server.wait_for_calls(1)
    server.answer = lambda _: None
    with make(server.address, KEY, Settings(spool=tmp_path, **QUICK)) as client:
        client.flush()
        stats = client.stats()

    assert server.acknowledged == ["a", "b"]
    assert len(set(_keys(server))) == 1
    assert (stats.recovered, stats.delivered, stats.batches_spooled) == (2, 2, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_spool_is_sent_without_a_call(make: MakeFront, server: StubServer, tmp_path: Path) -> None:
    server.answer = lambda _: UNAVAILABLE
    with make(server.address, KEY, Settings(spool=tmp_path, **QUICK)) as client:
        client.log(Event("a", "u1"))
    server.answer = lambda _: None
    with make(server.address, KEY, Settings(spool=tmp_path, **QUICK)):
        wait_until(lambda: server.acknowledged)

    assert server.acknowledged == ["a"]


class SeenOperations:
    """Remembers what was done to which file."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def before(self, operation: disk.Operation) -> None:
        pass

    def after(self, operation: disk.Operation) -> None:
        self.seen.append((operation.verb, Path(operation.path).name))


@pytest.mark.parametrize("sync_s", [0, 100])
def test_an_event_is_in_the_spool_when_the_call_returns_and_synced_if_asked_for(
    make: MakeFront, server: StubServer, tmp_path: Path, sync_s: float
) -> None:
    disk_seen = SeenOperations()
    asked = Settings(spool=tmp_path, spool_sync_s=sync_s, linger_s=100)
    with make(server.address, KEY, asked) as client, disk.observed(disk_seen):
        client.log(Event("a", "u1"))
        [file] = tmp_path.iterdir()
        [events] = parse(file.read_bytes()).batches.values()
        seen = list(disk_seen.seen)

    assert len(events) == 1
    synced = [("datasync", file.name), ("sync_folder", tmp_path.name)]
    assert seen == [("create", file.name), ("write", file.name), *(synced if not sync_s else [])]


def test_a_spool_is_synced_in_its_time(make: MakeFront, server: StubServer, tmp_path: Path) -> None:
    disk_seen = SeenOperations()
    asked = Settings(spool=tmp_path, spool_sync_s=0.05, linger_s=100)
    with make(server.address, KEY, asked) as client, disk.observed(disk_seen):
        client.log(Event("a", "u1"))
        wait_until(lambda: ("sync_folder", tmp_path.name) in disk_seen.seen)
        assert server.calls == []


def test_all_is_told_when_a_flush_returns(make: MakeFront, server: StubServer) -> None:
    told: list[str] = []

    def slow(undelivered: Undelivered) -> None:
        threading.Event().wait(0.1)
        told.append(undelivered.event.event_name)

    server.answers(refusal(0))
    with make(server.address, KEY, Settings(on_undelivered=slow)) as client:
        client.log(Event("a", "u1"))
        with pytest.raises(NotDelivered):
            client.flush()
        assert told == ["a"]


def test_a_folder_that_another_client_uses_is_told(make: MakeFront, server: StubServer, tmp_path: Path) -> None:
    with make(server.address, KEY, Settings(spool=tmp_path)), pytest.raises(SpoolLocked):
        make(server.address, KEY, Settings(spool=tmp_path))


def test_a_full_spool_takes_nothing(make: MakeFront, server: StubServer, tmp_path: Path) -> None:
    server.answer = lambda _: UNAVAILABLE
    asked = Settings(spool=tmp_path, spool_bytes=8192, batch_bytes=4096, wait_for_room_s=0, **QUICK)
    with make(server.address, KEY, asked) as client:
        client.log(Event("a", "u1", metadata={"text": "x" * 2000}))
        with pytest.raises(QueueFull):
            client.log(Event("b", "u1", metadata={"text": "x" * 2900}))
        server.answer = lambda _: None
        client.flush()
        client.log(Event("c", "u1", metadata={"text": "x" * 2900}))

    assert server.acknowledged == ["a", "c"]


def test_a_spool_that_cannot_be_written_is_told_at_the_call(
    make: MakeFront, server: StubServer, tmp_path: Path
) -> None:
    folder = tmp_path / "spool"
    with make(server.address, KEY, Settings(spool=folder)) as client:
        folder.rmdir()
        with pytest.raises(SpoolError, match="can't be written"):
            client.log(Event("a", "u1"))
        folder.mkdir()
        client.log(Event("b", "u1"))

    assert server.acknowledged == ["b"]


def test_refused_events_are_kept_in_the_spool_unless_that_is_not_wanted(
    make: MakeFront, server: StubServer, tmp_path: Path
) -> None:
    server.answer = lambda call: refusal(0) if call.names[0] == "bad" else None
    for folder, kept in ((tmp_path / "kept", 1 << 20), (tmp_path / "not", 0)):
        with make(server.address, KEY, Settings(spool=folder, keep_refused_bytes=kept)) as client:
            client.log_many([Event("bad", "u1"), Event("good", "u1")])
            with pytest.raises(NotDelivered):
                client.flush()

    [refused] = read_refused(tmp_path / "kept")
    assert (refused.event.event_name, refused.path) == ("bad", "event_name")
    assert list(read_refused(tmp_path / "not")) == []
    assert server.acknowledged == ["good", "good"]
