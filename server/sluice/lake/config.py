"""What the lake writer is told at its start, as one JSON argument. Every limit is decided by who starts it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["WriterConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterConfig:
    """The writer's values.

    Attributes:
        data_dir: the data folder.
        lake_size_bytes: an hour's segments are published when they hold this much.
        lake_age_s: they are published when the oldest was opened this long ago.
        min_free_bytes: what the log leaves free on its disk: near it all that is sealed is due.
        max_log_bytes: what may wait in the log: at half of it too; None: only the disk bounds it.
        max_rejects_log_bytes: as max_log_bytes, in the log of refused requests.
        archive: whether segments are kept below log/archive/ when they are in the lake.
        places: of folders that must be the supervisor's: path, device and inode.
        lifeline_fd: read end of a pipe that ends with the supervisor; None: there is no supervisor.
        blamed: by segment id, how often a writer died by its own fault (an exit code, or a signal other than SIGKILL
            and SIGTERM) while it held the segment in hand. They are taken one at a time; at 3 deaths one is moved to
            log/damaged/.
        last: ids of segments that a writer held when it was killed by SIGKILL: taken one at a time, after all others.
    """

    data_dir: str
    lake_size_bytes: int
    lake_age_s: float
    min_free_bytes: int = 0
    max_log_bytes: int | None = None
    max_rejects_log_bytes: int | None = None
    archive: bool = False
    places: tuple[tuple[str, int, int], ...] = ()
    lifeline_fd: int | None = None
    blamed: dict[str, int] = field(default_factory=dict)
    last: tuple[str, ...] = ()
