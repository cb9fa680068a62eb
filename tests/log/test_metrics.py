from pathlib import Path

from prometheus_client import REGISTRY

from sluice import disk
from sluice.log.ports import Damage
from sluice.log.reader import LocalSegments
from sluice.log.recovery import recover
from tests.support.log_records import Refuses, appender, entry, open_segment, sealed_segment
from tests.support.waiting import until


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_commits_seals_and_failures_are_counted(tmp_path: Path) -> None:
    names = [
        ("sluice_log_appended_records_total", {}),
        ("sluice_log_commit_seconds_count", {}),
        ("sluice_log_sealed_segments_total", {"reason": "asked"}),
        ("sluice_log_sealed_segments_total", {"reason": "recovered"}),
        ("sluice_log_failures_total", {"cause": "sync"}),
    ]
    before = [_value(name, **labels) for name, labels in names]
    bytes_before = _value("sluice_log_appended_bytes_total")
    open_segment(tmp_path / "log", b"")
    recover(tmp_path / "log")
    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry(bytes(1000)))
    await log.seal()
    refuses = Refuses(lambda o: o.verb == "datasync")
    with disk.observed(refuses):
        try:
            await log.append(entry())
        except Exception:  # noqa: BLE001  which one is another test's claim
            refuses.on = False
        await until(lambda: log.healthy)
    await log.close()

    after = [_value(name, **labels) for name, labels in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1, 0, 1]
    assert 1000 < _value("sluice_log_appended_bytes_total") - bytes_before < 1200
    assert _value("sluice_log_queue_bytes") == 0


def test_damage_that_is_set_aside_again_is_counted_once(tmp_path: Path) -> None:
    sealed = sealed_segment(tmp_path / "log", b"no frame", records=1)
    segments = LocalSegments(tmp_path / "log")
    damages = [part for part in segments.read(sealed) if isinstance(part, Damage)]
    before = _value("sluice_log_damages_total", reason="broken_length")

    segments.set_aside(sealed, damages)
    segments.set_aside(sealed, damages)

    assert _value("sluice_log_damages_total", reason="broken_length") - before == 1


def test_every_cause_and_reason_shows_from_the_start() -> None:
    assert REGISTRY.get_sample_value("sluice_log_failures_total", {"cause": "disk_floor"}) is not None
    assert REGISTRY.get_sample_value("sluice_log_damages_total", {"reason": "missing_end"}) is not None
