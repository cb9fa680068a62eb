"""Another folder takes the place of the data folder while a service runs: that one may be another service's by now."""

import os
import shutil
import signal
from pathlib import Path

import httpx

from tests.support.service import Service
from tests.support.told import Told
from tests.support.waiting import wait_until


def _content(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_written_to_it_by_processes_that_go_on_nor_kept_of_what_is_refused(tmp_path: Path) -> None:
    data, away, other = tmp_path / "data", tmp_path / "away", tmp_path / "other"
    with Service(data, "--workers", "1", "--seal-age", "1h") as service:
        assert service.post("before").status_code == 202
        shutil.copytree(data, other)
        told = Told(service)
        key = service.server_key
        data.rename(away)
        other.rename(data)
        copied = _content(data)
        # The first request that this worker refuses: it has no log for these yet.
        refused = httpx.post(
            f"{service.rest}/v1/log_event",
            json={"events": [7]},
            headers={"statsig-api-key": key, "statsig-client-time": "1767225600000"},
            timeout=20,
        )
        # The segment that is open is where it was moved to: what it takes is in the service's own folder.
        assert service.post("meanwhile").status_code == 202
        told.wait_for(level="error", event="refused bodies can't be kept")
        unaltered = _content(data)
        data.rename(other)
        away.rename(data)
        wait_until(service.is_ready, within_s=30, what="the service is ready again")

        service.flush()

        assert refused.status_code == 400
        assert unaltered == copied
        assert sorted(service.rows("select event_name from events")) == [("before",), ("meanwhile",)]


def test_another_log_is_taken_up_by_no_worker_that_starts_anew_and_the_own_one_back_heals_all(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Service(data, "--workers", "1", "--seal-age", "1h") as service:
        assert service.post("before").status_code == 202
        told = Told(service)
        (data / "log").rename(tmp_path / "away")
        (data / "log").mkdir()
        os.kill(service.pid("worker-0"), signal.SIGKILL)
        told.wait_for(level="error", event="child can't be started", child="worker-0")
        assert service.post("meanwhile").status_code == 503
        assert list((data / "log").rglob("*")) == []

        (data / "log").rmdir()
        (tmp_path / "away").rename(data / "log")
        wait_until(service.is_ready, within_s=30, what="the service is ready again")
        assert service.post("after").status_code == 202
        service.flush()

        assert sorted(service.rows("select event_name from events")) == [("after",), ("before",)]


def test_nothing_is_written_to_it_also_by_processes_that_start_anew_and_the_own_folder_back_heals_all(
    tmp_path: Path,
) -> None:
    data, away, other = tmp_path / "data", tmp_path / "away", tmp_path / "other"
    with Service(data, "--workers", "1", "--seal-age", "1h") as service:
        assert service.post("before").status_code == 202
        worker, lake = service.pid("worker-0"), service.pid("lake")
        shutil.copytree(data, other)
        told = Told(service)
        data.rename(away)
        other.rename(data)
        # In the other folder it is in a segment that another service's worker may write just now.
        copied = _content(data)
        for pid in (worker, lake):
            os.kill(pid, signal.SIGKILL)
        for child in ("worker-0", "lake"):
            error = told.wait_for(level="error", event="child can't be started", child=child)
            assert "not the folder that was there at the start" in error["error"]
            assert "put back" in error["hint"]
        told.wait_for(level="error", event="recovery failed")
        refused = service.post("meanwhile")
        unaltered = _content(data)

        data.rename(other)
        away.rename(data)
        wait_until(service.is_ready, within_s=30, what="the service is ready again")
        assert service.post("after").status_code == 202
        service.flush()

        assert unaltered == copied
        assert refused.status_code == 503
        assert sorted(service.rows("select event_name from events")) == [("after",), ("before",)]
