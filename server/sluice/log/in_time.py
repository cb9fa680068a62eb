"""Several streams of dated things as one, in the order of their times; each is begun only when its time has come."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["in_time"]

_Thing = TypeVar("_Thing")


def in_time(streams: Iterable[tuple[int, Iterator[tuple[int, _Thing]]]]) -> Iterator[_Thing]:
    """Merge streams. As many are begun at the same time as overlap in time.

    Args:
        streams: each with when it begins, at the latest; it gives things with their times, which never run backwards.
    """
    waiting = deque(sorted(enumerate(streams), key=lambda each: each[1][0]))
    heads: list[tuple[int, int, _Thing, Iterator[tuple[int, _Thing]]]] = []

    def go_on(number: int, stream: Iterator[tuple[int, _Thing]]) -> None:
        head = next(stream, None)
        if head is not None:
            heappush(heads, (head[0], number, head[1], stream))

    while waiting or heads:
        # The number is different for each stream, so what is behind it is never compared.
        while waiting and (not heads or waiting[0][1][0] <= heads[0][0]):
            number, (_, stream) = waiting.popleft()
            go_on(number, stream)
        if heads:
            _, number, thing, stream = heappop(heads)
            yield thing
            go_on(number, stream)
