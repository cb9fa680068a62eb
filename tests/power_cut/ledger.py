"""What was sent, what was answered, and what must therefore be there: each attempt is in one class.

acknowledged   exactly once, and whole
refused        never
unanswered     at most once, and whole or not at all: its caller doesn't know; or it was refused while the disk would
               not even cut it off (see segment_writer.py), which ends when the cut is made up for
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum


class Answer(Enum):
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. Each of its events carries its id.

    Attributes:
        id: unlike that of any other.
        events: how many it has.
        decodable: whether the lake can decode it; one that can't be must be whole in log/damaged/ instead.
    """

    id: str
    events: int = 2
    decodable: bool = True

    @property
    def body(self) -> bytes:
        """As a client sends it."""
        name = self.id.encode() if self.decodable else self.id.encode() + b"\xff"
        events = (b'{"eventName":"%s","time":1,"value":%d}' % (name, number) for number in range(self.events))
        return b'{"events":[' + b",".join(events) + b"]}"


@dataclass(frozen=True, slots=True)
class Answered:
    """A change of an attempt's class."""

    attempt: Attempt
    answer: Answer


@dataclass(frozen=True, slots=True)
class KeyTold:
    """A key was printed, or its revocation: it is durable, or `told` is False and it may be."""

    id: str
    revoked: bool = False


@dataclass(slots=True, kw_only=True)
class Found:
    """What is there after a restart and a drain.

    Attributes:
        in_lake: by attempt id, the numbers of its events, sorted, as often as they are there.
        set_aside: by attempt id, how often its record is whole below log/damaged/.
        archived: ids of the attempts whose records are in log/archive/.
        keys: ids of keys, each with whether it is revoked.
        holes: stretches below log/damaged/ that hold no record.
        left: what should be nowhere any more, in words.
    """

    in_lake: Mapping[str, list[int]]
    set_aside: Mapping[str, int]
    archived: frozenset[str]
    keys: Mapping[str, bool]
    holes: int = 0
    left: list[str] = field(default_factory=list)


class Ledger:
    """The classes of all attempts so far, and the keys that were told."""

    def __init__(self) -> None:
        self._attempts: dict[str, Attempt] = {}
        self._answers: dict[str, Answer] = {}
        self._keys: dict[str, bool] = {}

    def note(self, event: Answered | KeyTold) -> None:
        """Add what happened."""
        if isinstance(event, KeyTold):
            self._keys[event.id] = event.revoked
        else:
            self._attempts[event.attempt.id] = event.attempt
            self._answers[event.attempt.id] = event.answer

    def counts(self) -> dict[str, int]:
        """How many attempts are in each class."""
        counts = Counter(self._answers.values())
        return {answer.value: counts[answer] for answer in Answer}

    def copy(self) -> "Ledger":
        """One that goes on by itself."""
        ledger = Ledger()
        ledger._attempts, ledger._answers, ledger._keys = dict(self._attempts), dict(self._answers), dict(self._keys)
        return ledger

    def digest(self) -> str:
        """Alike for ledgers that demand the same."""
        return repr((self._answers, self._keys))

    def violations(self, found: Found, *, holes_allowed: bool, archive: bool) -> list[str]:
        """What is not as it was promised, in words.

        Args:
            found: what is there.
            holes_allowed: a power cut left of an un-synced write what can't be told from damage: then that stretch,
                which nobody was answered for, is below log/damaged/.
            archive: what is in the lake must be in the archive, too.
        """
        wrong = list(found.left)
        for id_, answer in self._answers.items():
            wrong += self._wrong_with(self._attempts[id_], answer, found)
        wrong += [f"{id_}: nobody sent it" for id_ in {*found.in_lake, *found.set_aside} - self._attempts.keys()]
        if found.holes and not holes_allowed:
            wrong.append(f"{found.holes} damaged stretches")
        if archive:
            wrong += [f"{id_}: in the lake, not in the archive" for id_ in found.in_lake.keys() - found.archived]
        wrong += _wrong_keys(self._keys, found.keys)
        return wrong

    def _wrong_with(self, attempt: Attempt, answer: Answer, found: Found) -> Iterable[str]:
        numbers = found.in_lake.get(attempt.id, [])
        set_aside = found.set_aside.get(attempt.id, 0)
        times = len(numbers) // attempt.events + set_aside
        if numbers != sorted([*range(attempt.events)] * (len(numbers) // attempt.events)):
            yield f"{attempt.id}: not whole, events {numbers} of {attempt.events}"
        if set_aside and attempt.decodable:
            yield f"{attempt.id}: set aside"
        match answer:
            case Answer.ACKNOWLEDGED:
                allowed = {1}
            case Answer.REFUSED:
                allowed = {0}
            case Answer.UNANSWERED:
                allowed = {0, 1}
        if times not in allowed:
            yield f"{attempt.id}: {answer.value}, there {times} times"


def _wrong_keys(told: Mapping[str, bool], there: Mapping[str, bool]) -> Iterable[str]:
    for id_, revoked in told.items():
        if id_ not in there:
            yield f"{id_}: the key was told and is gone"
        elif revoked and not there[id_]:
            yield f"{id_}: the key was revoked and is in force"
