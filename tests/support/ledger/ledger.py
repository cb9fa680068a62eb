"""The clients' ledger: how each attempt ended. The lake is judged by it, and by nothing that the service says later.

    outcome         what the client saw                     what the lake must have
    acknowledged    202, or OK                              all of it, exactly once
    refused         4xx, or a code that says the same       nothing, ever
    failed          5xx, or UNAVAILABLE                     nothing, or all of it once
    unanswered      no answer                               nothing, or all of it once

In memory an attempt takes two bytes for good, and some hundred until the next comparison. The whole story of each is a
line of the journal, a file outside the data folder.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

__all__ = ["Answer", "Ledger", "Outcome"]


class Outcome(IntEnum):
    """How an attempt ended, as its client saw it."""

    IN_HAND = 0
    ACKNOWLEDGED = 1
    REFUSED = 2
    FAILED = 3
    UNANSWERED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client saw.

    Attributes:
        outcome: its class.
        status: as the protocol has it, or the error.
        request_id: of the rows, where it was told.
        words: of what failed.
    """

    outcome: Outcome
    status: str
    request_id: str = ""
    words: str = ""


_IN_LAKE = 0x80
_JOURNAL_HEAD = "attempt\tdoor\tevents\tmust_fail\tsent_at\tseconds\toutcome\tstatus\trequest_id\n"


class Ledger:
    """All attempts of a run, kept by many clients at once.

    Args:
        journal: the file that a line for each attempt is written to.
    """

    def __init__(self, journal: Path) -> None:
        self._lock = threading.Lock()
        self._states = bytearray()
        self._counts = bytearray()
        self._acknowledged: dict[int, str] = {}
        self._wrong: list[tuple[int, str]] = []
        self._path = journal
        self._journal = journal.open("w", encoding="utf-8")
        self._journal.write(_JOURNAL_HEAD)
        self.events: Counter[Outcome] = Counter()

    def begin(self, count: int) -> int:
        """Take a new id for an attempt with so many events, at most 255."""
        with self._lock:
            self._states.append(Outcome.IN_HAND)
            self._counts.append(count)
            return len(self._states) - 1

    def end(self, attempt: int, answer: Answer, *, door: str, must_fail: str, sent_at: float) -> None:
        """Note how an attempt ended.

        Args:
            attempt: its id.
            answer: what its client saw.
            door: where it was sent.
            must_fail: why it may not be acknowledged; "" for a good one.
            sent_at: seconds since the epoch.
        """
        seconds = time.time() - sent_at
        with self._lock:
            self._states[attempt] = answer.outcome
            self.events[answer.outcome] += self._counts[attempt]
            self._journal.write(
                f"{attempt}\t{door}\t{self._counts[attempt]}\t{must_fail}\t{sent_at:.3f}\t{seconds:.3f}\t"
                f"{answer.outcome.name.lower()}\t{answer.status}\t{answer.request_id}\n"
            )
            if answer.outcome is Outcome.ACKNOWLEDGED:
                self._acknowledged[attempt] = answer.request_id
            if answer.outcome is (Outcome.ACKNOWLEDGED if must_fail else Outcome.REFUSED):
                self._wrong.append((attempt, f"{must_fail or 'a good request'} answered {answer.status}"))

    def __len__(self) -> int:
        return len(self._states)

    def classes(self) -> Counter[Outcome]:
        """How many attempts ended in each way."""
        with self._lock:
            states = bytes(self._states)
        return Counter({outcome: states.count(outcome) + states.count(outcome | _IN_LAKE) for outcome in Outcome})

    def in_lake(self) -> Counter[Outcome]:
        """How many attempts of each outcome were found in the lake."""
        with self._lock:
            states = bytes(self._states)
        return Counter({outcome: states.count(outcome | _IN_LAKE) for outcome in Outcome})

    def knows(self, attempt: int) -> bool:
        """Whether a client made it."""
        return 0 <= attempt < len(self._states)

    def outcome(self, attempt: int) -> Outcome:
        """How it ended."""
        return Outcome(self._states[attempt] & ~_IN_LAKE)

    def count(self, attempt: int) -> int:
        """How many events it has."""
        return self._counts[attempt]

    def is_in_lake(self, attempt: int) -> bool:
        """Whether it was found in the lake before."""
        return bool(self._states[attempt] & _IN_LAKE)

    def found(self, attempt: int) -> None:
        """Note that it is in the lake, whole and once."""
        with self._lock:
            self._states[attempt] |= _IN_LAKE

    def forget_what_was_found(self) -> None:
        """Compare all of the lake anew."""
        with self._lock:
            self._states = bytearray(state & ~_IN_LAKE for state in self._states)

    def request_id(self, attempt: int) -> str:
        """What its client was told since the last comparison, or ""."""
        return self._acknowledged.get(attempt, "")

    def not_found(self) -> list[int]:
        """Acknowledged attempts that were not found in the lake."""
        with self._lock:
            states = bytes(self._states)
        return [attempt for attempt, state in enumerate(states) if state == Outcome.ACKNOWLEDGED]

    def in_hand(self) -> list[int]:
        """Attempts without an end."""
        with self._lock:
            states = bytes(self._states)
        return [attempt for attempt, state in enumerate(states) if state == Outcome.IN_HAND]

    def wrongly_answered(self) -> list[tuple[int, str]]:
        """Good attempts that were refused, and bad ones that were acknowledged, each with what was answered."""
        return list(self._wrong)

    def settle(self) -> None:
        """After a comparison: let go of what is only needed until then."""
        with self._lock:
            self._acknowledged = {a: r for a, r in self._acknowledged.items() if not self.is_in_lake(a)}
            self._journal.flush()

    def stories(self, attempts: Iterable[int]) -> dict[int, str]:
        """The journal's lines of some attempts."""
        wanted = {str(attempt) for attempt in attempts}
        with self._lock:
            if not self._journal.closed:
                self._journal.flush()
        with self._path.open(encoding="utf-8") as lines:
            return {
                int(line.partition("\t")[0]): line.rstrip("\n") for line in lines if line.partition("\t")[0] in wanted
            }

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()
