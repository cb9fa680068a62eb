"""The Go program of docs/grpc.md, made and run as the document says.

The first time it takes a minute or two, as Go compiles its plugins and gRPC; then seconds, and no network, as Go keeps
what it fetched and built.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import blocks_of
from tests.support.grpc_programs import (
    DOCUMENT,
    DOCUMENTED_ADDRESS,
    Run,
    assert_says_to_keep_what_could_not_be_sent,
    assert_says_why_it_was_refused,
    assert_sends_what_is_right_and_names_what_is_wrong,
    program,
)
from tests.support.service import Service

pytestmark = pytest.mark.timeout(700)

_ROOT = Path(__file__).parents[2]
_DOCUMENTED_CLONE = "sluice=../sluice"
_DOCUMENTED_RUN = "go run ."
_FETCH_WITHIN_S = 120
_BUILD_WITHIN_S = 250
# What Go says where there is no way to its modules, or where it is older than they need.
_CANT_FETCH = re.compile(
    r"dial tcp|no such host|connection refused|connection reset|i/o timeout|TLS handshake|proxyconnect|unreachable"
    r"|module lookup disabled|deadline exceeded|\bEOF\b|50[0-9] [A-Z]|requires go >="
)


def _follow(command: str, folder: Path, *, within_s: float) -> None:
    """Run commands; skip if they can't fetch a module."""
    # GOTOOLCHAIN: no other Go than the one that is there.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    if done.returncode and _CANT_FETCH.search(done.stderr):
        pytest.skip(f"Go's modules can't be fetched: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Follows the document in an empty folder, up to the program; only the address that it calls is another."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed: apt-get install golang-go, or a newer one")
    folder = tmp_path_factory.mktemp("shop")
    blocks = [block for block in blocks_of(DOCUMENT) if Path(__file__).name in block.not_run]
    assert [block.language for block in blocks] == ["sh", "sh"]
    [template] = [block.text for block in blocks_of(DOCUMENT, ["yaml"])]
    make, generate = (block.text for block in blocks)
    assert generate.endswith(_DOCUMENTED_RUN)

    try:
        _follow(make, folder, within_s=_FETCH_WITHIN_S)
    except subprocess.TimeoutExpired:
        pytest.skip(f"Go's modules could not be fetched within {_FETCH_WITHIN_S} s")
    (folder / "buf.gen.yaml").write_text(template)
    (folder / "main.go").write_text(program("go").replace(f'"{DOCUMENTED_ADDRESS}"', 'os.Getenv("ADDRESS")') + "\n")
    if not (_ROOT / "build/googleapis").exists():
        subprocess.run([sys.executable, "tools/generate.py", "--googleapis-only"], cwd=_ROOT, check=True, timeout=60)
    generate = generate.removesuffix(_DOCUMENTED_RUN).replace(_DOCUMENTED_CLONE, f"sluice={_ROOT}")
    _follow(generate, folder, within_s=_BUILD_WITHIN_S)
    _follow('test -z "$(gofmt -l main.go)"; go vet .; go build -o shop .', folder, within_s=_BUILD_WITHIN_S)

    def run_it(address: str, key: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [folder / "shop"],
            env={**os.environ, "ADDRESS": address, "KEY": key},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_it


def test_it_stores_what_is_right_and_names_what_is_wrong(run: Run, service: Service) -> None:
    assert_sends_what_is_right_and_names_what_is_wrong(run, service)


def test_it_says_why_it_was_refused(run: Run, service: Service) -> None:
    assert_says_why_it_was_refused(run, service)


def test_without_a_service_it_says_to_keep_the_batch(run: Run) -> None:
    with socket.socket() as nobody:  # bound, but it doesn't listen
        nobody.bind(("127.0.0.1", 0))
        assert_says_to_keep_what_could_not_be_sent(run, "{}:{}".format(*nobody.getsockname()))
