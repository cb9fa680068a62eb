"""Tells news to the caller's callbacks and to the log `sluice.client`: never what an event holds."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from sluice.client.report import Dropped, Reason, SetAside, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sluice.client.ledger import News
    from sluice.client.settings import Settings

__all__ = ["tell"]

_Told = TypeVar("_Told")

_messages = logging.getLogger("sluice.client")


def tell(news: Iterable[News], settings: Settings) -> None:
    """Tell it all. What a callback raises is logged."""
    dropped: Counter[Reason] = Counter()
    firsts: dict[Reason, Dropped] = {}
    set_aside = 0
    for item in news:
        if isinstance(item, Trouble):
            _log_trouble(item)
            if settings.on_trouble is not None:
                _call(settings.on_trouble, item)
            continue
        if isinstance(item, SetAside):
            set_aside += item.events
            continue
        dropped[item.reason] += 1
        firsts.setdefault(item.reason, item)
        if settings.on_undelivered is not None:
            _call(settings.on_undelivered, item.undelivered())
    if set_aside:
        _messages.warning("%d events are invalid, and set aside at the server: sluice rejects list", set_aside)
    for reason, events in dropped.items():
        first = firsts[reason]
        place = f"{first.path}: " if first.path else ""
        _messages.error(
            "%d events will not be delivered (%s); the first: %s%s", events, reason.value, place, first.message
        )


def _log_trouble(trouble: Trouble) -> None:
    if trouble.code == "SPOOL":
        _messages.error("%s", trouble.message)
    elif trouble.needs_you:
        _messages.error("no events are delivered until this is mended: %s: %s", trouble.code, trouble.message)
    else:
        _messages.warning("events wait and are tried again: %s: %s", trouble.code, trouble.message)


def _call(callback: Callable[[_Told], None], item: _Told) -> None:
    try:
        callback(item)
    except Exception:  # noqa: BLE001  the caller's fault must not stop deliveries
        _messages.exception("a callback of the client has failed")
