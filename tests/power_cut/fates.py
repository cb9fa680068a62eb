"""Who decides what becomes of what was not durable: nobody, chance, hypothesis, or all possibilities in turn."""

import random
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from hypothesis import strategies as st

from tests.power_cut.file_system import Fate, Piece

_T = TypeVar("_T")

# Where a write is torn is drawn in parts of its length: lengths differ from run to run, as compressed sizes do.
_PARTS = 1000

# What becomes of other files, as of the probes of 64 KiB, is not worth the time byte by byte.
_OF_A_SEGMENT = re.compile(r"log/open/\d")


class Everything:
    """All is on disk, as after a death of the process alone."""

    def keeps(self, _what: str) -> bool:
        return True

    def piece(self, _what: str, size: int) -> Piece:
        return Piece(size, size, size)


class Nothing:
    """Only what is durable is on disk."""

    def keeps(self, _what: str) -> bool:
        return False

    def piece(self, _what: str, _size: int) -> Piece:
        return Piece(0, 0, 0)


class Undone:
    """What was added is on disk; what was taken away, by a cut or a removal, is back."""

    def keeps(self, what: str) -> bool:
        return not what.startswith(("truncate", "unlink"))

    def piece(self, _what: str, size: int) -> Piece:
        return Piece(size, size, size)


class Chance:
    """Each change has a fate of its own, as a seed says."""

    def __init__(self, seed: object) -> None:
        self._random = random.Random(str(seed))
        # Some cuts lose nearly all, others nearly nothing: with even odds, long chains of changes are never whole.
        self._odds = self._random.choice([0.1, 0.5, 0.9])

    def keeps(self, _what: str) -> bool:
        return self._random.random() < self._odds

    def piece(self, _what: str, size: int) -> Piece:
        kind = self._random.choice(["whole", "nothing", "torn", "filled", "holed"])
        parts = sorted(self._random.randint(0, _PARTS) for _ in range(3))
        return _piece(kind, parts, size, noise=self._random.random() < 0.5)


class Drawn:
    """As hypothesis draws it; it shrinks towards keeping everything, so that what is reported lost matters.

    Args:
        draw: `data.draw`.
    """

    def __init__(self, draw: Callable[..., object]) -> None:
        self._draw = draw

    def keeps(self, what: str) -> bool:
        return not self._draw(st.booleans(), label=f"lost: {what}")

    def piece(self, what: str, size: int) -> Piece:
        kinds = st.sampled_from(["whole", "nothing", "torn", "filled", "holed"])
        kind = self._draw(kinds, label=what)
        if kind in ("whole", "nothing"):
            return _piece(str(kind), [0, 0, 0], size, noise=False)
        parts = self._draw(st.tuples(*[st.integers(0, _PARTS)] * 3), label="at thousandths")
        assert isinstance(parts, tuple)
        return _piece(str(kind), sorted(parts), size, noise=bool(self._draw(st.booleans(), label="noise")))


def _piece(kind: str, parts: list[int], size: int, *, noise: bool) -> Piece:
    first, second, third = (part * size // _PARTS for part in parts)
    match kind:
        case "whole":
            return Piece(size, size, size)
        case "nothing":
            return Piece(0, 0, 0)
        case "torn":
            return Piece(first, first, first)
        case "filled":
            return Piece(first, second, second, noise)
        case _:
            return Piece(first, second, third, noise)


class _Choices:
    """One way through a tree of choices: the first ones as told, the others the first that there is."""

    def __init__(self, told: list[int], tears: Callable[[str, int], list[Piece]]) -> None:
        self._told = told
        self._made: list[tuple[int, int]] = []
        self._tears = tears

    def keeps(self, _what: str) -> bool:
        return self._choose(2) == 0

    def piece(self, what: str, size: int) -> Piece:
        pieces = self._tears(what, size)
        return pieces[self._choose(len(pieces))]

    def next(self) -> list[int] | None:
        """What to tell the next way; None behind the last."""
        made = list(self._made)
        while made:
            number, count = made.pop()
            if number + 1 < count:
                return [n for n, _ in made] + [number + 1]
        return None

    def _choose(self, count: int) -> int:
        number = self._told[len(self._made)] if len(self._made) < len(self._told) else 0
        self._made.append((number, count))
        return number


def every_way(outcome: Callable[[Fate], _T], *, tears: Callable[[str, int], list[Piece]]) -> Iterator[_T]:
    """What comes out for every combination of fates.

    Args:
        outcome: asks the fate; the same answers lead to the same questions.
        tears: which pieces are tried of that write, of that size.
    """
    told: list[int] | None = []
    while told is not None:
        choices = _Choices(told, tears)
        yield outcome(choices)
        told = choices.next()


def coarse_pieces(_what: str, size: int) -> list[Piece]:
    """All, nothing, a torn half, zeros in place of all, zeros before a half that is there."""
    half = size // 2
    return [
        Piece(size, size, size),
        Piece(0, 0, 0),
        Piece(half, half, half),
        Piece(0, size, size),
        Piece(0, half, size),
    ]


def fine_pieces(what: str, size: int) -> list[Piece]:
    """Of a segment's records: torn at every byte, with nothing or zeros behind it; and noise up to every 8th byte."""
    if not _OF_A_SEGMENT.search(what):
        return coarse_pieces(what, size)
    return [
        *(Piece(at, at, at) for at in range(size, -1, -1)),
        *(Piece(at, size, size) for at in range(size)),
        *(Piece(0, at, size, noise=True) for at in range(1, size, 8)),
    ]
