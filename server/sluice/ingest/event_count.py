"""Whether as many events arrive as their sender says: a proxy that cuts bodies off, or drops part of them, shows here.

SDKs tell the number in the header `statsig-event-count` (js-client and the Rust cores) or in the query as `ec`
(js-client). A difference is counted and told, and refuses nothing: what arrived is valid by itself.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

from sluice.ingest import metrics
from sluice.log.ids import request_id_text
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.ingest.caller import Caller

__all__ = ["EventCounts"]

_messages = messages_of("ingest")

_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_TELL_EVERY_S = 60.0


class EventCounts:
    """Compares, in any thread; tells of one difference a minute, with the number of those that went untold.

    Args:
        monotonic: seconds on a clock that never runs backwards.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._tell_from_s = 0.0
        self._untold = 0
        self._lock = threading.Lock()

    def compare(self, told: str, arrived: int, caller: Caller, request_id: bytes) -> None:
        """Compare one request.

        Args:
            told: how many events it should have, as sent; what is no number is not looked at.
            arrived: how many it has.
            caller: who sent it.
            request_id: 16 bytes.
        """
        if told == str(arrived) or _COUNT.fullmatch(told) is None or int(told) == arrived:
            return
        metrics.count_other_event_count(fewer=arrived < int(told))
        with self._lock:
            now_s = self._monotonic()
            if now_s < self._tell_from_s:
                self._untold += 1
                return
            untold = self._untold
            _messages.warning(
                "a request has another number of events than its sender says",
                request_id=request_id_text(request_id),
                told=int(told),
                arrived=arrived,
                sdk_type=caller.sdk_type,
                sdk_version=caller.sdk_version,
                others_untold=untold,
                hint="if fewer arrive, look for a proxy between them that changes bodies",
            )
        self._tell_from_s, self._untold = now_s + _TELL_EVERY_S, 0
