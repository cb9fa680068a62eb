"""`sluice rejects …`, on a folder without a service, and against a server that answers as it is told."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import structlog.testing

from sluice.error_details import PERHAPS_STORED
from sluice.framing import frame
from sluice.lake.writer import LakeWriter
from sluice.lake.written_tables import rejects_table
from sluice.log.ids import request_id_text
from sluice.log.refused import RefusedEntry, RefusedSegments, RejectReason, encode_refused, refused_log
from tests.support.command import InProcess
from tests.support.lake_service import config, publish_all
from tests.support.log_records import refused_entry, sealed_segment

_AT_US = 1_767_225_600_000_000
_ERRORS = '[{"path":"events[0].time","expected":"integer (ms since epoch)","found":"string"}]'


def _seal(data_dir: Path, *entries: RefusedEntry, at: int = 0) -> list[str]:
    frames = [
        frame(b"".join(encode_refused(entry, received_at_us=_AT_US + us, node="n1")))
        for us, entry in enumerate(entries, at)
    ]
    sealed_segment(refused_log(data_dir), b"".join(frames), records=len(frames))
    return [request_id_text(entry.request_id) for entry in entries]


def _publish(data_dir: Path) -> None:
    writer = LakeWriter(config(data_dir), rejects_table(RefusedSegments(data_dir)))
    writer.prepare()
    with structlog.testing.capture_logs():
        publish_all(writer)


@pytest.fixture
def on(sluice: InProcess, tmp_path: Path) -> Callable[..., Any]:
    """Runs a command on a data folder."""
    refused_log(tmp_path).mkdir(parents=True)
    return lambda *arguments: sluice("rejects", *arguments, "--data-dir", str(tmp_path))


def _listed(on: Callable[..., Any], *arguments: str) -> Any:
    return json.loads(on("list", "--json", *arguments).out)


def test_what_the_log_holds_and_what_the_lake_has_are_listed_the_latest_first_and_each_once(
    on: Callable[..., Any], tmp_path: Path
) -> None:
    published = _seal(tmp_path, refused_entry(), refused_entry(reason=RejectReason.TOO_LARGE))
    _publish(tmp_path)
    waiting = _seal(tmp_path, *[refused_entry(key_id="key-2")] * 1)

    found = _listed(on)

    assert found["total"] == 3
    assert found["by_reason"] == {"INVALID_REQUEST": 2, "TOO_LARGE": 1}
    assert {row["request_id"] for row in found["rejects"]} == {*published, *waiting}
    assert found["rejects"][0]["request_id"] == published[1]
    assert [row["request_id"] for row in _listed(on, "--key", "key-2")["rejects"]] == waiting
    assert _listed(on, "--reason", "too_large")["total"] == 1
    assert _listed(on, "--since", "1h")["total"] == 0
    assert _listed(on, "--since", "2026-01-01", "--until", "2026-01-01T00:00:00.000001Z")["total"] == 2
    limited = _listed(on, "--limit", "1")
    assert (limited["total"], len(limited["rejects"])) == (3, 1)


def test_the_list_goes_by_the_time_of_receipt_and_has_the_times_that_show_prints_in_log_and_lake(
    on: Callable[..., Any], tmp_path: Path
) -> None:
    # Those in the lake come before and after those that wait, by the time of receipt.
    published = [*_seal(tmp_path, refused_entry()), *_seal(tmp_path, refused_entry(), at=4_321)]
    _publish(tmp_path)
    waiting = _seal(tmp_path, refused_entry(), at=1_234) + _seal(tmp_path, refused_entry(), at=9_876)

    lines = on("list").out.splitlines()[1:]

    assert [line.split()[1] for line in lines] == [waiting[1], published[1], waiting[0], published[0]]
    for line, us in zip(lines, (9_876, 4_321, 1_234, 0), strict=True):
        received, request_id = line.split()[:2]
        assert received == f"2026-01-01T00:00:00.{us:06}+00:00"
        assert f"received     {received} by " in on("show", request_id).out


def test_a_segment_that_the_lake_names_and_the_log_still_has_is_listed_once(
    on: Callable[..., Any], tmp_path: Path
) -> None:
    _seal(tmp_path, refused_entry())
    [segment] = (refused_log(tmp_path) / "sealed").iterdir()
    content = segment.read_bytes()
    _publish(tmp_path)
    segment.write_bytes(content)

    assert _listed(on)["total"] == 1


@pytest.mark.parametrize("published", [False, True])
def test_one_is_shown_with_what_was_wrong_and_its_body(on: Callable[..., Any], tmp_path: Path, published: bool) -> None:
    [request_id] = _seal(tmp_path, refused_entry(b'{"a":[1,"\\u001b"]}', errors=_ERRORS))
    if published:
        _publish(tmp_path)

    shown = on("show", request_id)

    assert shown.code == 0
    assert "events[0].time: expected integer (ms since epoch), got string" in shown.out
    assert '"a": [' in shown.out
    assert "\x1b" not in shown.out
    assert json.loads(on("show", request_id, "--json").out)["errors"] == json.loads(_ERRORS)


def test_of_one_whose_body_was_not_kept_the_place_of_the_fault_is_told(on: Callable[..., Any], tmp_path: Path) -> None:
    [request_id] = _seal(tmp_path, refused_entry(None, fault_offset=7, body_bytes=9))

    assert "can't be parsed, from offset 7 on" in on("show", request_id).out
    asked = on("show", request_id, "--body")
    assert (asked.code, asked.out) == (1, "")
    assert "not kept" in asked.err


def test_every_reason_may_be_asked_for(on: Callable[..., Any]) -> None:
    for reason in RejectReason:
        assert on("list", "--reason", reason.value.lower()).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "nonsense"], 2, "is no request id"),
        (["show", "01981f2e-7c40-7000-8000-0123456789ab"], 1, "no refused request has the id"),
        (["list", "--reason", "nope"], 2, "is none of: invalid_events"),
        (["list", "--key", "secret-abcdefghij"], 2, "is a key, not the id of one"),
        (["list", "--since", "yesterday"], 2, "--since"),
        (["replay", "--api-key", "secret-abcdefghij"], 2, "name request ids, or --all"),
        (["replay", "--all"], 2, "no key to send them with"),
        (["replay", "01981f2e-7c40-7000-8000-0123456789ab", "--reason", "too_large"], 2, "add --all"),
        (["replay", "--all", "--api-key", "secret-abcdefghij"], 1, "no service runs"),
    ],
)
def test_wrong_usage_is_told(on: Callable[..., Any], arguments: list[str], code: int, said: str) -> None:
    result = on(*arguments)

    assert result.code == code
    assert said in result.err + result.out


class _Door:
    """A service's door, which answers as it is told and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                door.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, said = door.answers.pop(0)
                content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.send_header("x-request-id", f"new-{len(door.got)}")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def door() -> Iterator[_Door]:
    opened = _Door()
    yield opened
    opened.close()


def _replay(on: Callable[..., Any], door: _Door, *arguments: str) -> Any:
    return on("replay", *arguments, "--address", door.address, "--api-key", "secret-abcdefghij")


def test_a_replay_posts_the_body_with_what_was_said_of_it_and_once(
    on: Callable[..., Any], tmp_path: Path, door: _Door
) -> None:
    entry = refused_entry(b'{"events":[]}', client_time_ms=_AT_US // 1000 - 5000, sdk_type="py", session_id="s")
    [request_id] = _seal(tmp_path, entry)
    door.answers = [(202, {"success": True})] * 2

    first, second = (_replay(on, door, request_id) for _ in range(2))
    third = _replay(on, door, request_id, "--again")

    assert (first.code, second.code, third.code) == (0, 0, 0)
    assert "replayed before: as request new-1" in second.err
    assert len(door.got) == 2
    path, headers, body = door.got[0]
    assert (path, body, headers["statsig-api-key"]) == ("/v1/log_event", b'{"events":[]}', "secret-abcdefghij")
    assert (headers["statsig-sdk-type"], headers["statsig-server-session-id"]) == ("py", "s")


def test_what_is_refused_again_and_what_has_no_body_end_with_1_and_may_be_tried_later(
    on: Callable[..., Any], tmp_path: Path, door: _Door
) -> None:
    ids = _seal(tmp_path, refused_entry(), refused_entry(None), refused_entry())
    door.answers = [(400, {"message": "events: missing"}), (202, {"success": True, "quarantinedEvents": 1})]

    result = _replay(on, door, "--all", "--reason", "invalid_request")

    assert result.code == 1
    assert "events: missing" in result.err
    assert "1 refused again, 1 set aside, 1 not sent" in result.err
    door.answers = [(202, {"success": True})]
    assert _replay(on, door, ids[0]).code == 0


@pytest.mark.parametrize(
    ("reason", "status", "answer", "told"),
    [
        pytest.param(RejectReason.INVALID_EVENTS, 400, {"message": "no"}, "refused again", id="refused, refused"),
        pytest.param(RejectReason.QUARANTINED, 400, {"message": "no"}, "refused", id="set aside, refused"),
        pytest.param(RejectReason.INVALID_EVENTS, 202, {"quarantinedEvents": 2}, "set aside", id="refused, set aside"),
        pytest.param(RejectReason.QUARANTINED, 202, {"quarantinedEvents": 2}, "set aside again", id="twice set aside"),
    ],
)
def test_a_replay_is_told_to_have_met_a_fate_again_only_where_the_request_had_met_it_before(
    on: Callable[..., Any],
    tmp_path: Path,
    door: _Door,
    *,
    reason: RejectReason,
    status: int,
    answer: dict[str, Any],
    told: str,
) -> None:
    [request_id] = _seal(tmp_path, refused_entry(reason=reason))
    door.answers = [(status, answer)] * 2
    said = "no" if status == 400 else "2 of its events, as request new-"

    first, second = (_replay(on, door, request_id, "--again") for _ in range(2))

    assert f"{request_id}: {told}: {said}" in first.err
    assert first.err.splitlines()[1] == f"1 {told}"
    assert f"{request_id}: {told.removesuffix(' again')} again: {said}" in second.err


def test_a_service_that_cannot_take_it_now_ends_the_replay_and_a_later_one_goes_on(
    on: Callable[..., Any], tmp_path: Path, door: _Door
) -> None:
    _seal(tmp_path, refused_entry(), refused_entry())
    door.answers = [(503, {"message": "too many"})]
    stopped = _replay(on, door, "--all")
    door.answers = [(202, {"success": True})] * 2

    later = _replay(on, door, "--all")

    assert (stopped.code, later.code) == (1, 0)
    assert "1 more were not tried" in stopped.err
    assert "2 delivered" in later.err


@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param(503, f"the service broke off before it answered; {PERHAPS_STORED}", id="the worker was lost"),
        pytest.param(504, f"no worker answered within 30 s; {PERHAPS_STORED}", id="no answer in time"),
    ],
)
def test_what_may_be_stored_already_is_not_sent_again_unasked(
    on: Callable[..., Any], tmp_path: Path, door: _Door, status: int, message: str
) -> None:
    [request_id] = _seal(tmp_path, refused_entry())
    door.answers = [(status, {"message": message})]

    first = _replay(on, door, request_id)
    second = _replay(on, door, request_id)

    assert (first.code, second.code, len(door.got)) == (1, 1, 1)
    assert "isn't known" in second.err


def test_what_has_arrived_once_is_not_sent_again_unasked_also_after_a_later_replay_failed(
    on: Callable[..., Any], tmp_path: Path, door: _Door
) -> None:
    [request_id] = _seal(tmp_path, refused_entry())
    door.answers = [(202, {"success": True}), (401, {"message": "API key is not known here"})]
    _replay(on, door, request_id)
    failed = _replay(on, door, request_id, "--again")

    later = _replay(on, door, request_id)

    assert (failed.code, later.code, len(door.got)) == (1, 0, 2)
    assert "replayed before: as request new-1" in later.err


def test_all_leaves_out_what_came_of_replays(on: Callable[..., Any], tmp_path: Path, door: _Door) -> None:
    first, second = _seal(tmp_path, refused_entry(), refused_entry())
    note = {"request_id": first, "state": "refused", "at": 1.0, "as_request": second}
    (tmp_path / "replays.jsonl").write_text(json.dumps(note) + "\n")
    door.answers = [(400, {"message": "events: missing"})] * 2

    everything = _replay(on, door, "--all")
    by_its_name = _replay(on, door, second)

    assert "1 came of replays themselves" in everything.err
    assert "1 refused again" in everything.err
    assert "1 refused again" in by_its_name.err


def test_a_replay_that_was_cut_off_is_not_repeated_unasked(on: Callable[..., Any], tmp_path: Path, door: _Door) -> None:
    [request_id] = _seal(tmp_path, refused_entry())
    begun = {"request_id": request_id, "state": "begun", "at": 1.0}
    (tmp_path / "replays.jsonl").write_text(json.dumps(begun) + '\n{"request_id":"torn')

    result = _replay(on, door, request_id)
    door.answers = [(202, {"success": True})]
    again = _replay(on, door, request_id, "--again")

    assert (result.code, again.code) == (1, 0)
    assert "isn't known" in result.err
    assert _replay(on, door, request_id).code == 0
    assert len(door.got) == 1


def test_a_key_that_is_refused_ends_the_replay(on: Callable[..., Any], tmp_path: Path, door: _Door) -> None:
    _seal(tmp_path, refused_entry(), refused_entry())
    door.answers = [(401, {"message": "API key is not known here"})]

    result = _replay(on, door, "--all")

    assert result.code == 1
    assert "not known here" in result.err
    assert len(door.got) == 1
