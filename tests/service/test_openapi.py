"""Requests that schemathesis makes of the served document, right ones and wrong ones: the answers are as it says.

`make test-properties` makes more of them, and systematic ones too.
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.service import Service

_EXAMPLES = int(os.environ.get("SLUICE_TEST_SCHEMATHESIS", "0"))
_FOLDER = Path(__file__).parent / "schemathesis"
_ST = str(Path(sys.executable).with_name("st"))


@pytest.mark.timeout(3600)
def test_the_service_answers_as_its_document_says(service: Service, tmp_path: Path) -> None:
    how = ["--phases", "examples,coverage,fuzzing"] if _EXAMPLES else ["--phases", "fuzzing"]
    done = subprocess.run(
        [
            *(_ST, "--config-file", str(_FOLDER / "schemathesis.toml"), "run", f"{service.rest}/v1/openapi.json"),
            *("--header", f"statsig-api-key: {service.server_key}", "--max-examples", str(_EXAMPLES or 5)),
            *("--seed", "1", "--continue-on-failure", "--no-color", *how),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=3500,
        cwd=tmp_path,
        env=os.environ
        | {"SCHEMATHESIS_HOOKS": "tests.service.schemathesis.hooks", "PYTHONPATH": str(_FOLDER.parents[2])},
    )

    print(done.stdout)
    assert done.returncode == 0, done.stderr
    assert service.is_ready()


def test_the_document_of_the_service_is_for_its_own_address(service: Service) -> None:
    document = httpx.get(f"{service.rest}/v1/openapi.json", timeout=10).json()

    assert [server["url"] for server in document["servers"]] == ["/"]
    assert httpx.get(f"{service.rest}/docs", timeout=10).status_code == 200
