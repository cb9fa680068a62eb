"""What the documents tell a reader to type works, and prints what they show."""

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from sluice.ingest import metrics as ingest_metrics
from sluice.lake import metrics as lake_metrics
from sluice.log import metrics as log_metrics
from sluice.supervisor import metrics as supervisor_metrics
from tests.support.documents import Shell, blocks_of, run_block
from tests.support.service import Service

_ROOT = Path(__file__).parents[2]
_DOCUMENTS = sorted([*_ROOT.glob("*.md"), *(_ROOT / "docs").glob("*.md")])
_WITH_COMMANDS = [document for document in _DOCUMENTS if not all(block.not_run for block in blocks_of(document))]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Runs a command as a reader would: in a clone's folder, beside a service that `make up` has started."""
    for name in (".venv", "tests"):
        (tmp_path / name).symlink_to(_ROOT / name)
    with Service(tmp_path / "data") as service:
        bash = Shell(tmp_path, {"SLUICE_LISTEN": "", "PYTHONWARNINGS": "", "HTTPS_PROXY": "http://127.0.0.1:9"})
        for name in ("SLUICE_LISTEN", "PYTHONWARNINGS"):
            bash.run(f"unset {name}")
        bash.run("set -o pipefail")

        def run(command: str) -> str:
            asked = command.replace("127.0.0.1:8080", service.grpc).replace("127.0.0.1:9464", service.admin)
            code, printed = bash.run(asked)
            assert code == 0, f"exit {code} of: {command}\n{printed}"
            return printed

        try:
            yield run
        finally:
            bash.close()


@pytest.mark.parametrize("document", _WITH_COMMANDS, ids=lambda document: document.name)
def test_commands_of_a_document_work_in_their_order(document: Path, shell: Callable[[str], str]) -> None:
    for block in blocks_of(document):
        if block.not_run:
            print(f"{document.name}:{block.line}: not run: {block.not_run}")
            continue
        run_block(block, shell)


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda document: document.name)
def test_links_of_a_document_lead_somewhere(document: Path) -> None:
    for target, section in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", document.read_text()):
        found = document.parent / target if target else document
        assert found.exists(), f"{document.name} links to {target}"
        assert not section or section in _sections(found), f"{document.name} links to {target}#{section}"


def _sections(document: Path) -> set[str]:
    """Of a document, the names of its headings in links."""
    prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_metric_is_in_the_documents_with_its_labels() -> None:
    here = {
        f"{metric._name}{'_total' if metric._type == 'counter' else ''}": tuple(metric._labelnames)
        for module in (ingest_metrics, lake_metrics, log_metrics, supervisor_metrics)
        for each in vars(module).values()
        for metric in (each, *_fields_of(each))
        if isinstance(metric, MetricWrapperBase)
    }
    found = re.findall(r"`(sluice_[a-z_]+)(?:\{([a-z,]+)\})?`", (_ROOT / "docs/operate.md").read_text())

    assert {name: tuple(labels.split(",")) if labels else () for name, labels in found} == here


def _fields_of(figures: object) -> list[object]:
    """What is counted of one of several logs, or tables, stands together."""
    if not isinstance(figures, log_metrics.Figures | lake_metrics.Figures):
        return []
    return [getattr(figures, field.name) for field in dataclasses.fields(figures)]


def test_python_of_the_documents_is_the_one_that_runs_here() -> None:
    python = _ROOT / ".venv/bin/python"

    assert python.exists()
    assert subprocess.run([python, "-c", "import sluice.errors"], check=False).returncode == 0
    assert sys.version_info >= (3, 11)
