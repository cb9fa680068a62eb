"""Each acknowledged request is in the lake exactly once, whatever step the writer dies at."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sluice import disk
from sluice.lake import publish as publish_module
from sluice.lake import written_tables
from sluice.lake.staging import segments_in_hand
from sluice.lake.writer import Outcome
from sluice.log.ports import Damage, DamageReason, Sealed
from tests.support.lake_log import MemoryLog, record
from tests.support.lake_service import Crash, CrashBefore, FailWhere, files, in_lake, publish_all, started

_EVENTS = ["a", "b", "c", "d"]


def _body(*names: str) -> bytes:
    return ('{"events":[' + ",".join(f'{{"eventName":"{name}","time":1}}' for name in names) + "]}").encode()


def _log_of_two_segments() -> MemoryLog:
    log = MemoryLog()
    log.seal([record(_body("a", "b"), number=1)])
    log.seal([record(_body("c"), number=2), record(_body("d"), number=3)])
    return log


def _operations_of_one_publication(data_dir: Path) -> list[disk.Operation]:
    observer = CrashBefore(-1)
    with disk.observed(observer):
        publish_all(started(data_dir, _log_of_two_segments()))
    return observer.seen


def test_a_crash_before_any_change_on_disk_leaves_each_event_in_the_lake_once(tmp_path: Path) -> None:
    for number in range(len(_operations_of_one_publication(tmp_path / "whole"))):
        data_dir = tmp_path / str(number)
        log = _log_of_two_segments()
        with disk.observed(CrashBefore(number)), pytest.raises(Crash):
            publish_all(started(data_dir, log))

        publish_all(started(data_dir, log))

        assert in_lake(data_dir) == _EVENTS, f"after a crash before operation {number}"
        assert log.waiting() == []
        assert disk.entries(data_dir / "lake/.staging") == []


@pytest.mark.parametrize("step", publish_module.STEPS)
def test_a_crash_at_any_step_of_publishing_leaves_each_event_in_the_lake_once(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Crash

    log = _log_of_two_segments()
    with monkeypatch.context() as patched:
        patched.setitem(publish_module.STEPS, step, die)
        with pytest.raises(Crash):
            publish_all(started(tmp_path, log))

    publish_all(started(tmp_path, log))

    assert in_lake(tmp_path) == _EVENTS
    assert log.waiting() == []


def test_every_name_is_durable_before_a_segment_is_let_go(tmp_path: Path) -> None:
    log = _log_of_two_segments()
    observer = CrashBefore(-1)
    let_go_after: list[int] = []
    original = log.done

    def done(segments: list[Sealed]) -> None:
        let_go_after.append(len(observer.seen))
        original(segments)

    log.done = done  # type: ignore[method-assign, assignment]  # a log that tells when
    with disk.observed(observer):
        publish_all(started(tmp_path, log))
    steps = [
        (operation.verb, str(Path(operation.to or operation.path).relative_to(tmp_path)))
        for operation in observer.seen[: let_go_after[0]]
        if ".staging" not in (operation.to or operation.path) or operation.verb == "sync"
    ]

    hour = "lake/events/received_date=2026-01-31/received_hour=07"
    file = files(tmp_path)[0].name
    after_write = [step for step in steps if not step[1].endswith(("current.json",)) and "/." not in step[1]]
    assert after_write[-6:] == [
        ("rename", f"{hour}/{file}"),
        ("sync_folder", hour),
        ("sync_folder", "lake/events/received_date=2026-01-31"),
        ("sync_folder", "lake/events"),
        ("sync_folder", "lake"),
        ("sync_folder", "."),
    ]
    verbs = [(operation.verb, operation.path.endswith(file)) for operation in observer.seen]
    assert verbs.index(("sync", True)) < verbs.index(("rename", True))
    assert ("write", True) not in verbs[verbs.index(("sync", True)) :]


def test_the_folders_above_are_synced_once_per_process_and_hour(tmp_path: Path) -> None:
    log = _log_of_two_segments()
    writer = started(tmp_path, log)
    publish_all(writer)
    log.seal([record(_body("e"), number=4)])
    observer = CrashBefore(-1)
    with disk.observed(observer):
        publish_all(writer)

    synced = [operation.path for operation in observer.seen if operation.verb == "sync_folder"]
    assert str(files(tmp_path)[0].parent) in synced
    assert str(tmp_path) not in synced


def test_a_folder_that_was_removed_meanwhile_is_made_again_durably(tmp_path: Path) -> None:
    log = _log_of_two_segments()
    writer = started(tmp_path, log)
    publish_all(writer)
    shutil.rmtree(files(tmp_path)[0].parents[1])
    log.seal([record(_body("e"), number=4)])
    observer = CrashBefore(-1)
    with disk.observed(observer):
        publish_all(writer)

    synced = [operation.path for operation in observer.seen if operation.verb == "sync_folder"]
    assert {str(folder) for folder in [*files(tmp_path)[0].parents][:5]} <= set(synced)
    assert in_lake(tmp_path) == ["e"]


def test_a_file_names_its_segments_and_its_version(tmp_path: Path) -> None:
    log = _log_of_two_segments()
    first, second = log.waiting()

    publish_all(started(tmp_path, log))

    (file,) = files(tmp_path)
    assert file.relative_to(tmp_path).as_posix() == (
        f"lake/events/received_date=2026-01-31/received_hour=07/{first.id}.parquet"
    )
    metadata = pq.read_metadata(file).metadata
    assert metadata[b"sluice.segments"].decode() == (
        f'[{{"id": "{first.id}", "records": 1}}, {{"id": "{second.id}", "records": 2}}]'
    )
    assert metadata[b"sluice.schema_version"] == b"1"


@pytest.mark.parametrize("same_process", [True, False])
def test_a_segment_that_comes_back_is_let_go_and_not_decoded_again(tmp_path: Path, same_process: bool) -> None:
    log = _log_of_two_segments()
    content = dict(log.content)
    writer = started(tmp_path, log)
    publish_all(writer)
    log.content |= content
    log.reads.clear()

    observer = CrashBefore(-1)
    with disk.observed(observer):
        publish_all(writer if same_process else started(tmp_path, log))

    assert (log.reads, log.waiting(), in_lake(tmp_path)) == ([], [], _EVENTS)
    synced = [operation.path for operation in observer.seen if operation.verb == "sync_folder"]
    assert synced[-5:][0] == str(files(tmp_path)[0].parent)
    assert synced[-1] == str(tmp_path)


def test_a_segment_that_comes_back_beside_new_ones_is_not_mixed_with_them(tmp_path: Path) -> None:
    log = _log_of_two_segments()
    (first, records), *_ = log.content.items()
    publish_all(started(tmp_path, log))
    log.content[first] = records
    log.seal([record(_body("e"), number=9)])

    publish_all(started(tmp_path, log))

    assert in_lake(tmp_path) == [*_EVENTS, "e"]


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    log = _log_of_two_segments()
    first = log.waiting()[0]
    folder = tmp_path / "lake/events/received_date=2026-01-31/received_hour=07"
    folder.mkdir(parents=True)
    (folder / f"{first.id}.parquet").write_bytes(b"somebody's")

    outcome = started(tmp_path, log).run_once(0, at_once=True)

    assert outcome is not Outcome.PUBLISHED
    assert (folder / f"{first.id}.parquet").read_bytes() == b"somebody's"
    assert len(log.waiting()) == 2


@pytest.mark.parametrize("content", [b"PAR1 no footer PAR1", b"PAR1" + bytes(40) + b"PAR1"])
def test_a_broken_file_holds_up_its_own_hour_alone(tmp_path: Path, content: bytes) -> None:
    log = _log_of_two_segments()
    log.seal([record(_body("e"), number=9)], hour="20260131T08")
    folder = tmp_path / "lake/events/received_date=2026-01-31/received_hour=07"
    folder.mkdir(parents=True)
    broken = folder / "broken.parquet"
    broken.write_bytes(content)

    publish_all(started(tmp_path, log))

    assert [segment.hour for segment in log.waiting()] == ["20260131T07"] * 2
    broken.unlink()
    publish_all(started(tmp_path, log))
    assert in_lake(tmp_path) == [*_EVENTS, "e"]


@pytest.mark.parametrize(
    ("verb", "part"),
    [
        ("create", ".parquet"),
        ("write", ".parquet"),
        ("sync", ".parquet"),
        ("mkdir", "received_hour"),
        ("rename", ".parquet"),
        ("sync_folder", "received_hour"),
        ("sync_folder", "lake/events"),
    ],
)
def test_a_step_that_fails_is_made_again_and_doubles_nothing(verb: str, part: str, tmp_path: Path) -> None:
    log = _log_of_two_segments()
    writer = started(tmp_path, log)
    with disk.observed(failing := FailWhere(verb, part)):
        assert writer.run_once(0, at_once=True) is Outcome.FAILED
    assert failing.failed

    publish_all(writer)

    assert in_lake(tmp_path) == _EVENTS
    assert log.waiting() == []


def test_a_record_that_cannot_be_decoded_is_set_aside_and_the_others_are_rows(tmp_path: Path) -> None:
    log = MemoryLog()
    bad = record(b'{"events":[{"eventName":"\xff"}]}', number=2)
    segment = log.seal([record(_body("a"), number=1), bad, record(_body("b"), number=3)])

    publish_all(started(tmp_path, log))

    assert in_lake(tmp_path) == ["a", "b"]
    ((key, damage),) = log.set_aside_stretches.items()
    assert key == (segment.id, 100)
    assert damage.reason is DamageReason.UNDECODABLE_BODY
    assert bad.SerializeToString() in damage.data
    assert pq.read_metadata(files(tmp_path)[0]).metadata[b"sluice.segments"].endswith(b'"records": 2}]')


def test_damage_is_set_aside_before_the_file_has_its_name(tmp_path: Path) -> None:
    log = MemoryLog()
    log.seal(
        [record(_body("a")), Damage(offset=70, data=b"??", reason=DamageReason.BROKEN_PAYLOAD), record(_body("b"))]
    )
    with disk.observed(FailWhere("rename", ".parquet")):
        started(tmp_path, log).run_once(0, at_once=True)

    assert [damage.offset for damage in log.set_aside_stretches.values()] == [70]

    publish_all(started(tmp_path, log))
    assert in_lake(tmp_path) == ["a", "b"]


def test_segments_without_any_row_make_no_file(tmp_path: Path) -> None:
    log = MemoryLog()
    log.seal([Damage(offset=0, data=b"??", reason=DamageReason.NOT_A_RECORD)])
    log.seal([record(_body("a"), quarantined_indices=[0])])

    publish_all(started(tmp_path, log))

    assert (files(tmp_path), log.waiting(), disk.entries(tmp_path / "lake/.staging")) == ([], [], [])


def test_an_unreadable_segment_goes_last_and_holds_up_nothing(tmp_path: Path) -> None:
    log = _log_of_two_segments()
    first, _ = log.waiting()
    log.unreadable.add(first.id)
    writer = started(tmp_path, log)

    outcomes = [writer.run_once(0, at_once=True) for _ in range(3)]

    assert outcomes == [Outcome.FAILED, Outcome.PUBLISHED, Outcome.FAILED]
    assert in_lake(tmp_path) == ["c", "d"]
    log.unreadable.clear()
    publish_all(writer)
    assert in_lake(tmp_path) == _EVENTS


class TestDeaths:
    def test_what_is_being_decoded_is_known_after_a_death(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = _log_of_two_segments()

        def die(*_: object, **__: object) -> None:
            raise Crash

        monkeypatch.setattr(written_tables, "load", die)
        with pytest.raises(Crash):
            publish_all(started(tmp_path, log))

        assert segments_in_hand(tmp_path) == [segment.id for segment in log.waiting()]

    def test_nothing_is_to_blame_once_it_is_decoded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def die(*_: object) -> None:
            raise Crash

        monkeypatch.setitem(publish_module.STEPS, "move", die)
        with pytest.raises(Crash):
            publish_all(started(tmp_path, _log_of_two_segments()))

        assert segments_in_hand(tmp_path) == []

    def test_nothing_is_to_blame_before_the_first_start(self, tmp_path: Path) -> None:
        assert segments_in_hand(tmp_path) == []

    def test_blamed_segments_make_a_file_each(self, tmp_path: Path) -> None:
        log = _log_of_two_segments()
        log.seal([record(_body("e"), number=9)])
        first, second, _ = log.waiting()

        publish_all(started(tmp_path, log, blamed={first.id: 1, second.id: 2}))

        assert len(files(tmp_path)) == 3
        assert in_lake(tmp_path) == [*_EVENTS, "e"]

    def test_one_that_took_three_writers_is_set_aside_whole(self, tmp_path: Path) -> None:
        log = _log_of_two_segments()
        first, _ = log.waiting()

        publish_all(started(tmp_path, log, blamed={first.id: 3}))

        assert log.set_aside_segments == {first.id: DamageReason.KILLS_THE_WRITER}
        assert log.reads.count(first.id) == 0
        assert in_lake(tmp_path) == ["c", "d"]

    def test_one_that_was_in_hand_at_a_sigkill_comes_last(self, tmp_path: Path) -> None:
        log = _log_of_two_segments()
        log.seal([record(_body("e"), number=9)], hour="20260131T08")
        first, *_ = log.waiting()

        publish_all(started(tmp_path, log, last=(first.id,)))

        assert log.reads[-1] == first.id
        assert in_lake(tmp_path) == [*_EVENTS, "e"]
