"""Asks an engine, in a process of its own, what it finds in a lake."""

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.reader_lake import Row

_ROOT = Path(__file__).parents[2]
PAGE = _ROOT / "docs/lake.md"

Predicate = tuple[str, str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an engine finds: the types of the columns, in its own words, and the rows in the order of `ROWS`."""

    types: dict[str, str]
    rows: list[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a job.

    Attributes:
        printed: by the document's lines.
        table: the table that they name.
        counts: of rows, for each predicate.
        results: for each statement its table, None, or the text of its error.
    """

    printed: str
    table: Found | None
    counts: list[int]
    results: list[Found | str | None]


def ask(
    engine: str,
    folder: Path,
    *,
    lines: str = "",
    predicates: Sequence[Predicate] = (),
    statements: Sequence[str] = (),
    python: str | Path = sys.executable,
    within_s: float = 60,
    **environ: str,
) -> Answer:
    """Run a document's lines and SQL in a folder; see tests/support/engines/process.py."""
    job = {"lines": lines, "predicates": list(predicates), "statements": list(statements)}
    done = subprocess.run(
        [python, "-W", "error", "-m", "tests.support.engines.process", engine],
        input=pickle.dumps(job),
        capture_output=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(_ROOT), "TZ": "America/New_York"} | environ,
        timeout=within_s,
    )
    assert done.returncode == 0, done.stderr.decode()
    answer = pickle.loads(done.stdout)
    return Answer(
        printed=answer["printed"],
        table=_table(answer["table"]),
        counts=answer["counts"],
        results=[_table(result) if isinstance(result, dict) else result for result in answer["results"]],
    )


def statements_of(ddl: str) -> list[str]:
    """The statements of a text that `sluice lake schema` printed."""
    return [statement for statement in ddl.split(";\n") if statement.strip()]


def lines_for(engine: str) -> str:
    """The lines that docs/lake.md has for an engine."""
    section = _section(engine)
    match = re.search(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert match is not None, f"{PAGE} has no lines for {engine}"
    return match[1]


def engines_of_the_document() -> list[str]:
    """Every engine that docs/lake.md has lines for."""
    sections = re.findall(r"^### (.+?)\n(.*?)(?=^##)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [title for title, text in sections if "```python" in text]


def types_for(engine: str) -> dict[str, str]:
    """The engine's types that docs/lake.md tells, by the Arrow types."""
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in _section("Types").splitlines()
        if line.startswith("|")
    ]
    return {row[0]: row[head.index(engine)] for row in rows}


def _section(title: str) -> str:
    match = re.search(rf"^### {title}\n(.*?)(?=^##)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert match is not None, f"{PAGE} has no section {title}"
    return match[1]


def _table(found: dict[str, Any] | None) -> Found | None:
    if found is None:
        return None
    rows = found["rows"]
    if rows and {"request_id", "event_index"} <= rows[0].keys():
        rows = sorted(rows, key=lambda row: (row["request_id"], row["event_index"]))
    return Found(types=found["types"], rows=rows)
