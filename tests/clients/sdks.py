"""The SDKs that run in processes of their own: how each is started, and what it calls itself.

A driver takes the service's URL and a key, logs the events that test_sdks.py names, and ends. Those for Python are in
tests/support/sdks, as `make test` runs them too.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.tools import GO, JAVA, NODE, Missing, missing_for_go, missing_for_java

_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """One SDK.

    Attributes:
        name: ours, as tests show it.
        sdk_type: its own, as its events carry it.
        key: kind of key that it is meant for, `server` or `client`.
        command: starts its driver; URL and key follow.
        folder: where.
        missing: programs without which it can't be run here.
    """

    name: str
    sdk_type: str
    key: str
    command: Sequence[str]
    folder: Path
    missing: Sequence[Missing] = ()


def _node(name: str, sdk_type: str, key: str) -> Sdk:
    return Sdk(name=name, sdk_type=sdk_type, key=key, command=["node", f"sdks/{name}.mjs"], folder=NODE)


def _java(name: str, sdk_type: str, folder: Path, main: str) -> Sdk:
    command = ["java", "-cp", "lib/*", main]
    return Sdk(name=name, sdk_type=sdk_type, key="server", command=command, folder=folder, missing=missing_for_java())


SDKS = (
    _node("node_core", "statsig-server-core-node", "server"),
    _node("node_legacy", "statsig-node", "server"),
    _node("js_client", "javascript-client", "client"),
    _node("statsig_js", "js-client", "client"),
    Sdk(
        name="go_legacy",
        sdk_type="go-sdk",
        key="server",
        command=["./go_legacy"],
        folder=GO,
        missing=missing_for_go(),
    ),
    _java("java_core", "statsig-server-core-java", JAVA / "core", "JavaCore.java"),
    _java("java_legacy", "java-server", JAVA / "legacy", "JavaLegacy.java"),
)


def skip_without(missing: Sequence[Missing]) -> None:
    """Skip the test when programs are missing; its reason names them."""
    if missing:
        pytest.skip(", ".join(f"{one.program}: {one.fault}" for one in missing))


def run(sdk: Sdk, url: str, key: str) -> None:
    """Run the driver to its end."""
    done = subprocess.run(
        [*sdk.command, url, key],
        cwd=sdk.folder,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_WITHIN_S,
    )
    print(done.stdout)
    assert done.returncode == 0, f"{sdk.name}: exit {done.returncode}\n{done.stdout[-4000:]}"
