"""The client alone, as services install it: whole, and with no more than it says it needs."""

import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.support.stub_server import StubServer, refusal

_ROOT = Path(__file__).parents[2]
_PROJECT = _ROOT / "packaging/client"

# What stands in site-packages of each dependency; typing_extensions comes with grpcio.
_INSTALLED_AS = {
    "google-crc32c": ["google_crc32c*"],
    "googleapis-common-protos": ["google"],
    "grpcio": ["grpc", "typing_extensions.py"],
    "msgspec": ["msgspec"],
    "protobuf": ["google"],
}

_PROGRAM = """
import asyncio, sys
sys.path[:0] = sys.argv[1:3]
from sluice.client import AsyncClient, Client, Event, NotDelivered, Settings, read_refused
from sluice.client.statsig import StatsigEvent, StatsigOptions, StatsigUser, statsig
address, spool = sys.argv[3:]

with Client(address, "secret", Settings(spool=spool)) as client:
    client.log_many([Event("refused", "u1"), Event("spooled", "u1")])
    try:
        client.flush()
    except NotDelivered:
        pass
assert [kept.event.event_name for kept in read_refused(spool)] == ["refused"]

async def main():
    async with AsyncClient(address, "secret") as client:
        await client.log(Event("by asyncio", "u1"))

asyncio.run(main())
statsig.initialize("secret", StatsigOptions(f"http://{address}/v1"))
statsig.log_event(StatsigEvent(StatsigUser("u1"), "by statsig"))
statsig.shutdown()

print(sys.modules["sluice.client"].__file__)
"""


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())["project"]


def test_it_works_alone_with_no_more_than_its_dependencies(server: StubServer, tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=_PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    wheel = tmp_path / "wheel"
    zipfile.ZipFile(next(tmp_path.glob("*.whl")), "r").extractall(wheel)

    alone = tmp_path / "alone"
    alone.mkdir()
    for dependency in _toml(_PROJECT / "pyproject.toml")["dependencies"]:
        for pattern in _INSTALLED_AS[dependency.partition(">")[0]]:
            for found in Path(sysconfig.get_path("purelib")).glob(pattern):
                if not (alone / found.name).exists():
                    (alone / found.name).symlink_to(found)
    server.answer = lambda call: refusal(0) if call.names[0] == "refused" else None

    # Without site: the .pth file that leads to this tree is not read.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _PROGRAM, str(wheel), str(alone), server.address, str(tmp_path / "spool")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, built.stderr + done.stderr
    assert done.stdout.startswith(str(wheel))
    assert server.acknowledged == ["spooled", "by asyncio", "by statsig"]
    assert server.calls[0].request.statsig_metadata.sdk_version == _toml(_PROJECT / "pyproject.toml")["version"]


@pytest.mark.parametrize("name", ["version", "license", "requires-python"])
def test_it_says_of_itself_what_the_project_says(name: str) -> None:
    assert _toml(_PROJECT / "pyproject.toml")[name] == _toml(_ROOT / "pyproject.toml")[name]


def test_its_dependencies_are_those_of_the_project() -> None:
    its, whole = (
        {Requirement(text).name: Requirement(text).specifier for text in _toml(path / "pyproject.toml")["dependencies"]}
        for path in (_PROJECT, _ROOT)
    )

    # It goes into programs that have a grpcio of their own: the service alone depends on the core of one.
    assert whole.pop("grpcio").contains("1.85.1")
    assert its.pop("grpcio").contains("1.85.1")
    assert its.items() <= whole.items()
