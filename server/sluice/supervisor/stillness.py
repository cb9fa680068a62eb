"""Find a process that hangs without asking it: one that neither used the processor nor was switched for a minute.

For Envoy and the lake writer, whose loops turn several times a second even when there is nothing to do. One that is
stopped, or waits for what never comes, shows no such sign; one that is merely busy does.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["STILL_AFTER_S", "Stillness", "signs_of_life"]

STILL_AFTER_S = 60.0

_LOOK_EVERY_S = 5.0


def signs_of_life(pid: int) -> tuple[int, ...] | None:
    """What grows while a process lives: its processor time in clock ticks, and how often its first thread was switched.

    None if there is no such process, or it can't be looked at. Source: proc_pid_stat(5), fields 14 and 15;
    proc_pid_status(5).
    """
    folder = Path(f"/proc/{pid}")
    try:
        fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        status = (folder / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    switches = [int(line.split()[1]) for line in status if "voluntary_ctxt_switches:" in line]
    return (int(fields[11]), int(fields[12]), *switches)


class Stillness:
    """Watches whichever process has one role."""

    def __init__(self) -> None:
        self._pid = 0
        self._signs: tuple[int, ...] | None = None
        self._moved_at = 0.0
        self._looked_at = 0.0

    def is_still(self, pid: int, now: float) -> bool:
        """Whether it has shown no sign of life for `STILL_AFTER_S`.

        Args:
            pid: the process that has the role now.
            now: seconds on the monotonic clock.
        """
        if pid == self._pid and now - self._looked_at < _LOOK_EVERY_S:
            return False
        signs = signs_of_life(pid)
        if pid != self._pid or signs is None or signs != self._signs:
            self._moved_at = now
        self._pid, self._signs, self._looked_at = pid, signs, now
        return now - self._moved_at >= STILL_AFTER_S
