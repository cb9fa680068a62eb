"""What lies in a folder of the data folder and is none of Sluice's: it is left alone, and the operator is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice import disk

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

__all__ = ["leave_foreign"]


def leave_foreign(
    path: Path, messages: FilteringBoundLogger, *, room: str, is_in_the_way: bool = False, **facts: object
) -> Path:
    """Leave it where it is; what is in the way under another name, if it can be moved.

    Args:
        path: where it lies.
        messages: where it is told.
        room: whose it is not: `log` or `lake`.
        is_in_the_way: its name is one that a process of the service needs, who will say so if it stays.
        facts: what else is known of it, for the operator.

    Returns:
        Where it lies now.
    """
    aside = _moved_aside(path) if is_in_the_way else None
    if aside is None:
        messages.warning(f"what is not the {room}'s is left alone", path=str(path), **facts)
        return path
    messages.warning(f"what is not the {room}'s was in the way, and is moved aside", path=str(path), to=aside.name)
    return aside


def _moved_aside(path: Path) -> Path | None:
    try:
        return disk.move_aside(path)
    except OSError:
        return None
