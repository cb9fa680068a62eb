"""Documents whose commands are run: their blocks, and a shell that keeps its state from block to block."""

import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\s*$")
_NOT_RUN = re.compile(r"<!-- not run here: (.+) -->")
_RUN_AS = {"sh", "console", "python"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a document.

    Attributes:
        language: what stands behind the opening fence.
        text: its lines.
        line: where it begins in the document.
        heading: what it stands under.
        not_run: the reason that the comment above it gives, or "".
    """

    language: str
    text: str
    line: int
    heading: str
    not_run: str


def blocks_of(document: Path, languages: Collection[str] = _RUN_AS) -> list[Block]:
    """All blocks in these languages; if none are named, those that hold commands.

    Commands are in `sh`, `console` (with prompts and output) and `python`.
    """
    found: list[Block] = []
    opened: tuple[str, int, str] | None = None
    collected: list[str] = []
    reason = heading = ""
    for number, line in enumerate(document.read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is not None:
            if fence:
                language, at, not_run = opened
                text = "\n".join(collected)
                found.append(Block(language=language, text=text, line=at, heading=heading, not_run=not_run))
                opened, collected = None, []
            else:
                collected.append(line)
        elif fence:
            opened, reason = (fence.group(1), number, reason), ""
        elif (comment := _NOT_RUN.search(line)) is not None:
            reason = comment.group(1)
        elif line.startswith("#"):
            heading = line.lstrip("# ")
    return [block for block in found if block.language in languages]


def commands_of(block: Block) -> list[tuple[str, str | None]]:
    """The block's commands with the output that the document promises (None: it promises none)."""
    if block.language == "sh":
        return [(block.text, None)]
    if block.language == "python":
        return [(f".venv/bin/python - <<'END_OF_PYTHON'\n{block.text}\nEND_OF_PYTHON", None)]
    commands: list[tuple[str, str | None]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], ""))
        elif line.startswith("> ") and commands and commands[-1][1] == "":
            commands[-1] = (f"{commands[-1][0]}\n{line[2:]}", "")
        else:
            command, output = commands[-1]
            commands[-1] = (command, f"{output}{line}\n")
    return commands


class Shell:
    """One bash in which a document's blocks are run, one after the other."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def run(self, command: str, *, within_s: float = 60) -> tuple[int, str]:
        """Run a command; return its exit code and all it printed."""
        assert self._bash.stdin is not None
        mark = f"end-{time.monotonic_ns()}"
        self._bash.stdin.write(f"{command}\nprintf '\\n%s %s\\n' {mark} $?\n")
        self._bash.stdin.flush()
        printed: list[str] = []
        deadline = time.monotonic() + within_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"still running after {within_s} s: {command}\n{''.join(printed)}") from None
            if line.startswith(mark):
                return int(line.split()[1]), "".join(printed).removesuffix("\n")
            printed.append(line)

    def close(self) -> None:
        """End the shell and whatever it still runs in the foreground."""
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        self._bash.terminate()
        self._bash.wait(timeout=10)
        self._reader.join(timeout=10)
        assert self._bash.stdout is not None
        self._bash.stdout.close()

    def _read(self) -> None:
        assert self._bash.stdout is not None
        for line in self._bash.stdout:
            self._lines.put(line)
