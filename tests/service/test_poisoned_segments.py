"""A segment that ends the lake writer: set aside after three deaths by its own fault, last in line after a SIGKILL."""

import json
from pathlib import Path

from tests.support.disk_faults import DiskFaults, Rule
from tests.support.service import Service
from tests.support.waiting import wait_until

_FLAGS = ("--workers", "1", "--seal-age", "100ms", "--lake-age", "1h")


def _seal(service: Service, name: str) -> str:
    """Post an event; return the id of the segment that it is in, once that is sealed."""
    sealed = service.data_dir / "log/sealed"
    before = set(sealed.iterdir())
    assert service.post(name).status_code == 202
    (path,) = wait_until(lambda: set(sealed.iterdir()) - before, within_s=20, what="a segment is sealed")
    return path.name.partition(".")[0]


def test_one_that_ends_three_writers_by_their_own_fault_is_set_aside_and_can_be_given_back(tmp_path: Path) -> None:
    faults = DiskFaults(tmp_path)
    faults.set()
    with Service(tmp_path / "data", *_FLAGS, environment=faults.environment) as service:
        poison = _seal(service, "poison")
        faults.set(Rule("poison", role="lake", verb="create", path=f"*/{poison}.parquet", action="exit"))
        _seal(service, "good")
        flushed = service.try_command("flush")

        assert flushed.returncode == 1
        assert f"{poison}.1." in flushed.stderr
        assert len(faults.fired("poison")) == 3
        assert service.rows("select event_name from events") == [("good",)]
        [listed] = json.loads(service.command("log", "list", "--json"))
        assert (listed["state"], listed["id"], listed["reason"]) == ("damaged", poison, "kills_the_writer")
        report = json.loads((service.data_dir / "log/damaged" / f"{listed['name']}.json").read_text())
        assert report["detail"] == "the lake writer died 3 times while decoding it"
        assert service.stop() == 0

        faults.set()
        kept = service.data_dir / "log/damaged" / listed["name"]
        kept.rename(service.data_dir / "log/sealed" / kept.name.removesuffix(".kills_the_writer"))
        kept.with_name(f"{kept.name}.json").unlink()
        service.start()
        service.flush()

        assert service.rows("select event_name from events order by 1") == [("good",), ("poison",)]


def test_one_that_was_in_hand_whenever_a_writer_was_killed_goes_last_and_is_never_condemned(tmp_path: Path) -> None:
    faults = DiskFaults(tmp_path)
    faults.set()
    with Service(tmp_path / "data", *_FLAGS, environment=faults.environment) as service:
        in_hand = _seal(service, "in hand")
        faults.set(Rule("killed", role="lake", verb="create", path=f"*/{in_hand}.parquet", action="kill"))
        _seal(service, "other")
        flushed = service.try_command("flush", "--timeout", "1s")
        assert flushed.returncode == 1

        def killed_often() -> bool:
            service.try_command("flush", "--timeout", "1s")
            return len(faults.fired("killed")) >= 4

        wait_until(killed_often, within_s=60, what="four writers were killed")
        assert service.rows("select event_name from events") == [("other",)]
        assert list((service.data_dir / "log/damaged").iterdir()) == []
        faults.set()
        service.flush()

        assert service.rows("select event_name from events order by 1") == [("in hand",), ("other",)]
