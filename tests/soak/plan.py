"""Which act comes when: decided by the seed alone."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import cycle, zip_longest

from tests.soak.kills import ACTS, LONG_ACTS, Act, at_point
from tests.soak.set_aside import SET_ASIDE_ACTS
from tests.soak.steps import POINTS, Needs, Point

__all__ = ["FULL_ROUND_KILLS", "Chosen", "Plan"]

# With fewer, a run takes a sample of all kinds.
FULL_ROUND_KILLS = 400

_FIRST = (Needs.FIRST_START, Needs.FIRST_FILE)


class Chosen:
    """These acts in turn, without an end: for those who know what they are after.

    Args:
        acts: names of acts, and of points.
        seed: of all choices.
    """

    def __init__(self, acts: Sequence[str], *, seed: int) -> None:
        self.chance = random.Random(seed)
        known = {act.name: act for act in (*ACTS, *LONG_ACTS, *SET_ASIDE_ACTS, *map(at_point, POINTS))}
        self._acts = [known[name] for name in acts]

    def first_starts(self) -> list[Act]:
        """None."""
        return []

    def first_file(self) -> list[Point]:
        """None."""
        return []

    def acts(self) -> Iterator[Act]:
        """In turn."""
        return cycle(self._acts)

    def must_die_at(self) -> list[str]:
        """Nowhere in particular."""
        return []


class Plan:
    """The acts of a run.

    Args:
        kills: about how many deaths are wanted. With `FULL_ROUND_KILLS` or more each point has its death.
        seed: of all choices.
    """

    def __init__(self, kills: int, *, seed: int) -> None:
        self.is_full = kills >= FULL_ROUND_KILLS
        self.chance = random.Random(seed)
        self._points = _by_needs(self.chance)

    def first_starts(self) -> list[Act]:
        """Before the service has ever been up, in this order."""
        return [at_point(point) for point in POINTS if point.step.needs is Needs.FIRST_START] if self.is_full else []

    def first_file(self) -> list[Point]:
        """When the first file is written, in this order."""
        return [point for point in POINTS if point.step.needs is Needs.FIRST_FILE] if self.is_full else []

    def acts(self) -> Iterator[Act]:
        """Without an end."""
        if not self.is_full:
            yield from self._sample()
        else:
            yield from self._round(*LONG_ACTS, *SET_ASIDE_ACTS)
        while True:
            yield from self._round()

    def must_die_at(self) -> list[str]:
        """The points that a whole run must have had deaths at."""
        return [point.name for point in POINTS] if self.is_full else []

    def _round(self, *once: Act) -> list[Act]:
        """Each point, and each act as often as its share says."""
        acts = [at_point(point) for points in self._points.values() for point in points]
        acts += [act for act in ACTS for _ in range(act.share)]
        acts += [act for act in once for _ in range(act.share)]
        self.chance.shuffle(acts)
        return acts

    def _sample(self) -> Iterator[Act]:
        """Each kind of act once, and behind each two of them a point, of another circumstance each time."""
        turns = zip_longest(*self._points.values())
        points = (at_point(point) for turn in turns for point in turn if point is not None)
        for number, act in enumerate(ACTS):
            yield act
            if number % 2:
                yield next(points)


def _by_needs(chance: random.Random) -> dict[Needs, list[Point]]:
    found: dict[Needs, list[Point]] = defaultdict(list)
    for point in POINTS:
        if point.step.needs not in (*_FIRST, Needs.SET_ASIDE):
            found[point.step.needs].append(point)
    for points in found.values():
        chance.shuffle(points)
    return found
