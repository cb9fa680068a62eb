"""disk.py is the only module that touches files below the data folder, in every process of a service."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.support.service import Service

_INJECTED = Path(__file__).parents[1] / "support/injected"


def test_a_planted_offender_is_found(tmp_path: Path) -> None:
    offender = tmp_path / "offender.py"
    data = tmp_path / "data"
    data.mkdir()
    offender.write_text(
        "import os, sys, pathlib\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "(folder / 'a').write_text('x')\n"
        "os.rename(folder / 'a', folder / 'b')\n"
        "os.truncate(folder / 'b', 0)\n"
        "(folder / 'b').unlink()\n"
        "(folder / 'c').mkdir()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(_INJECTED), "DATA_FOLDER_GUARD": f"{data}:{tmp_path / 'report'}"}

    subprocess.run([sys.executable, str(offender), str(data)], check=True, env=environment, timeout=30)

    found = (tmp_path / "report").read_text().splitlines()
    assert [line.split()[0] for line in found] == [
        "open",
        "os.rename",
        "os.rename",
        "os.truncate",
        "os.remove",
        "os.mkdir",
    ]
    assert all("offender.py" in line for line in found)


def test_a_whole_service_touches_its_data_folder_through_disk_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = {"PYTHONPATH": str(_INJECTED), "DATA_FOLDER_GUARD": f"{data}:{tmp_path / 'report'}"}
    headers = {"statsig-client-time": str(int(time.time() * 1000))}
    event = {"user": {"userID": "u1"}, "eventName": "e", "time": 1767225600000}

    with Service(data, environment=environment) as service:
        headers["statsig-api-key"] = service.server_key
        for _ in range(3):
            answer = httpx.post(f"{service.rest}/v1/log_event", json={"events": [event]}, headers=headers, timeout=20)
            assert answer.status_code == 202
            service.flush()
        service.command("keys", "create", "--kind", "client")
        service.command("status")
        service.command("log", "verify")
        assert service.rows("select count(*) from events") == [(3,)]

    assert (tmp_path / "report").exists(), "the guard was not installed"
    assert (tmp_path / "report").read_text() == ""
