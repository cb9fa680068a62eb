"""What only the client for threads does: threads, forks, the end of the process."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from sluice.client import Client, ClientError, Event, NotDelivered, Settings, Trouble
from tests.support.stub_server import UNAVAILABLE, StubServer, refusal
from tests.support.waiting import wait_until

KEY = "secret-of-tests"


def _python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_many_threads_log_and_flush_at_once(server: StubServer) -> None:
    threads, events = 8, 250
    with Client(server.address, KEY, Settings(batch_events=20, queue_events=200, wait_for_room_s=30)) as client:

        def log(thread: int) -> None:
            for number in range(events):
                client.log(Event(f"{thread}-{number}", "u1"))
                if number % 100 == 0:
                    client.flush()

        started = [threading.Thread(target=log, args=(thread,)) for thread in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join(60)
        client.flush()
        stats = client.stats()

    assert sorted(server.acknowledged) == sorted(f"{t}-{n}" for t in range(threads) for n in range(events))
    assert (stats.logged, stats.delivered, stats.waiting) == (2000, 2000, 0)


def test_each_call_with_a_synced_spool_is_on_the_disk_whichever_thread_logs(server: StubServer, tmp_path: Path) -> None:
    with Client(server.address, KEY, Settings(spool=tmp_path, spool_sync_s=0, batch_events=7)) as client:
        threads = [threading.Thread(target=lambda: [client.log(Event("a", "u1")) for _ in range(50)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        client.flush()

    assert len(server.acknowledged) == 200
    assert list(tmp_path.iterdir()) == []


def test_a_callback_that_would_wait_for_itself_is_told(server: StubServer) -> None:
    raised: list[ClientError] = []
    server.answers(UNAVAILABLE, refusal(0))

    def flush_and_close(_: Trouble) -> None:
        for call in (client.flush, client.close):
            try:
                call()
            except ClientError as exc:
                raised.append(exc)

    client = Client(server.address, KEY, Settings(on_trouble=flush_and_close, linger_s=0, first_backoff_s=0.01))
    client.log(Event("a", "u1"))
    wait_until(lambda: len(raised) == 2)
    with pytest.raises(NotDelivered):
        client.close()

    assert [str(error) for error in raised] == [
        "flush was called by a callback of the client: it would wait for itself",
        "close was called by a callback of the client: it would wait for itself",
    ]


def test_what_is_logged_is_delivered_when_a_process_ends_without_closing(server: StubServer) -> None:
    done = _python(
        """
        import sys
        from sluice.client import Client, Event
        client = Client(sys.argv[1], "secret-of-tests")
        client.log(Event("last words", "u1"))
        """,
        server.address,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert server.acknowledged == ["last words"]


def test_a_process_that_ends_tells_what_it_could_not_deliver(server: StubServer) -> None:
    server.answer = lambda _: UNAVAILABLE
    done = _python(
        """
        import logging, sys
        from sluice.client import Client, Event, Settings
        logging.basicConfig()
        client = Client(sys.argv[1], "secret-of-tests", Settings(close_timeout_s=0.1))
        client.log(Event("last words", "u1"))
        """,
        server.address,
    )

    assert done.returncode == 0
    assert "1 events will not be delivered (closed)" in done.stderr


def test_events_that_the_server_sets_aside_are_counted_and_told(
    server: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.sets_aside = 2
    with Client(server.address, KEY) as client:
        client.log_many([Event("a", "u1"), Event("b", "u1"), Event("c", "u1")])
        client.flush()
        stats = client.stats()
        wait_until(lambda: "2 events are invalid, and set aside" in caplog.text)

    assert (stats.delivered, stats.set_aside, stats.waiting) == (3, 2, 0)


def test_a_client_that_was_made_before_a_fork_works_after_it(server: StubServer) -> None:
    done = _python(
        """
        import os, sys
        from sluice.client import Client, Event
        from sluice.client.event_id import new_event_id
        client = Client(sys.argv[1], "secret-of-tests")
        new_event_id()  # others are drawn with it
        children = []
        for number in range(2):
            child = os.fork()
            if not child:
                client.log(Event(f"child {number}", "u1"))
                client.close()
                os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
        client.log(Event("parent", "u1"))
        client.close()
        """,
        server.address,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(server.acknowledged) == ["child 0", "child 1", "parent"]
    ids = {event.event_id for call in server.calls for event in call.request.events}
    assert len(ids) == 3


def test_a_client_that_has_started_says_so_in_a_fork_and_goes_on_in_its_own_process(server: StubServer) -> None:
    done = _python(
        """
        import os, sys
        from sluice.client import Client, Event, ForkedClient
        client = Client(sys.argv[1], "secret-of-tests")
        client.log(Event("before", "u1"))
        child = os.fork()
        if not child:
            for call in (lambda: client.log(Event("in the fork", "u1")), client.flush):
                try:
                    call()
                except ForkedClient as exc:
                    print(exc, flush=True)
            client.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        client.log(Event("behind", "u1"))
        client.close()
        """,
        server.address,
    )

    assert done.returncode == 0
    assert done.stdout.count("a fork of it (make a client in each process, after the fork)") == 2
    assert sorted(server.acknowledged) == ["before", "behind"]


def test_a_fork_that_lives_on_does_not_hold_the_spool(server: StubServer, tmp_path: Path) -> None:
    done = _python(
        """
        import os, sys
        from sluice.client import Client, Event, Settings
        settings = Settings(spool=sys.argv[2])
        client = Client(sys.argv[1], "secret-of-tests", settings)
        client.log(Event("first", "u1"))
        began, told = os.pipe()
        may_end, end_it = os.pipe()
        child = os.fork()
        if not child:
            os.close(end_it)
            os.write(told, b"x")
            os.read(may_end, 1)  # ends with its parent, however that ends
            os._exit(0)
        os.read(began, 1)
        client.close()
        with Client(sys.argv[1], "secret-of-tests", settings) as client:
            client.log(Event("second", "u1"))
        os.close(end_it)
        os.waitpid(child, 0)
        """,
        server.address,
        str(tmp_path / "spool"),
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert server.acknowledged == ["first", "second"]


def test_a_killed_process_loses_nothing_that_is_in_its_spool(server: StubServer, tmp_path: Path) -> None:
    server.answer = lambda _: UNAVAILABLE
    script = """
        import sys
        from sluice.client import Client, Event, Settings
        client = Client(sys.argv[1], "secret-of-tests", Settings(spool=sys.argv[2], batch_events=10, linger_s=0))
        for number in range(10**9):
            print(client.log(Event("e", "u1")), flush=True)
        """
    command = [sys.executable, "-c", textwrap.dedent(script), server.address, str(tmp_path / "spool")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        logged = [process.stdout.readline().strip() for _ in range(123)]
        process.send_signal(signal.SIGKILL)
        logged += [line.strip() for line in process.stdout.readlines() if line.endswith("\n")]
    sent_before = {call.request.idempotency_key: call.names for call in server.calls}
    server.answer = lambda _: None
    with Client(server.address, KEY, Settings(spool=tmp_path / "spool")) as client:
        client.flush()

    delivered = [event.event_id for call in server.calls for event in call.request.events]
    assert set(logged) <= set(delivered)
    assert process.returncode == -signal.SIGKILL
    last = {call.request.idempotency_key: call.names for call in server.calls}
    assert sent_before.items() <= last.items()


def test_importing_the_client_is_light() -> None:
    done = _python(
        """
        import sys
        import sluice.client
        heavy = {"structlog", "pyarrow", "duckdb", "numpy", "prometheus_client", "pydantic", "google_crc32c"}
        print(sorted(heavy & set(sys.modules)), end="")
        """
    )

    assert (done.stdout, done.stderr) == ("[]", "")


def test_a_spool_brings_nothing_of_the_server(server: StubServer, tmp_path: Path) -> None:
    done = _python(
        """
        import sys
        from sluice.client import Client, Event, Settings
        with Client(sys.argv[1], "secret-of-tests", Settings(spool=sys.argv[2])) as client:
            client.log(Event("e", "u1"))
        print(sorted({"structlog", "prometheus_client", "pyarrow", "numpy"} & set(sys.modules)), end="")
        """,
        server.address,
        str(tmp_path / "spool"),
    )

    assert (done.stdout, done.stderr) == ("[]", "")


def test_a_client_ends_its_thread(server: StubServer) -> None:
    with Client(server.address, KEY) as client:
        client.log(Event("a", "u1"))
        assert "sluice-client" in {thread.name for thread in threading.enumerate()}
    wait_until(lambda: "sluice-client" not in {thread.name for thread in threading.enumerate()})

    assert os.getpid() == client._process
