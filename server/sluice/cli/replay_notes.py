"""What became of replays: a line of JSON for each step, in `replays.jsonl` of the data folder: none is sent twice.

A replay is noted before it is sent, and what became of it after. Of one that is noted and no more nobody knows whether
it arrived.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sluice import disk
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ARRIVED", "REPLAYS_FILE_NAME", "Note", "ReplayNotes", "ReplaysBusy", "State", "open_notes"]

REPLAYS_FILE_NAME = "replays.jsonl"


class ReplaysBusy(SluiceError):
    """Another process replays on this folder."""


class State(Enum):
    """What became of a replay; the values stand in the file."""

    BEGUN = "begun"
    DELIVERED = "delivered"
    SET_ASIDE = "set_aside"
    REFUSED = "refused"
    FAILED = "failed"


# Events of it are in the lake: it is not sent again unasked, whatever became of later ones.
ARRIVED = (State.DELIVERED.value, State.SET_ASIDE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is known of the latest replay of a refused request.

    Attributes:
        request_id: of the refused request.
        state: what became of it.
        at: when, in seconds since the epoch.
        as_request: the id of the request that was sent; "" if none came to be.
    """

    request_id: str
    state: str
    at: float
    as_request: str = ""


class ReplayNotes:
    """The notes of one data folder, held by this process."""

    def __init__(self, file: disk.File, content: bytes) -> None:
        self._file = file
        self._end = len(content)
        # A line that a power cut has torn is ended here.
        self._before = b"\n" if content and not content.endswith(b"\n") else b""
        self._known: dict[str, Note] = {}
        self._replays: set[str] = set()
        for line in content.splitlines():
            if (note := _note_of(line)) is not None:
                self._keep(note)

    def known(self, request_id: str) -> Note | None:
        """The latest replay of a request that arrived; where none did, the latest."""
        return self._known.get(request_id)

    def is_replay(self, request_id: str) -> bool:
        """Whether a request is itself one that a replay sent."""
        return request_id in self._replays

    def add(self, request_id: str, state: State, *, as_request: str = "") -> None:
        """Note what becomes of a replay, durably."""
        note = Note(request_id=request_id, state=state.value, at=time.time(), as_request=as_request)
        line = self._before + json.dumps(asdict(note)).encode() + b"\n"
        self._end = self._file.write_at([line], self._end)
        self._file.datasync()
        self._before = b""
        self._keep(note)

    def _keep(self, note: Note) -> None:
        if note.as_request:
            self._replays.add(note.as_request)
        before = self._known.get(note.request_id)
        if before is None or before.state not in ARRIVED or note.state in ARRIVED:
            self._known[note.request_id] = note


@contextmanager
def open_notes(data_dir: Path) -> Iterator[ReplayNotes]:
    """Hold the notes of a data folder.

    Raises:
        ReplaysBusy: another process does.
        OSError: they can't be read or written.
    """
    path = data_dir / REPLAYS_FILE_NAME
    try:
        file = disk.create(path, mode=0o600)
        file.give_to_owner_of_folder()
        disk.sync_folder(data_dir)
    except FileExistsError:
        file = disk.append_to(path)
    with file:
        if not file.try_lock():
            raise ReplaysBusy(f"{path}: another replay goes on", hint="wait until it has ended")
        yield ReplayNotes(file, disk.read_bytes(path))


def _note_of(line: bytes) -> Note | None:
    try:
        said = json.loads(line)
        return Note(
            request_id=str(said["request_id"]),
            state=State(said["state"]).value,
            at=float(said["at"]),
            as_request=str(said.get("as_request", "")),
        )
    except (ValueError, KeyError, TypeError):
        return None
