"""compose.yaml is valid, and agrees with the images, with Envoy's configuration, and with the settings."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sluice.edge.compose import COMPOSE, SOCKETS_FOLDER
from sluice.settings.load import load
from sluice.settings.units import parse_duration
from sluice.supervisor.drain import AT_ONCE_S
from tests.support.containers import (
    COMPOSE_FILE,
    ENVOY,
    ROOT,
    SERVER,
    compose,
    default_of,
    environment_of,
    mounts,
    options,
    service,
    user_of,
)
from tests.support.documents import blocks_of

_BOTH = pytest.mark.parametrize("name", [SERVER, ENVOY])
_UNITS = {"m": 2**20, "g": 2**30}


def _check_schema(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *files]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_is_valid_by_the_compose_specification(tmp_path: Path) -> None:
    checked = _check_schema(COMPOSE_FILE)
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE_FILE.read_text().replace("cap_drop:", "cap_dropp:"))

    assert checked.returncode == 0, checked.stdout
    assert _check_schema(wrong).returncode == 1


def test_what_the_documents_put_beside_it_is_valid_too(tmp_path: Path) -> None:
    blocks = blocks_of(ROOT / "docs" / "containers.md", {"yaml"})
    files = [tmp_path / f"{block.line}.yaml" for block in blocks]
    for file, block in zip(files, blocks, strict=True):
        file.write_text(block.text)
        assert yaml.safe_load(block.text)["services"].keys() <= compose()["services"].keys() | {"proxy", "notebook"}

    checked = _check_schema(*files)

    assert blocks
    assert checked.returncode == 0, checked.stdout


def test_the_server_s_environment_is_what_envoy_s_configuration_takes_for_granted() -> None:
    settings = load({}, environ=environment_of(SERVER))

    assert settings.edge == "external"
    assert settings.workers == len(COMPOSE.worker_sockets) == COMPOSE.concurrency
    assert str(settings.sockets) == SOCKETS_FOLDER
    assert settings.admin.host == "0.0.0.0"
    assert (SERVER, settings.admin.port) == (COMPOSE.supervisor_host, COMPOSE.supervisor_port)
    assert settings.max_body == COMPOSE.max_body_bytes
    assert settings.transcoding == COMPOSE.transcoding.value


def test_both_containers_enter_the_folder_of_sockets_and_only_the_server_changes_it() -> None:
    owner = options(compose()["volumes"]["sockets"]["driver_opts"]["o"])
    (server, server_group), (envoy, envoy_group) = user_of(SERVER), user_of(ENVOY)

    assert mounts(SERVER)[SOCKETS_FOLDER] == "sockets"
    assert mounts(ENVOY)[SOCKETS_FOLDER] == "sockets:ro"
    assert (int(owner["uid"]), int(owner["gid"]), owner["mode"]) == (server, server_group, "0750")
    assert envoy_group == server_group
    assert envoy != server


def test_everything_that_is_written_has_a_place_on_a_file_system_that_is_read_only() -> None:
    admin_folder = str(Path(COMPOSE.admin_socket).parent)
    [envoy_memory] = [mount for mount in service(ENVOY)["tmpfs"] if mount.startswith(f"{admin_folder}:")]

    assert mounts(SERVER)[environment_of(SERVER)["SLUICE_DATA_DIR"]] == "data"
    assert any(mount.startswith("/tmp:") for mount in service(SERVER)["tmpfs"])
    assert int(options(envoy_memory.partition(":")[2])["uid"]) == user_of(ENVOY)[0]


def test_stopping_may_take_as_long_as_a_drain_and_then_some() -> None:
    settings = load({}, environ=environment_of(SERVER))
    grace_s = parse_duration(service(SERVER)["stop_grace_period"])

    assert grace_s > settings.drain_timeout + AT_ONCE_S


def test_the_server_stops_before_envoy() -> None:
    assert ENVOY in service(SERVER)["depends_on"]
    assert "depends_on" not in service(ENVOY)


@_BOTH
def test_ports_are_published_on_loopback_unless_somebody_says_otherwise(name: str) -> None:
    [published] = service(name)["ports"]
    host, _, inside = default_of(published).rsplit(":", 2)

    assert host == "127.0.0.1"
    assert int(inside) == {SERVER: COMPOSE.supervisor_port, ENVOY: COMPOSE.listen_port}[name]


@_BOTH
def test_a_container_has_no_more_rights_than_it_needs_and_bounds_for_all_it_uses(name: str) -> None:
    said = service(name)

    assert (said["read_only"], said["cap_drop"], said["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert not {"privileged", "cap_add", "user", "network_mode", "pid", "ipc"} & said.keys()
    assert said["logging"]["options"].keys() == {"max-size", "max-file"}
    assert said["deploy"]["resources"]["limits"].keys() >= {"memory", "pids"}
    assert said["init"] is True
    assert said["restart"] == "unless-stopped"


def test_envoy_answers_503_before_its_container_is_out_of_memory_or_files() -> None:
    memory = service(ENVOY)["deploy"]["resources"]["limits"]["memory"]

    assert int(memory[:-1]) * _UNITS[memory[-1]] > COMPOSE.max_heap_bytes
    assert service(ENVOY)["ulimits"]["nofile"]["soft"] > 2 * COMPOSE.max_connections
