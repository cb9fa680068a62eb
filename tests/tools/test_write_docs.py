"""docs/settings.md and docs/cli.md are what the program says of itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("columns", ["40", "200"])
def test_the_pages_are_what_the_program_says_at_any_width_of_the_terminal(tmp_path: Path, columns: str) -> None:
    subprocess.run(
        [sys.executable, str(_ROOT / "tools/write_docs.py"), "--out", str(tmp_path)],
        check=True,
        timeout=60,
        env=os.environ | {"COLUMNS": columns, "FORCE_COLOR": "1"},
    )

    for page in ("settings.md", "cli.md"):
        stale = f"docs/{page} is not what the program says; write it anew with `make docs`"
        assert (tmp_path / page).read_text() == (_ROOT / "docs" / page).read_text(), stale
