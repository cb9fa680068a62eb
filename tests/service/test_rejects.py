"""What is refused, and what is set aside, from the doors to the table rejects, and back by a replay."""

import json
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2_grpc
from sluice.lake.rejects import find_reject
from sluice.supervisor.run_file import read_run_file
from tests.support.service import Service
from tests.support.waiting import wait_until

_SECRET = "078-05-1120"
_GOOD = '{"user":{"userID":"u1"},"eventName":"good","time":1767225600000}'
_BAD = f'{{"user":[{{"privateAttributes":{{"ssn":"{_SECRET}"}}}}],"eventName":"bad","time":1767225600000,"value":true}}'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("rejects")
    with Service(folder / "data", "--workers", "1", "--seal-age", "10m", "--lake-age", "10m") as running:
        yield running


def _post(service: Service, *events: str, key: str, timed: bool = True, path: str = "/v1/log_event") -> httpx.Response:
    headers = {"statsig-api-key": key, "content-type": "application/json"}
    if timed:
        headers["statsig-client-time"] = str(int(time.time() * 1000))
    return httpx.post(
        f"{service.rest}{path}", content=f'{{"events":[{",".join(events)}]}}', headers=headers, timeout=30
    )


def _kept(service: Service, request_id: str) -> dict[str, Any]:
    """One refused request, as soon as it is kept, wherever it is."""
    return wait_until(
        lambda: find_reject(service.data_dir, uuid.UUID(request_id), []),
        within_s=30,
        what="the refused request is kept",
    )


def _quarantining_key(service: Service) -> str:
    key = service.command("keys", "create", "--kind", "server", "--on-invalid", "quarantine").strip()
    wait_until(lambda: _post(service, _GOOD, key=key).status_code == 202, within_s=10)
    return key


def _all_bytes_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_a_refused_request_is_found_in_the_log_and_in_the_lake_and_its_private_attributes_nowhere(
    service: Service,
) -> None:
    answer = _post(service, _GOOD, _BAD, key=service.server_key)
    request_id = answer.headers["x-request-id"]

    assert answer.status_code == 400
    kept = _kept(service, request_id)
    assert request_id in service.command("tail", "--refused", "--no-follow")
    assert kept["reason"] == "INVALID_EVENTS"
    assert '"user":[{}]' in str(kept["body"])
    service.flush()
    assert service.rows(
        f"select reason, event_count, invalid_event_count from rejects where request_id='{request_id}'"
    ) == [("INVALID_EVENTS", 2, 1)]
    assert service.rows(f"select * from events where request_id='{request_id}'") == []
    traced = json.loads(service.command("trace", request_id, "--json"))
    assert (traced["state"], traced["refused"]["reason"]) == ("refused", "INVALID_EVENTS")
    shown = json.loads(service.command("rejects", "show", request_id, "--json"))
    assert (shown["body"], shown["body_sha256"]) == (kept["body"], kept["body_sha256"])
    # The lake's pages are compressed: what is in them, DuckDB tells.
    assert [path for path, content in _all_bytes_below(service.data_dir) if _SECRET.encode() in content] == []
    assert service.rows(f"select count(*) from rejects where contains(coalesce(body, '') || errors, '{_SECRET}')") == [
        (0,)
    ]


def test_good_events_of_a_key_that_quarantines_are_rows_and_bad_ones_are_rejects(service: Service) -> None:
    key = _quarantining_key(service)
    by_rest = _post(service, _GOOD, _BAD, _GOOD, key=key)
    with grpc.insecure_channel(service.grpc) as channel:
        request = pb.LogEventRequest(
            events=[pb.Event(event_name="bad"), pb.Event(event_name="good", user=pb.User(user_id="u1"))]
        )
        stub = events_service_pb2_grpc.EventsServiceStub(channel)
        by_grpc, call = stub.LogEvent.with_call(request, metadata=[("statsig-api-key", key)], timeout=20)
    grpc_id = dict(call.initial_metadata())["x-request-id"]

    assert (by_rest.status_code, by_rest.json()) == (202, {"success": True, "quarantinedEvents": 1})
    assert by_grpc.quarantined_events == 1
    service.flush()
    rest_id = by_rest.headers["x-request-id"]
    for request_id, places in ((rest_id, [(0,), (2,)]), (grpc_id, [(1,)])):
        sql = f"select event_index from events where request_id='{request_id}' order by 1"
        assert service.rows(sql) == places
        [(reason, errors)] = service.rows(f"select reason, errors from rejects where request_id='{request_id}'")
        assert reason == "QUARANTINED"
        assert json.loads(errors)[0]["path"].startswith("events[1]" if request_id == rest_id else "events[0]")
    assert _SECRET not in str(service.rows(f"select body from rejects where request_id='{rest_id}'"))
    assert service.status()["events_set_aside"] == 2


def test_custom_exposures_of_such_a_key_are_parted_too(service: Service) -> None:
    key = _quarantining_key(service)
    user = {"userID": "u1"}
    exposures = [
        {"user": user, "gateName": "no verdict", "ruleID": "r"},
        {"user": user, "gateName": "good", "passes": True, "ruleID": "r"},
    ]
    answer = httpx.post(
        f"{service.rest}/v1/log_custom_exposure",
        json={"exposures": exposures},
        headers={"statsig-api-key": key},
        timeout=30,
    )
    request_id = answer.headers["x-request-id"]

    assert (answer.status_code, answer.json()) == (202, {"success": True, "quarantinedEvents": 1})
    tailed = service.command("tail", "--from-start", "--no-follow", "--json").splitlines()
    [event] = [event for event in map(json.loads, tailed) if event["request_id"] == request_id]
    assert (event["event_name"], event["event_index"]) == ("statsig::gate_exposure", 1)
    service.flush()
    sql = f"select event_index, exposure_name from events where request_id='{request_id}'"
    assert service.rows(sql) == [(1, "good")]
    [(body,)] = service.rows(f"select body from rejects where request_id='{request_id}'")
    assert json.loads(body) == {"exposures": exposures[:1]}
    shown = json.loads(service.command("rejects", "show", request_id, "--json"))
    assert json.loads(shown["body"]) == {"exposures": exposures[:1]}
    # By the ordinary door of custom exposures, whose answer says what is missing.
    replayed = _replay(service, request_id)
    assert replayed.returncode == 1
    assert "exposures[0].passes" in replayed.stderr


def test_a_key_is_changed_while_the_service_runs(service: Service) -> None:
    key = service.command("keys", "create", "--kind", "server").strip()
    wait_until(lambda: _post(service, _GOOD, _BAD, key=key).status_code == 400, within_s=10)
    began = time.monotonic()
    service.command("keys", "set", service.key_id(key), "--on-invalid", "quarantine")
    wait_until(lambda: _post(service, _GOOD, _BAD, key=key).status_code == 202, within_s=10)

    assert time.monotonic() - began < 8


def test_a_replay_delivers_once_unless_it_is_asked_for_again(service: Service) -> None:
    answer = _post(service, _GOOD.replace("good", "replayed"), key=service.server_key, timed=False)
    request_id = answer.headers["x-request-id"]
    assert answer.status_code == 400
    _kept(service, request_id)

    first = _replay(service, request_id)
    second = _replay(service, request_id)
    third = _replay(service, request_id, "--again")

    assert (first.returncode, second.returncode, third.returncode) == (0, 0, 0)
    assert "1 delivered" in first.stderr
    assert "replayed before" in second.stderr
    assert "1 delivered" in third.stderr
    service.flush()
    assert service.rows("select count(*) from events where event_name='replayed'") == [(2,)]


def test_a_replay_goes_through_the_ordinary_validation(service: Service) -> None:
    refused = _post(service, _BAD, key=service.server_key).headers["x-request-id"]
    torn = httpx.post(
        f"{service.rest}/v1/log_event",
        content=b'{"events":[',
        headers={"statsig-api-key": service.server_key, "statsig-client-time": "1767225600000"},
        timeout=30,
    ).headers["x-request-id"]
    for request_id in (refused, torn):
        _kept(service, request_id)

    again = _replay(service, refused, torn)

    assert again.returncode == 1
    assert "events[0].user" in again.stderr
    assert "1 refused again, 1 not sent" in again.stderr
    assert service.try_command("rejects", "show", torn, "--body").returncode == 1


def test_a_native_call_is_replayed_as_one(service: Service) -> None:
    with grpc.insecure_channel(service.grpc) as channel:
        stub = events_service_pb2_grpc.EventsServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.LogEvent(
                pb.LogEventRequest(events=[pb.Event(event_name="e")]),
                metadata=[("statsig-api-key", service.server_key)],
                timeout=20,
            )
    request_id = dict(refused.value.initial_metadata())["x-request-id"]  # type: ignore[attr-defined]
    _kept(service, request_id)

    again = _replay(service, request_id)

    assert again.returncode == 1
    assert "events[0].user: missing" in again.stderr


def _replay(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    return service.try_command("rejects", "replay", *arguments, "--api-key", service.server_key)


def test_rejects_survive_kills_of_the_lake_writer_and_of_workers_once_each(service: Service) -> None:
    ids = []
    for role in ("lake", "worker-0", "lake"):
        refused = [_post(service, _BAD, key=service.server_key) for _ in range(5)]
        assert [answer.status_code for answer in refused] == [400] * 5
        ids += [answer.headers["x-request-id"] for answer in refused]
        for request_id in ids[-5:]:
            _kept(service, request_id)
        killed = service.kill(role)
        wait_until(lambda role=role, killed=killed: _is_replaced(service, role, killed), within_s=30)
        wait_until(lambda: _post(service, _GOOD, key=service.server_key).status_code == 202, within_s=30)
    service.flush()

    found = service.rows("select request_id, count(*) from rejects group by 1 having count(*) > 1")
    there = {row[0] for row in service.rows("select request_id from rejects")}
    assert found == []
    assert set(ids) <= there


def _is_replaced(service: Service, role: str, killed: int) -> bool:
    run = read_run_file(service.data_dir)
    return run is not None and role in run.children and run.children[role].pid != killed


def test_a_flood_of_large_refused_bodies_stays_within_the_budget_and_stops_no_good_traffic(tmp_path: Path) -> None:
    budget = 16 * 1024 * 1024
    body = b'{"events":"' + os.urandom(2_600_000).hex().encode() * 2 + b'"}'
    with Service(tmp_path / "data", "--workers", "1", "--rejects-per-hour", "16MiB", "--lake-age", "1h") as service:
        headers = {"statsig-api-key": service.server_key, "statsig-client-time": "1767225600000"}
        stop = threading.Event()
        answers: list[int] = []

        def flood() -> None:
            with httpx.Client(timeout=60) as client:
                while not stop.is_set() and len(answers) < 60:
                    answers.append(
                        client.post(f"{service.rest}/v1/log_event", content=body, headers=headers).status_code
                    )

        attackers = [threading.Thread(target=flood) for _ in range(2)]
        for attacker in attackers:
            attacker.start()
        good = [service.post("good").status_code for _ in range(30)]
        wait_until(lambda: len(answers) >= 8, within_s=60, what="some were refused")
        stop.set()
        for attacker in attackers:
            attacker.join()

        used = sum(path.stat().st_size for path in (service.data_dir / "log/refused").rglob("*") if path.is_file())
        assert good == [202] * 30
        assert set(answers) <= {400, 503}
        assert answers.count(400) >= 8
        assert 0 < used <= budget
        assert service.status()["rejects_dropped"]["hour_budget"] > 0
