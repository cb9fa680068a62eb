"""What tests/clients runs with: programs of the system, and the folder that prepare.py fills."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "clients"
NODE = BUILD / "node"
GO = BUILD / "go"
JAVA = BUILD / "java"
PREPARED = BUILD / "prepared"

_OLDEST_NODE = 20  # playwright-core, protoc-gen-es


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A program that is not there, or too old."""

    program: str
    fault: str
    package: str


def chromium() -> str | None:
    """The browser's program: what CHROMIUM names, else Debian's."""
    return shutil.which(os.environ.get("CHROMIUM", "chromium"))


def missing() -> list[Missing]:
    """What the tests can't do without."""
    found = _not_found({"node": "nodejs", "npm": "npm"})
    node = shutil.which("node")
    if node is not None and (version := _node_version(node)) < _OLDEST_NODE:
        fault = f"version {version}, older than {_OLDEST_NODE}"
        found.append(Missing(program="node", fault=fault, package="nodejs"))
    if chromium() is None:
        found.append(Missing(program="chromium", fault="not found", package="chromium"))
    return found


def missing_for_go() -> list[Missing]:
    """What Go's SDK can't do without."""
    return _not_found({"go": "golang-go"})


def missing_for_java() -> list[Missing]:
    """What Java's SDKs can't do without."""
    return _not_found({"javac": "default-jdk-headless", "mvn": "maven"})


def _not_found(packages: dict[str, str]) -> list[Missing]:
    return [
        Missing(program=program, fault="not found", package=package)
        for program, package in packages.items()
        if shutil.which(program) is None
    ]


def _node_version(node: str) -> int:
    shown = subprocess.run([node, "--version"], check=False, capture_output=True, text=True, timeout=10).stdout
    found = re.match(r"v(\d+)\.", shown)
    return int(found[1]) if found else 0
