"""All that is known of something that must not be: for whoever looks for its cause."""

import subprocess
from pathlib import Path

from sluice.lake import query
from tests.support.ledger.lake import Finding
from tests.support.ledger.ledger import Ledger
from tests.support.service import SLUICE

__all__ = ["evidence_of"]

_MOST_CHARACTERS = 4000


def evidence_of(finding: Finding, data_dir: Path, ledger: Ledger | None, *, in_full: bool = True) -> str:
    """A finding in words: what the client saw, what the lake has, and where the service says that the request is.

    Args:
        finding: what must not be.
        data_dir: where it was found.
        ledger: the clients'.
        in_full: with what takes some time to find out.
    """
    lines = [finding.what, *_indented(finding.detail[:_MOST_CHARACTERS])]
    if finding.attempt is None or ledger is None or not ledger.knows(finding.attempt):
        return "\n".join(lines)
    story = ledger.stories([finding.attempt]).get(finding.attempt, "not in the journal")
    lines += ["  the client's journal:", *_indented(story.replace("\t", "  "), by=4)]
    if not in_full:
        return "\n".join(lines)
    lines += ["  rows of the lake:", *_indented(_rows(data_dir, finding.attempt), by=4)]
    if request_id := story.rpartition("\t")[2]:
        lines += ["  sluice trace:", *_indented(_trace(data_dir, request_id), by=4)]
    return "\n".join(lines)


def _rows(data_dir: Path, attempt: int) -> str:
    with query.connect(data_dir) as connection:
        rows = connection.execute(
            "select request_id, count(*), min(event_index), max(event_index), min(cast(received_at as varchar)) "
            f"from events where user_id like 'a{attempt}.%' group by all"
        ).fetchall()
    return "\n".join(
        f"request {request}: {count} rows, events {first} to {last}, received {at}"
        for request, count, first, last, at in rows
    )


def _trace(data_dir: Path, request_id: str) -> str:
    traced = subprocess.run(
        [SLUICE, "trace", request_id, "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return f"{traced.stdout}{traced.stderr}"


def _indented(text: str, *, by: int = 2) -> list[str]:
    return [" " * by + line for line in text.splitlines()]
