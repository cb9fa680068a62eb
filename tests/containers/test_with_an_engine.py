"""docs/containers.md, its commands one after the other, with a Docker engine: `make test-containers`."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.containers import ROOT
from tests.support.documents import Shell, blocks_of, run_block

_DOCUMENT = ROOT / "docs" / "containers.md"
_WITH_AN_ENGINE = "needs a Docker engine"
# Images are built from what a registry sends.
_WITHIN_S = 900

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif("WITH_AN_ENGINE" not in os.environ, reason="needs a Docker engine: make test-containers"),
]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """A bash in a clone that holds no more than what images may be built from, for a project of its own."""
    for name in (
        "compose.yaml",
        ".dockerignore",
        "Dockerfile",
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "LICENSE",
    ):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("server", "gen", "envoy"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    events, admin = _free_port(), _free_port()
    bash = Shell(
        tmp_path,
        {
            "COMPOSE_PROJECT_NAME": f"sluice-test-{os.getpid()}",
            "SLUICE_PUBLISH": f"127.0.0.1:{events}",
            "SLUICE_ADMIN_PORT": str(admin),
        },
    )

    def run(command: str) -> str:
        asked = command.replace("127.0.0.1:8080", f"127.0.0.1:{events}").replace("127.0.0.1:9464", f"127.0.0.1:{admin}")
        # Compose would read what bash is to do next.
        code, printed = bash.run(f"{{ {asked}\n}} < /dev/null", within_s=_WITHIN_S)
        assert code == 0, f"exit {code} of: {command}\n{printed}"
        return printed

    try:
        run("set -o pipefail; docker compose version; docker version")
        yield run
    finally:
        print(bash.run("docker compose logs --no-color < /dev/null | tail -n 60")[1])
        bash.run("docker compose down --volumes --timeout 60 < /dev/null", within_s=120)
        bash.close()


def test_the_commands_of_the_document_work_in_their_order(shell: Callable[[str], str], tmp_path: Path) -> None:
    blocks = [block for block in blocks_of(_DOCUMENT) if block.not_run.startswith(_WITH_AN_ENGINE)]
    for block in blocks:
        if "tar sluice -C /var/lib/sluice -xf" in block.text:
            shell("docker compose down --volumes")  # as on a machine that has nothing yet
        run_block(block, shell)

    assert len(blocks) > 5
    assert (tmp_path / "first-keys").read_text().count("\n") == 3
    assert "worker-3.sock" in (tmp_path / "envoy.yaml").read_text()
    assert "sluice_events_accepted_total" in (tmp_path / "metrics.txt").read_text()
    assert list((tmp_path / "events").glob("*/*/*.parquet"))
    # After all that came and went, with the volume's content taken out and put back.
    found = shell('docker compose exec -T sluice sluice query --format csv "select user_id from events"')
    assert found == "user_id\nu1\n"
