"""What is served in JSON and as a page is what the document in YAML says."""

import subprocess
import sys
from pathlib import Path

from sluice.edge.render import installed_documents

_TOOL = Path(__file__).parents[2] / "tools/document_api.py"


def test_the_documents_that_are_served_are_made_of_one(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(_TOOL), "--out", str(tmp_path)], check=True, timeout=60)

    for name in ("openapi.json", "docs.html"):
        assert (tmp_path / name).read_text() == (installed_documents() / name).read_text(), "make docs"
