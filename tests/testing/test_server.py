"""`sluice.testing.server()`, as a test of somebody else's meets it."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

import sluice.testing
from sluice.lake.schema import EVENT_COLUMNS
from sluice.supervisor.run_file import read_run_file
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def shared() -> Iterator[sluice.testing.RunningServer]:
    with sluice.testing.server() as running:
        yield running


@pytest.fixture
def running(shared: sluice.testing.RunningServer) -> sluice.testing.RunningServer:
    shared.forget()
    return shared


def _post(
    running: sluice.testing.RunningServer, *names: str, key: str | None = None, user: str = "u1", size: int = 0
) -> int:
    event = {"user": {"userID": user}, "time": 1767225600000, "metadata": {"x": "x" * size}}
    events = [event | {"eventName": name} for name in names]
    headers = {"statsig-api-key": key or running.server_key, "statsig-client-time": str(int(time.time() * 1000))}
    return httpx.post(f"{running.url}/v1/log_event", json={"events": events}, headers=headers).status_code


def test_rows_are_those_that_match_as_arrow_with_all_columns_in_their_order(
    running: sluice.testing.RunningServer,
) -> None:
    _post(running, "shown", "clicked", user="u1")
    _post(running, "clicked", user="u2")

    rows = running.wait_for(event_name="clicked", count=2)

    assert rows["user_id"].to_pylist() == ["u1", "u2"]
    assert {column.name for column in EVENT_COLUMNS} <= set(rows.column_names)
    assert rows.schema.field("received_at").type == pa.timestamp("us", tz="UTC")
    assert running.wait_for(event_name="clicked", user_id="u2", value_string=None).num_rows == 1
    assert running.rows()["event_name"].to_pylist() == ["shown", "clicked", "clicked"]


def test_it_waits_for_what_is_sent_later(running: sluice.testing.RunningServer) -> None:
    later = threading.Timer(0.5, _post, (running, "late"))
    later.start()

    assert running.wait_for(event_name="late").num_rows == 1
    later.join()


def test_what_arrived_instead_and_what_was_refused_is_told(running: sluice.testing.RunningServer) -> None:
    _post(running, "shown", "shown")
    assert _post(running, "bought", key="secret-unknown") == 401

    with pytest.raises(TimeoutError) as missing:
        running.wait_for(event_name="bought", count=2, timeout_s=0.3)

    assert str(missing.value).startswith("0 of 2 events with event_name='bought' within 0.3 s; arrived: 'shown' 2; ")
    assert "key_unknown" in str(missing.value)
    assert isinstance(missing.value, sluice.testing.EventsMissing)


def test_a_column_that_is_none_is_named_at_once(running: sluice.testing.RunningServer) -> None:
    with pytest.raises(ValueError, match="there is no column user_name; there are request_id, "):
        running.wait_for(user_name="u1")


@pytest.mark.parametrize(("column", "value"), [("user_id", 5), ("value_number", "x"), ("user_custom_ids", {"a": "b"})])
def test_a_value_that_a_column_can_not_have_is_named_at_once(
    running: sluice.testing.RunningServer, column: str, value: object
) -> None:
    with pytest.raises(ValueError, match=f"{column} is a column of type "):
        running.wait_for(**{column: value})  # type: ignore[arg-type]  # as somebody may call it


def test_what_came_before_can_be_forgotten(running: sluice.testing.RunningServer) -> None:
    _post(running, "before")
    running.forget()
    _post(running, "after")

    assert running.rows()["event_name"].to_pylist() == ["after"]


def test_a_coroutine_can_wait(running: sluice.testing.RunningServer) -> None:
    async def send_and_wait() -> pa.Table:
        waiting = asyncio.create_task(asyncio.to_thread(running.wait_for, event_name="awaited"))
        await asyncio.to_thread(_post, running, "awaited")
        return await waiting

    assert asyncio.run(send_and_wait()).num_rows == 1


def test_a_client_key_opens_the_door_of_sdks(running: sluice.testing.RunningServer) -> None:
    assert _post(running, "e", key=running.client_key) == 202


def test_settings_are_those_that_were_said_and_the_environment_s_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLUICE_MAX_BODY", "1GiB")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sluice.toml").write_text("nonsense = 1\n")
    with sluice.testing.server({"max-body": "2KiB"}) as running:
        assert _post(running, "e", size=1000) == 202
        assert _post(running, "e", size=3000) == 413
        data_dir, run = running.data_dir, read_run_file(running.data_dir)

    assert run is not None
    assert not run.is_alive
    assert not data_dir.parent.exists()


@pytest.mark.parametrize("name", ["listen", "data-dir"])
def test_what_it_chooses_itself_can_not_be_said(name: str) -> None:
    with pytest.raises(ValueError, match=f"chooses {name} by itself"), sluice.testing.server({name: "x"}):
        pass


def test_a_start_that_fails_shows_what_was_written() -> None:
    with (
        pytest.raises(sluice.testing.ServerFailed, match=r"(?s)ended with 2.*error: --max-body: \"lots\""),
        sluice.testing.server({"max-body": "lots"}),
    ):
        pass


def test_a_service_that_has_died_is_no_time_out() -> None:
    with sluice.testing.server() as running:
        run = read_run_file(running.data_dir)
        assert run is not None
        os.kill(run.supervisor.pid, signal.SIGKILL)
        with pytest.raises(sluice.testing.ServerFailed, match="ended with -9"):
            running.wait_for(event_name="e", timeout_s=60)


def test_a_failure_carries_the_service_s_messages(shared: sluice.testing.RunningServer) -> None:
    del shared  # two at once get along
    with pytest.raises(RuntimeError) as failed, sluice.testing.server():
        raise RuntimeError

    [note] = failed.value.__notes__
    assert note.startswith("messages of sluice up:\n")
    assert "ready" in note


def test_it_ends_when_the_tests_are_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time, sluice.testing\n"
        "with sluice.testing.server() as running: print(running.data_dir, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as tests:
        assert tests.stdout is not None
        data_dir = Path(tests.stdout.readline().strip())
        run = read_run_file(data_dir)
        tests.kill()

    assert run is not None
    wait_until(lambda: not run.is_alive, within_s=20, what="its supervisor has ended")
