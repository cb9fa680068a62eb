"""A fault that lasts, and how the operator is told of it: once per cause and once when it is over, not once per try.

Counting each try is left to whoever has the metric.
"""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

__all__ = ["NO_ROOM", "Outage", "cause_of", "hint_of"]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

_HINTS = {
    **dict.fromkeys(NO_ROOM, "free space on the disk of {path}"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "give the service's user its rights on {path}"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files: prlimit --nofile, LimitNOFILE"),
    errno.EIO: "see dmesg: the disk of {path} fails",
    errno.EROFS: "make the file system of {path} writable; if it became read-only by itself, see dmesg why",
}
# In one outage.
_MOST_TOLD = 20


class Outage:
    """From the first failure until it is over; then it may begin anew.

    Args:
        messages: where it is told.
        fails: what is said of each cause, as an ERROR.
        is_over: what is said when it is over, as a WARNING.
        facts: what stands in both, such as whose outage it is.
    """

    def __init__(self, messages: FilteringBoundLogger, *, fails: str, is_over: str, **facts: object) -> None:
        self._messages = messages
        self._facts = facts
        self._fails = fails
        self._is_over = is_over
        self._told: set[tuple[str, str]] = set()
        self._began_s = 0.0

    @property
    def is_on(self) -> bool:
        """Whether something has failed, and nothing shown that it is over."""
        return bool(self._told)

    def failed(self, cause: str, *, about: str = "", **facts: object) -> None:
        """Tell a failure, if its cause is new in this outage.

        Args:
            cause: one of few; of an error that nobody has named better `cause_of`.
            about: what it befell, where one cause may befall several; the first are told each by itself.
            facts: what else the operator needs to know.
        """
        if not self._told:
            self._began_s = time.monotonic()
        if (cause, about) not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add((cause, about))
            self._messages.error(self._fails, cause=cause, **self._facts, **facts)

    def over(self, **facts: object) -> None:
        """Tell that it is over, if it was on."""
        if self._told:
            self._told.clear()
            after_s = round(time.monotonic() - self._began_s, 3)
            self._messages.warning(self._is_over, after_s=after_s, **self._facts, **facts)


def cause_of(error: BaseException) -> str:
    """What an error is called as a cause: what the system calls it, as in `ENOSPC`, or else its kind.

    Not its text, which names paths and numbers: each would be a cause of its own.
    """
    number = error.errno if isinstance(error, OSError) else None
    return errno.errorcode.get(number or 0, type(error).__name__)


def hint_of(error: OSError, path: object) -> str:
    """How what the system refused is mended; empty where nobody knows.

    Args:
        error: what it said.
        path: on what.
    """
    return _HINTS.get(error.errno or 0, "").format(path=path)
