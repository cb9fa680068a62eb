"""A fault that lasts, and how the operator is told of it: once per cause and once when it is over, not once per try.

Counting each try is left to whoever has the metric.
"""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

__all__ = ["DISK_HANGS", "NO_ROOM", "Outage", "cause_of", "hint_of", "kind_of"]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

DISK_HANGS = "mend the disk of the data folder; it is tried again as soon as it answers"

# Also said by Sluice itself: another folder, or none, where its own was.
_MISPLACED = (
    *(errno.ENOENT, errno.ENOTDIR, errno.ELOOP),
    *(errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY, errno.EINVAL),
)
_GONE = (errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.EREMOTEIO)

_HINTS = {
    **dict.fromkeys(NO_ROOM, "free space on the disk of {path}"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "give the service's user its rights on {path}"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files: prlimit --nofile, LimitNOFILE"),
    **dict.fromkeys(
        _MISPLACED,
        "see what stands at {path}, and above it: put back, or mount again, what is missing, "
        "and move away what is not Sluice's",
    ),
    **dict.fromkeys(_GONE, "see dmesg, and whether the disk of {path} is mounted and answers"),
    **dict.fromkeys(
        (errno.EAGAIN, errno.ENOMEM),
        "free memory, and see the limits on memory and on processes: LimitNPROC, TasksMax, MemoryMax",
    ),
    errno.EFBIG: "raise the limit on the size of files (LimitFSIZE), and see whether {path} has grown by itself",
    errno.EIO: "see dmesg: the disk of {path} fails",
    errno.EROFS: "make the file system of {path} writable; if it became read-only by itself, see dmesg why",
}
_HINT_OF_OTHERS = "see dmesg, and whether the service's user can read and write {path}"
_HINT_WITHOUT_ONE = "see the messages before this one"
_HINT_OF_A_FAULT = "a fault of Sluice itself: report it, with this message"
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

    def failed(self, cause: str, *, hint: str, kind: str = "", about: str = "", **facts: object) -> None:
        """Tell a failure, if its cause is new in this outage.

        Args:
            cause: one of few; of an error that nobody has named better `cause_of`.
            hint: how it is mended; of such an error `hint_of`.
            kind: where causes are many to one fault, as the steps that a full disk refuses: what is told once instead.
            about: what it befell, where one cause may befall several; the first are told each by itself.
            facts: what else the operator needs to know.
        """
        if not self._told:
            self._began_s = time.monotonic()
        told = (kind or cause, about)
        if told not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(told)
            self._messages.error(self._fails, cause=cause, hint=hint, **self._facts, **facts)

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


def kind_of(error: OSError) -> str:
    """What errors have in common that are mended in the same way, on whatever path and at whatever step."""
    return _HINTS.get(error.errno or 0, _HINT_OF_OTHERS)


def hint_of(error: BaseException, path: object = None) -> str:
    """How what failed is mended; never empty.

    Args:
        error: what failed.
        path: on what; None: what the error names, or else the data folder.
    """
    if isinstance(error, OSError):
        return kind_of(error).format(path=path or error.filename or "the data folder")
    if isinstance(error, SluiceError):
        return error.hint or _HINT_WITHOUT_ONE
    return _HINT_OF_A_FAULT
