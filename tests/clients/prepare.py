"""Fills build/clients: packages from npm, the Go module proxy and Maven, and what is made with them.

    python -m tests.clients.prepare

Versions stand in node/package-lock.json, go/go.sum and java/*/pom.xml. Go and Java are left out where they are missing:
their tests are then skipped. What is installed already is kept until these files change.
"""

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.clients import tools
from tests.clients.tools import GO, HERE, JAVA, NODE, PREPARED, ROOT, Missing

_WITHIN_S = 300.0


def main() -> None:
    """Prepare what the system has the programs for."""
    if missing := tools.missing():
        for one in missing:
            print(f"error: {one.program}: {one.fault}", file=sys.stderr)
        print(f"  hint: apt-get install {_packages(missing)}", file=sys.stderr)
        raise SystemExit(2)
    PREPARED.unlink(missing_ok=True)
    _prepare_node()
    if missing := tools.missing_for_go():
        _say_what_is_left_out("Go", missing)
    else:
        _prepare_go()
    if missing := tools.missing_for_java():
        _say_what_is_left_out("Java", missing)
    else:
        for sdk in ("core", "legacy"):
            _prepare_java(sdk)
    PREPARED.touch()


def _prepare_node() -> None:
    shutil.copytree(HERE / "node", NODE, dirs_exist_ok=True)
    # No package needs its install script: what is native comes as a package of its own.
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    _install("packages from npm", install, NODE, ["package.json", "package-lock.json"])
    _run("google/api", [sys.executable, "tools/generate.py", "--googleapis-only"], ROOT)
    buf = [str(Path(sys.executable).with_name("buf")), "generate", str(ROOT / "proto"), "--include-imports"]
    schemas = ["--path", str(ROOT / "proto/sluice/events/v1/events_service.proto")]
    _run("messages from proto/", [*buf, "--template", "buf.gen.yaml", *schemas], NODE)
    for folder in ("grpc_web", "sdks"):
        bundle = ["node_modules/.bin/esbuild", f"{folder}/page.mjs", "--bundle", f"--outfile=pages/{folder}.js"]
        _run(f"the page's script ({folder})", [*bundle, "--log-level=warning"], NODE)


def _prepare_go() -> None:
    shutil.copytree(HERE / "go", GO, dirs_exist_ok=True)
    _install("modules of Go", ["go", "mod", "download"], GO, ["go.mod", "go.sum"])
    _run("Go's driver", ["go", "build", "-o", "go_legacy", "go_legacy.go"], GO)


def _prepare_java(sdk: str) -> None:
    folder = JAVA / sdk
    shutil.copytree(HERE / "java" / sdk, folder, dirs_exist_ok=True)
    copy = ["mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
    _install(f"libraries of Java ({sdk})", copy, folder, ["pom.xml"])
    _run(f"Java's driver ({sdk})", ["javac", "-cp", "lib/*", "-d", "classes", f"Java{sdk.title()}.java"], folder)


def _install(what: str, command: Sequence[str], folder: Path, manifests: Sequence[str]) -> None:
    """Run the command unless it has been run for the same manifests."""
    wanted = hashlib.sha256(b"".join((folder / name).read_bytes() for name in manifests)).hexdigest()
    installed = folder / ".installed"
    if installed.exists() and installed.read_text() == wanted:
        return
    installed.unlink(missing_ok=True)
    _run(what, command, folder)
    installed.write_text(wanted)


def _run(what: str, command: Sequence[str], folder: Path) -> None:
    print(f"{what} ...", end=" ", flush=True)
    began = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        print(f"error: not done within {_WITHIN_S:g} s: {' '.join(command)}", file=sys.stderr)
        raise SystemExit(1) from None
    print(f"{time.monotonic() - began:.1f} s", flush=True)
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
        print(f"error: exit {done.returncode} of: {' '.join(command)}", file=sys.stderr)
        print(
            "  hint: packages come from npm, the Go module proxy and Maven Central: can they be reached?",
            file=sys.stderr,
        )
        raise SystemExit(1)


def _say_what_is_left_out(language: str, missing: Sequence[Missing]) -> None:
    programs = " and ".join(f"{one.program}: {one.fault}" for one in missing)
    print(f"{language}'s SDKs are left out ({programs}); to have them: apt-get install {_packages(missing)}")


def _packages(missing: Sequence[Missing]) -> str:
    return " ".join(dict.fromkeys(one.package for one in missing))


if __name__ == "__main__":
    main()
