"""The comparison of the lake with the ledger tells each thing that must not be, and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.ledger.attempts import EVENT_NAME, Mark, sum_of, user_of
from tests.support.ledger.lake import LakeReader, compare
from tests.support.ledger.ledger import Answer, Ledger, Outcome

Rows = list[dict[str, object]]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    kept = Ledger(tmp_path / "attempts.tsv")
    yield kept
    kept.close()


def _attempt(ledger: Ledger, outcome: Outcome, *, count: int = 3, must_fail: str = "") -> int:
    attempt = ledger.begin(count)
    answer = Answer(outcome=outcome, status="as said", request_id=f"r{attempt}")
    ledger.end(attempt, answer, door="rest", must_fail=must_fail, sent_at=0.0)
    return attempt


def _rows(attempt: int, *, count: int = 3) -> Rows:
    marks = [Mark(attempt, index, count, sum_of(attempt, index, count, "t"), "t") for index in range(count)]
    return [
        {
            "request_id": f"r{attempt}",
            "event_index": mark.index,
            "event_name": EVENT_NAME,
            "user_id": user_of(mark),
            "value_number": float(mark.index),
            "metadata": f'{{"attempt":{attempt},"index":{mark.index},"count":{count},"sum":{mark.sum},"text":"t"}}',
        }
        for mark in marks
    ]


def _publish(data_dir: Path, name: str, rows: Rows) -> None:
    folder = data_dir / "lake/events/received_date=2026-01-01/received_hour=00"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")


def _what(data_dir: Path, ledger: Ledger) -> list[str]:
    return [finding.what for finding in compare(LakeReader(data_dir), ledger)]


def test_each_class_may_have_what_it_may_have(tmp_path: Path, ledger: Ledger) -> None:
    rows = []
    for outcome in (Outcome.ACKNOWLEDGED, Outcome.FAILED, Outcome.UNANSWERED):
        rows += _rows(_attempt(ledger, outcome))
    for outcome in (Outcome.FAILED, Outcome.UNANSWERED):
        _attempt(ledger, outcome)
    _attempt(ledger, Outcome.REFUSED, must_fail="key")
    _publish(tmp_path, "a", rows)

    assert _what(tmp_path, ledger) == []
    assert +ledger.in_lake() == {Outcome.ACKNOWLEDGED: 1, Outcome.FAILED: 1, Outcome.UNANSWERED: 1}


def test_what_was_acknowledged_and_is_not_there_is_told(tmp_path: Path, ledger: Ledger) -> None:
    _attempt(ledger, Outcome.ACKNOWLEDGED)

    assert _what(tmp_path, ledger) == ["acknowledged, and not in the lake"]


@pytest.mark.parametrize(
    ("outcome", "alter", "told"),
    [
        pytest.param(Outcome.REFUSED, lambda rows: rows, "refused, and in the lake", id="refused"),
        pytest.param(
            Outcome.UNANSWERED, lambda rows: rows[:2], "unanswered, and not whole in the lake", id="its end is missing"
        ),
        pytest.param(
            Outcome.ACKNOWLEDGED,
            lambda rows: [*rows, rows[1]],
            "acknowledged, and in the lake more than once",
            id="an event twice",
        ),
        pytest.param(
            Outcome.ACKNOWLEDGED,
            lambda rows: [row | {"request_id": "r9"} for row in rows],
            "rows of another request than the client was told, which is r0",
            id="another request id",
        ),
        pytest.param(
            Outcome.FAILED,
            lambda rows: [{**row, "metadata": str(row["metadata"]).replace('"t"', '"u"')} for row in rows],
            "a row that no client sent",
            id="an altered text",
        ),
        pytest.param(
            Outcome.FAILED,
            lambda rows: [{**row, "user_id": None} for row in rows],
            "a row that no client sent",
            id="another column is not as it was sent",
        ),
        pytest.param(Outcome.FAILED, lambda _rows_of_it: _rows(7), "an attempt that no client made", id="foreign"),
    ],
)
def test_what_is_there_and_must_not_be_is_told(
    tmp_path: Path, ledger: Ledger, outcome: Outcome, alter: Callable[[Rows], Rows], told: str
) -> None:
    attempt = _attempt(ledger, outcome, must_fail="key" if outcome is Outcome.REFUSED else "")
    _publish(tmp_path, "a", alter(_rows(attempt)))

    assert set(_what(tmp_path, ledger)) == {told}


def test_events_that_no_client_of_the_ledger_sent_are_passed_over_where_they_are_named(
    tmp_path: Path, ledger: Ledger
) -> None:
    _publish(tmp_path, "a", [row | {"event_name": "posted", "metadata": None} for row in _rows(0)])

    assert compare(LakeReader(tmp_path, besides={"posted"}), ledger) == []
    assert set(_what(tmp_path, ledger)) == {"a row that no client sent"}


def test_a_second_file_with_the_same_request_is_told_also_in_a_later_comparison(tmp_path: Path, ledger: Ledger) -> None:
    attempt = _attempt(ledger, Outcome.UNANSWERED)
    reader = LakeReader(tmp_path)
    _publish(tmp_path, "a", _rows(attempt))
    assert compare(reader, ledger) == []
    ledger.settle()
    _publish(tmp_path, "b", _rows(attempt))

    assert [finding.what for finding in compare(reader, ledger)] == ["unanswered, and in the lake more than once"]


def test_a_file_that_is_altered_or_gone_is_told(tmp_path: Path, ledger: Ledger) -> None:
    attempt = _attempt(ledger, Outcome.ACKNOWLEDGED)
    reader = LakeReader(tmp_path)
    _publish(tmp_path, "a", _rows(attempt))
    assert compare(reader, ledger) == []
    next(tmp_path.rglob("*.parquet")).unlink()

    assert [finding.what for finding in compare(reader, ledger)] == ["a file of the lake was altered"]


@pytest.mark.parametrize(
    ("outcome", "must_fail"), [(Outcome.REFUSED, ""), (Outcome.ACKNOWLEDGED, "key")], ids=["refused", "acknowledged"]
)
def test_a_wrong_answer_is_told(tmp_path: Path, ledger: Ledger, outcome: Outcome, must_fail: str) -> None:
    attempt = _attempt(ledger, outcome, must_fail=must_fail)
    if outcome is Outcome.ACKNOWLEDGED:
        _publish(tmp_path, "a", _rows(attempt))

    assert _what(tmp_path, ledger) == ["a wrong answer"]


def test_an_attempt_whose_client_was_lost_is_told(tmp_path: Path, ledger: Ledger) -> None:
    ledger.begin(3)

    assert _what(tmp_path, ledger) == ["an attempt without an end"]
