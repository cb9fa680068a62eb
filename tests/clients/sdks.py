"""The SDKs: how each is started, what it calls itself, and what it can say.

What a driver does is told in tests/support/sdk_events.py. Those for Python are in tests/support/sdks, as `make test`
runs them too.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.tools import GO, JAVA, NODE, ROOT, Missing, missing_for_go, missing_for_java
from tests.support.sdk_events import ABILITIES, Abilities


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """One SDK, in one place.

    Attributes:
        name: ours, as tests show it.
        title: as docs/sdks.md names it.
        sdk_type: its own name of itself, as its events carry it.
        kind: of the key that it is meant for, `server` or `client`.
        can: what it can say.
        command: starts its driver; URL and key follow. None: it runs in a page.
        folder: where.
        fillers: events that its driver logs besides, before it can be made to send.
        patience_s: how long it may wait before it tries again what could not be sent.
        missing: programs without which it can't be run here.
    """

    name: str
    title: str
    sdk_type: str
    kind: str
    can: Abilities
    command: Sequence[str] | None
    folder: Path
    fillers: int = 0
    patience_s: float = 25.0
    missing: Sequence[Missing] = ()


def _python(name: str) -> list[str]:
    return [sys.executable, str(ROOT / f"tests/support/sdks/{name}.py")]


def _node(name: str) -> list[str]:
    return ["node", "sdks/follow.mjs", name]


def _java(main: str) -> list[str]:
    return ["java", "-cp", "classes:lib/*", main]


SDKS = (
    Sdk(
        name="py_legacy",
        title="`statsig` (Python)",
        sdk_type="py-server",
        kind="server",
        can=ABILITIES["py_legacy"],
        command=_python("py_legacy"),
        folder=ROOT,
    ),
    Sdk(
        name="py_core",
        title="`statsig-python-core`",
        sdk_type="statsig-server-core-python",
        kind="server",
        can=ABILITIES["py_core"],
        command=_python("py_core"),
        folder=ROOT,
        patience_s=65.0,
    ),
    Sdk(
        name="node_legacy",
        title="`statsig-node`",
        sdk_type="statsig-node",
        kind="server",
        can=ABILITIES["node_legacy"],
        command=_node("node_legacy"),
        folder=NODE,
        patience_s=115.0,
    ),
    Sdk(
        name="node_core",
        title="`@statsig/statsig-node-core`",
        sdk_type="statsig-server-core-node",
        kind="server",
        can=ABILITIES["node_core"],
        command=_node("node_core"),
        folder=NODE,
        patience_s=65.0,
    ),
    Sdk(
        name="go_legacy",
        title="`go-sdk`",
        sdk_type="go-sdk",
        kind="server",
        can=ABILITIES["go_legacy"],
        command=["./go_legacy"],
        folder=GO,
        missing=missing_for_go(),
    ),
    Sdk(
        name="java_legacy",
        title="`com.statsig:serversdk`",
        sdk_type="java-server",
        kind="server",
        can=ABILITIES["java_legacy"],
        command=_java("JavaLegacy"),
        folder=JAVA / "legacy",
        fillers=994,
        missing=missing_for_java(),
    ),
    Sdk(
        name="java_core",
        title="`com.statsig:javacore`",
        sdk_type="statsig-server-core-java",
        kind="server",
        can=ABILITIES["java_core"],
        command=_java("JavaCore"),
        folder=JAVA / "core",
        patience_s=65.0,
        missing=missing_for_java(),
    ),
    Sdk(
        name="js_client",
        title="`@statsig/js-client` in Chromium",
        sdk_type="javascript-client",
        kind="client",
        can=ABILITIES["js_client"],
        command=None,
        folder=NODE,
        patience_s=65.0,
    ),
    Sdk(
        name="js_client_in_node",
        title="`@statsig/js-client` in Node",
        sdk_type="javascript-client",
        kind="client",
        can=ABILITIES["js_client"],
        command=_node("js_client"),
        folder=NODE,
        patience_s=65.0,
    ),
    Sdk(
        name="statsig_js",
        title="`statsig-js` in Chromium",
        sdk_type="js-client",
        kind="client",
        can=ABILITIES["statsig_js"],
        command=None,
        folder=NODE,
    ),
    Sdk(
        name="statsig_js_in_node",
        title="`statsig-js` in Node",
        sdk_type="js-client",
        kind="client",
        can=ABILITIES["statsig_js"],
        command=_node("statsig_js"),
        folder=NODE,
    ),
)


def skip_without(missing: Sequence[Missing]) -> None:
    """Skip the test when programs are missing; its reason names them."""
    if missing:
        pytest.skip(", ".join(f"{one.program}: {one.fault}" for one in missing))
