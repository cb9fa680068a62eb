"""`sluice tail --refused`: what it shows of what comes, and what it leaves out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sluice.cli.tailing_refused import RefusedTail, WantedRefusals, refusal_line
from sluice.framing import frame
from sluice.log.ids import request_id_text
from sluice.log.refused import RefusedEntry, encode_refused, refused_log
from tests.support.log_records import open_segment, refused_entry

_ERRORS = '[{"path":"a\\u001b","expected":"b","found":"c"},{"path":"d","expected":"e","found":"f"}]'


class _Watched:
    """A tail, and what it has shown."""

    def __init__(self, data_dir: Path, *, rate: int = 100, limit: int | None = None, **wanted: Any) -> None:
        self.rows: list[dict[str, Any]] = []
        self.tail = RefusedTail(data_dir, WantedRefusals(**wanted), self._show, rate=rate, limit=limit)

    def _show(self, rows: Iterable[dict[str, Any]]) -> None:
        self.rows += rows

    @property
    def ids(self) -> list[str]:
        return [row["request_id"] for row in self.rows]


def _come(data_dir: Path, *entries: RefusedEntry) -> list[str]:
    open_segment(
        refused_log(data_dir),
        b"".join(
            frame(b"".join(encode_refused(entry, received_at_us=at, node="n1"))) for at, entry in enumerate(entries, 1)
        ),
    )
    return [request_id_text(entry.request_id) for entry in entries]


def test_what_comes_is_shown_without_its_body_and_what_was_there_only_if_it_is_asked_for(tmp_path: Path) -> None:
    past = _come(tmp_path, refused_entry(b"body"))
    watched = _Watched(tmp_path)
    asked = _Watched(tmp_path)
    asked.tail.show_past()
    came = _come(tmp_path, refused_entry(b"body"), refused_entry(None))
    for each in (watched, asked):
        each.tail.run_once(1.0)
        each.tail.close()

    assert watched.ids == came
    assert asked.ids == past + came
    assert "body" not in watched.rows[0]


def test_only_what_is_wanted_is_shown_and_no_more_than_the_limit(tmp_path: Path) -> None:
    wanted, limited = _Watched(tmp_path, key_ids=frozenset({"key-2"})), _Watched(tmp_path, limit=1)
    ids = _come(tmp_path, refused_entry(), refused_entry(key_id="key-2"))
    for each in (wanted, limited):
        each.tail.run_once(1.0)
        each.tail.close()

    assert (wanted.ids, limited.ids) == (ids[1:], ids[:1])
    assert limited.tail.is_done


def test_of_more_than_the_rate_the_rest_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watched = _Watched(tmp_path, rate=2)
    _come(tmp_path, *[refused_entry() for _ in range(5)])
    watched.tail.run_once(1.0)
    watched.tail.run_once(2.0)
    watched.tail.close()

    assert len(watched.rows) == 2
    assert "3 more were refused" in capsys.readouterr().err


def test_a_line_tells_why_and_holds_no_control_character(tmp_path: Path) -> None:
    watched = _Watched(tmp_path)
    _come(tmp_path, refused_entry(errors=_ERRORS, event_count=3, invalid_event_count=2))
    watched.tail.run_once(1.0)
    watched.tail.close()

    line = refusal_line(watched.rows[0])
    assert "INVALID_REQUEST" in line
    assert "events=2/3" in line
    assert line.endswith("expected b, got c; d: expected e, got f")
    assert "\x1b" not in line
