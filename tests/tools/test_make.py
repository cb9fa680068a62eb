"""The Makefile, as one who has just cloned the project meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from sluice.supervisor.run_file import read_run_file
from tests.support.waiting import wait_until

_ROOT = Path(__file__).resolve().parents[2]


def _make(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"PATH": path} if path else {})}
    environment.pop("MAKEFLAGS", None)
    return subprocess.run(
        ["/usr/bin/make", "-C", str(_ROOT), *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def _prepare_clients(path: str) -> subprocess.CompletedProcess[str]:
    """What make test-clients does first."""
    return subprocess.run(
        [sys.executable, "-m", "tests.clients.prepare"],
        cwd=_ROOT,
        check=False,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def python_that(tmp_path: Path) -> Path:
    """A stand-in for python3 whose answers a test chooses."""
    script = tmp_path / "python3"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    return script


def test_help_lists_every_target_that_a_user_calls() -> None:
    shown = _make("help").stdout

    for target in ("up", "test", "test-clients", "test-spark", "lint", "types", "format", "gen", "clean"):
        assert f"make {target} " in shown


def test_a_python_that_is_too_old_is_named_with_the_line_that_installs_one(python_that: Path) -> None:
    python_that.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
    done = _make("check-python", f"PYTHON={python_that}")

    assert done.returncode == 2
    assert "Python 3.9.2" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_a_python_without_venv_is_named_with_the_line_that_installs_it(python_that: Path) -> None:
    python_that.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexit 0\n')
    done = _make("check-python", f"PYTHON={python_that}")

    assert done.returncode == 2
    assert "apt-get install python3-venv" in done.stderr


def test_no_python_at_all_is_named_too(tmp_path: Path) -> None:
    done = _make("check-python", f"PYTHON={tmp_path / 'none'}")

    assert done.returncode == 2
    assert "apt-get install python3 python3-venv" in done.stderr


def test_clients_are_not_tried_without_node_and_chromium_which_are_named_with_the_line_that_installs_them(
    tmp_path: Path,
) -> None:
    done = _prepare_clients(path=str(tmp_path))

    assert done.returncode == 2
    assert "error: node: not found\nerror: npm: not found\nerror: chromium: not found\n" in done.stderr
    assert "apt-get install nodejs npm chromium" in done.stderr


def test_a_node_that_is_too_old_is_named(tmp_path: Path) -> None:
    for program in ("node", "npm", "chromium"):
        (tmp_path / program).write_text("#!/bin/sh\necho v18.19.0\n")
        (tmp_path / program).chmod(0o755)
    done = _prepare_clients(path=str(tmp_path))

    assert done.returncode == 2
    assert "error: node: version 18, older than 20" in done.stderr


@pytest.mark.parametrize(
    "java",
    [
        pytest.param(None, id="none"),
        pytest.param("java.specification.version = 11", id="an older one"),
        pytest.param("java.specification.version = 1.8", id="one of old numbering"),
    ],
)
def test_a_java_that_spark_cant_use_is_named_with_the_line_that_installs_one(java: str | None, tmp_path: Path) -> None:
    if java is not None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/java").write_text(f'#!/bin/sh\necho "    {java}" >&2\n')
        (tmp_path / "bin/java").chmod(0o755)
    done = _make("check-java", f"JAVA_HOME={tmp_path}")

    assert done.returncode == 2
    assert "error: Spark needs Java 17 or later" in done.stderr
    assert "apt-get install openjdk-17-jre-headless" in done.stderr


def test_make_up_serves_within_seconds_and_stops_clean(tmp_path: Path) -> None:
    data = tmp_path / "data"
    flags = f"ARGS=--data-dir {data} --listen 127.0.0.1:0 --admin 127.0.0.1:0"
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    with (tmp_path / "messages").open("wb") as output:
        began = time.monotonic()
        # In a group of its own, as a terminal gives it one: Ctrl-C reaches make and what it runs.
        made = subprocess.Popen(
            ["/usr/bin/make", "-C", str(_ROOT), "up", flags],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        run = wait_until(lambda: read_run_file(data), within_s=30, what="run.json is there")
        ready = f"http://{run.admin}/readyz"
        wait_until(lambda: _is_200(ready), within_s=30, what="the service is ready")
        took_s = time.monotonic() - began
    finally:
        os.killpg(made.pid, signal.SIGINT)
        made.wait(timeout=60)

    print(f"ready after {took_s:.1f} s")
    # make itself ends by the signal, once what it ran has ended: the service has drained.
    messages = [json.loads(line) for line in (tmp_path / "messages").read_text().splitlines() if line.startswith("{")]
    assert ("supervisor", "stopped") in {(message["role"], message["event"]) for message in messages}
    assert not (data / "run.json").exists()


def _is_200(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False
