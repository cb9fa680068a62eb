"""What was acknowledged survives a crash at any step, with any fate of what was not synced."""

import contextlib
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice import disk
from sluice.log import recover
from sluice.log.sealing import Run, SealLimits, SealReason
from sluice.log.segment import Folders
from sluice.log.segment_writer import Batch, SegmentWriter
from tests.support.log_records import Died, DiesBefore, Recorder, bodies_in, frame_of

_RUN = Run(number=1, hour="20260101T00")


def _writer(log: Path) -> SegmentWriter:
    return SegmentWriter(
        Folders(log),
        node="node_1",
        limits=SealLimits(age_s=3600, size_bytes=1 << 20),
        min_free_bytes=0,
        max_log_bytes=None,
    )


def _batch(*bodies: bytes) -> Batch:
    content = b"".join(map(frame_of, bodies))
    return Batch(buffers=[content], records=len(bodies), size_bytes=len(content), run=_RUN)


def _release_locks(writer: SegmentWriter) -> None:
    """As the end of a process does."""
    for segment in (writer.open, writer._leaving):
        if segment is not None:
            segment._file.close()


def _write(writer: SegmentWriter, acknowledged: list[bytes]) -> None:
    """All that a writer does in its life: three batches in two segments."""
    writer.mend()
    for bodies, seal in (([b"a", b"b"], None), ([b"c"], SealReason.ASKED), ([b"d"], None)):
        writer.commit(_batch(*bodies))
        acknowledged += bodies
        if seal:
            writer.seal(seal)
    writer.close()


def _steps(log: Path) -> int:
    recorder = Recorder()
    with disk.observed(recorder):
        _write(_writer(log), [])
    return len(recorder.begun)


def test_a_crash_at_any_step_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    for step in range(_steps(tmp_path / "all") + 1):
        log = tmp_path / str(step) / "log"
        acknowledged: list[bytes] = []
        writer = _writer(log)
        with disk.observed(DiesBefore(step)), contextlib.suppress(Died):
            _write(writer, acknowledged)
        _release_locks(writer)

        recover(log)

        kept = bodies_in(log)
        assert kept[: len(acknowledged)] == acknowledged, f"step {step}"
        assert len(kept) == len(set(kept)), f"step {step}"
        assert disk.entries(log / "open") in ([], [".probe-node_1"]), f"step {step}"


class PowerCut(DiesBefore):
    """Besides, knows what a disk must still have: the content at each sync, and the names at each fsync of a folder."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self._content: dict[int, bytes] = {}
        self._names: dict[str, dict[str, int]] = {}

    def after(self, operation: disk.Operation) -> None:
        super().after(operation)
        path = Path(operation.path)
        if operation.verb == "create":
            self._content[path.stat().st_ino] = b""
        elif operation.verb in ("sync", "datasync"):
            self._content[path.stat().st_ino] = path.read_bytes()
        elif operation.verb == "sync_folder":
            self._names[operation.path] = {p.name: p.stat().st_ino for p in path.iterdir() if p.is_file()}

    def leave_on_disk(self, log: Path, fate: random.Random) -> None:
        """Replace what is there by what a disk may have after the power failed."""
        kept: dict[Path, bytes] = {}
        for path in sorted(path for path in log.rglob("*") if path.is_file()):
            facts, content = path.stat(), path.read_bytes()
            name_is_durable = self._names.get(str(path.parent), {}).get(path.name) == facts.st_ino
            place = path if name_is_durable or fate.random() < 0.5 else self._durable_name(path.name)
            if place is not None:
                kept[place] = _fate_of_content(self._content.get(facts.st_ino, b""), content, fate)
            path.unlink()
        for path, content in kept.items():
            path.write_bytes(content)

    def _durable_name(self, name: str) -> Path | None:
        """Where a file whose last name was lost still is: below open/, as it was before it was sealed."""
        segment_id = name.partition(".")[0]
        return next((Path(f) / segment_id for f, names in self._names.items() if segment_id in names), None)


def _fate_of_content(synced: bytes, content: bytes, fate: random.Random) -> bytes:
    """What was synced, then nothing, a part, or zeros in place of a part, of what was not."""
    if not content.startswith(synced):  # it was cut since, and the cut may be lost
        return fate.choice([synced, content])
    rest = content[len(synced) :]
    zeros, end = sorted(fate.randint(0, len(rest)) for _ in range(2))
    return synced + bytes(fate.choice([0, zeros])) + rest[zeros:end]


@given(seed=st.integers(0, 2**32), step=st.integers(0, 40))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_power_cut_at_any_step_loses_nothing_that_was_acknowledged(
    tmp_path_factory: pytest.TempPathFactory, seed: int, step: int
) -> None:
    log = tmp_path_factory.mktemp("data") / "log"
    acknowledged: list[bytes] = []
    writer, power_cut = _writer(log), PowerCut(step)
    with disk.observed(power_cut), contextlib.suppress(Died):
        _write(writer, acknowledged)
    _release_locks(writer)
    power_cut.leave_on_disk(log, random.Random(seed))

    recover(log)

    kept = bodies_in(log)
    assert sorted(kept)[: len(acknowledged)] == acknowledged
    assert len(kept) == len(set(kept))
