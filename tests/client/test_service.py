"""The client and a real service: what is logged is in the lake, whatever happens to the service meanwhile."""

import itertools
import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluice.client import Client, Event, NotDelivered, Reason, Settings, User
from sluice.client.settings import MiB
from sluice.events.v1 import events_pb2 as pb
from tests.support.fronts import MakeFront
from tests.support.service import Service
from tests.support.waiting import wait_until

_PROGRAM = Path(__file__).parents[1] / "support/sdks/py_legacy.py"
_NOW_MS = 1767225600000
_USER = User(
    "u1",
    email="a@b.c",
    custom={"plan": "pro", "seats": 3, "tags": ["a", None, True]},
    custom_ids={"companyID": "c9", "stableID": "s7"},
    ip="1.2.3.4",
    user_agent="UA/1",
    country="DE",
    locale="de_DE",
    app_version="1.2",
    environment="staging",
)


def test_every_field_of_an_event_is_in_its_column(service: Service, make: MakeFront) -> None:
    with make(service.rest, service.server_key, Settings(session_id="s1")) as client:
        event_id = client.log(
            Event(
                "paid",
                _USER,
                value=9007199254740993,
                metadata={"items": [{"sku": "a", "n": 2}], "gift": False},
                time=_NOW_MS,
                secondary_exposures=[{"gate": "g", "gateValue": "true", "ruleID": "r"}],
            )
        )
        client.flush()
    service.flush()

    [row] = service.dicts(
        "select * exclude (request_id, received_at, event_time, received_date, received_hour, client_time_ms, "
        f"idempotency_key, project, key_id, sdk_version) from events where event_id = '{event_id}'"
    )
    assert {name: value for name, value in row.items() if value is not None} == {
        "event_id": event_id,
        "event_index": 0,
        "time_ms": _NOW_MS,
        "source": "grpc",
        "event_name": "paid",
        "event_kind": "custom",
        "user_id": "u1",
        "user_email": "a@b.c",
        "user_custom": '{"plan":"pro","seats":3,"tags":["a",null,true]}',
        "user_custom_ids": {"companyID": "c9", "stableID": "s7"},
        "stable_id": "s7",
        "user_ip": "1.2.3.4",
        "user_agent": "UA/1",
        "user_country": "DE",
        "user_locale": "de_DE",
        "user_app_version": "1.2",
        "environment": "staging",
        "value_number": 2.0**53,
        "value_string": "9007199254740993",
        "metadata": '{"gift":false,"items":[{"n":2,"sku":"a"}]}',
        "secondary_exposures": '[{"gate":"g","gateValue":"true","ruleID":"r"}]',
        "sdk_type": "sluice-python",
        "session_id": "s1",
        "sdk_metadata": row["sdk_metadata"],
    }


def test_a_webhook_client_needs_a_server_secret(service: Service, make: MakeFront) -> None:
    with make(service.grpc, service.server_key, Settings(webhook=True)) as client:
        event_id = client.log(Event("delivered", User()))
        client.flush()
    refused = make(service.grpc, service.client_key, Settings(webhook=True))
    refused.log(Event("not delivered", User()))
    with pytest.raises(NotDelivered, match=r"UNAUTHENTICATED: .*expected a key for this endpoint"):
        refused.close()
    service.flush()

    assert service.rows(f"select event_name, sdk_type from events where event_id = '{event_id}'") == [
        ("delivered", None)
    ]


def test_a_key_that_is_made_later_lets_the_waiting_events_in(service: Service, make: MakeFront) -> None:
    key = f"secret-{secrets.token_hex(8)}"
    with make(service.grpc, key, Settings(linger_s=0)) as client:
        event_id = client.log(Event("early", "u1"))
        with pytest.raises(NotDelivered, match=r"UNAUTHENTICATED: .*expected a key that is known here"):
            client.flush()
        service.import_keys(key)
        client.flush()
    service.flush()

    assert service.rows(f"select event_name from events where event_id = '{event_id}'") == [("early",)]


def test_a_program_for_pypi_statsig_logs_the_same_rows_with_another_import_line(service: Service) -> None:
    program = _PROGRAM.read_text()
    assert program.count("from statsig import") == 1
    ours = program.replace("from statsig import", "from sluice.client.statsig import")
    ours = "\n".join(line for line in ours.splitlines() if "manually_log" not in line)
    keys = {"secret-pypi": program, "secret-ours": ours}
    service.import_keys(*keys)
    rows = {}
    for key, text in keys.items():
        done = subprocess.run(
            [sys.executable, "-c", text, service.rest, key],
            input="log first\nflush\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        service.flush()
        rows[key] = service.dicts(
            "select event_name, event_kind, environment, user_id, user_email, user_ip, user_country, user_locale, "
            "user_app_version, user_agent, user_custom, user_custom_ids, stable_id, value_number, value_string, "
            "metadata, time_ms > 0 as timed from events "
            f"where key_id = '{service.key_id(key)}' and event_kind = 'custom' order by event_name"
        )

    for row in [*rows["secret-pypi"], *rows["secret-ours"]]:
        for name in ("user_custom", "metadata"):
            row[name] = json.loads(row[name]) if row[name] else row[name]
    assert len(rows["secret-ours"]) == 4
    assert rows["secret-ours"] == rows["secret-pypi"]
    assert "hunter2" not in str(service.dicts("select * from events"))


def _raw(name: str | None, event_id: str) -> bytes:
    """An event as a client encodes it, but that it may lack its name: no event that the client takes is refused."""
    request = pb.LogEventRequest()
    event = request.events.add(event_name=name, event_id=event_id)
    event.user.user_id = "u1"
    return request.SerializeToString()


def test_of_many_events_that_the_service_refuses_each_is_told_and_all_others_are_in_the_lake(service: Service) -> None:
    # More than the service names in one answer.
    wrong = {number for number in range(500) if number % 2}
    with Client(service.grpc, service.server_key) as client:
        client._put([_raw(None if number in wrong else "right", f"half-{number}") for number in range(500)])
        with pytest.raises(NotDelivered) as raised:
            client.flush()
        stats = client.stats()
    service.flush()

    assert (stats.refused, stats.delivered) == (250, 250)
    assert {(told.path, told.message, told.reason) for told in raised.value.undelivered} == {
        ("event_name", "missing, expected string", Reason.REFUSED)
    }
    in_lake = service.rows("select event_id, count(*) from events where event_id like 'half-%' group by 1")
    assert sorted(in_lake) == sorted((f"half-{number}", 1) for number in range(500) if number not in wrong)


def test_a_service_that_takes_less_than_a_batch_gets_it_in_parts(service: Service) -> None:
    settings = Settings(batch_bytes=32 * MiB)
    with Client(service.grpc, service.server_key, settings) as client:
        ids = client.log_many([Event("large", "u1", metadata={"text": "x" * MiB}) for _ in range(12)])
        too_large = client.log(Event("too large", "u1", metadata={"text": "x" * 11 * MiB}))
        with pytest.raises(NotDelivered) as raised:
            client.flush()
    service.flush()

    in_lake = service.rows("select event_id, count(*) from events where event_name like '%large' group by 1")
    assert sorted(in_lake) == sorted((event_id, 1) for event_id in ids)
    assert [told.event.event_id for told in raised.value.undelivered] == [too_large]
    assert str(service.max_body) in raised.value.undelivered[0].message


class _Load:
    """Threads that log without a pause."""

    def __init__(self, client: Client) -> None:
        self.logged: list[str] = []
        self._client = client
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._log) for _ in range(2)]

    def _log(self) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            self.logged.append(self._client.log(Event("e", "u1", metadata={"text": "x" * 100, "n": number})))
            time.sleep(0.002)

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(60)


@pytest.mark.parametrize(
    ("roles", "spooled"), [(["worker-0", "envoy"], False), (["supervisor"], True)], ids=["children", "supervisor"]
)
def test_whatever_is_killed_each_event_that_was_logged_is_in_the_lake(
    tmp_path: Path, roles: list[str], spooled: bool
) -> None:
    with Service(tmp_path / "data", "--workers", "1", "--seal-age", "200ms", "--lake-age", "300ms") as killed:
        # The successor of a killed service must be where the client looks for it.
        killed._flags += ("--listen", killed.grpc)
        settings = Settings(
            linger_s=0.01,
            batch_events=20,
            call_timeout_s=5,
            first_backoff_s=0.1,
            longest_backoff_s=0.2,
            wait_for_room_s=30,
            spool=tmp_path / "spool" if spooled else None,
        )
        with Client(killed.grpc, killed.server_key, settings) as client:
            load = _Load(client)

            def more_is_delivered() -> None:
                before = client.stats().delivered
                wait_until(lambda: client.stats().delivered >= before + 60, within_s=40, what="more is delivered")

            with load.running():
                more_is_delivered()
                for role in roles:
                    killed.kill(role)
                    if role == "supervisor":
                        killed.start()
                    more_is_delivered()
            client.flush(timeout_s=60)
            stats = client.stats()
        killed.flush()
        rows = dict(killed.rows("select event_id, count(*) from events group by 1"))
        keys_of_repeats = killed.rows(
            "select count(distinct idempotency_key) from events group by event_id having count(*) > 1"
        )

    assert (stats.delivered, stats.refused + stats.given_up) == (len(load.logged), 0)
    assert set(rows) == set(load.logged)
    # A batch whose answer was lost is there again, under the same key.
    assert set(keys_of_repeats) <= {(1,)}
