"""Generated requests through the whole service: taken and kept, or refused with a path, and never a 5xx.

`make test-properties` sends 10^5 of them, tells how far it is, and what memory each process took; `make test` some
hundred.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sluice.log.segment import LOG_FOLDER
from tests.support.generated import PATHS, many_bodies
from tests.support.kept import assert_kept
from tests.support.lake_rows import rows
from tests.support.log_records import NewRecords
from tests.support.oracle import Expected, expected_of, is_named_by
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

_REQUESTS = int(os.environ.get("SLUICE_TEST_REQUESTS", "300"))
_AT_ONCE = 10
_TOLD_EVERY = 5000


@dataclass
class Run:
    """One service, and what became of the requests that it was sent."""

    service: Service
    records: NewRecords
    connection: http.client.HTTPConnection
    began: float = field(default_factory=time.monotonic)
    statuses: Counter[int] = field(default_factory=Counter)
    events: int = 0
    # Records of a segment that was sealed before it was read: they are looked at in the lake.
    elsewhere: dict[str, Expected] = field(default_factory=dict)

    def post(self, path: str, body: bytes, *, packed: bool) -> tuple[int, str, Any]:
        """Send a body; return status, request id and answer."""
        headers = {
            "statsig-api-key": self.service.server_key,
            "statsig-client-time": "1767225600000",
            "content-type": "application/json",
        } | ({"content-encoding": "gzip"} if packed else {})
        sent = gzip.compress(body, 1) if packed else body
        self.connection.request("POST", f"/v1{path}", body=sent, headers=headers)
        answer = self.connection.getresponse()
        told = json.loads(answer.read())
        self.statuses[answer.status] += 1
        if self.statuses.total() % _TOLD_EVERY == 0:
            self.tell()
        return answer.status, answer.headers["x-request-id"], told

    def tell(self) -> None:
        """Say how far it is."""
        sent, took_s = self.statuses.total(), time.monotonic() - self.began
        print(f"{sent} requests, {self.events} events kept, {dict(self.statuses)}, {sent / took_s:.0f} requests/s")

    def tell_memory(self) -> None:
        """Say what memory each process took at most."""
        run = self.service.run_file
        for role, process in {"supervisor": run.supervisor, **run.children}.items():
            print(f"{role}: at most {_peak_bytes(process.pid) / 2**20:.0f} MiB")


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    # One worker and no sealing: what was written last stands at the end of the only open segment.
    flags = ("--workers", "1", "--seal-age", "1h", "--seal-size", "1GiB")
    with Service(tmp_path_factory.mktemp("generated") / "data", *flags) as service:
        host, _, port = service.grpc.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        yield Run(service, NewRecords(service.data_dir / LOG_FOLDER), connection)
        connection.close()


@settings(
    max_examples=-(-_REQUESTS // _AT_ONCE),
    deadline=None,
    # A request that failed would be sent again and again: the in-process test finds the smallest one.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(path=st.sampled_from(PATHS), data=st.data())
@pytest.mark.timeout(7200)
def test_a_request_is_taken_and_kept_or_refused_with_a_path(run: Run, path: str, data: st.DataObject) -> None:
    expected: dict[str, Expected] = {}
    for number, body in enumerate(data.draw(many_bodies(path, _AT_ONCE), label="bodies")):
        said = expected_of(body, path)
        status, request_id, told = run.post(path, body, packed=number % 3 == 0)
        if said.is_valid:
            assert (status, told) == (202, {"success": True}), (body, told)
            if said.rows:
                expected[request_id] = said
                run.events += len(said.rows)
        else:
            assert (status, told["status"]) == (400, 400), (body, told)
            assert told["errors"], body
            assert all(is_named_by(error["path"], body) for error in told["errors"]), (body, told)

    if records := run.records.read():
        _compare(rows(records), expected)
    run.elsewhere |= expected


def _compare(found: list[dict[str, Any]], expected: dict[str, Expected]) -> None:
    """Compare the rows of each request, and take it off the list."""
    by_request: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        by_request.setdefault(row["request_id"], []).append(row)
    for request_id, its_rows in by_request.items():
        assert_kept(its_rows, expected.pop(request_id).rows)


def test_all_that_was_taken_is_in_the_lake_once(run: Run) -> None:
    run.tell()
    run.tell_memory()
    run.service.flush()

    assert run.service.rows("select count(*) from events") == [(run.events,)]
    for request_id, said in run.elsewhere.items():
        found = run.service.dicts(f"select * from events where request_id = '{request_id}' order by event_index")
        assert_kept(found, said.rows)
    assert set(run.statuses) == {202, 400}
