"""What becomes of an SDK's events under each fault: what is expected, and why.

A cell that comes out worse than it is here fails, and one that comes out better too. The reasons are the SDKs' own
doing, read in their sources or seen on the wire, at the versions that are pinned.
"""

import enum
from typing import NamedTuple

from tests.clients.outcomes import Outcome
from tests.clients.sdks import SDKS


class Verdict(enum.Enum):
    """In the words of docs/sdks.md."""

    DELIVERED = "delivered"
    REPEATED = "delivered, repeated"
    DROPPED = "**dropped**"
    PARTLY = "partly"


class Expected(NamedTuple):
    """A verdict and its reason."""

    verdict: Verdict
    because: str


def verdict_of(outcome: Outcome, during: str) -> Verdict:
    """What an outcome comes to, when a fault lasted for this round.

    DROPPED: all of this round is lost, but for fillers that were left over, and nothing else is. PARTLY is never
    expected.
    """
    if not outcome.lost:
        return Verdict.REPEATED if outcome.repeated else Verdict.DELIVERED
    of_the_round = {event for event in outcome.told if event[1].startswith(f"{during}_")}
    kept = {name for _, name in of_the_round - set(outcome.lost)}
    only_fillers = all(name.startswith(f"{during}_filler_") for name in kept)
    if set(outcome.lost) <= of_the_round and only_fillers and not outcome.repeated:
        return Verdict.DROPPED
    return Verdict.PARTLY


def _delivered(because: str) -> Expected:
    return Expected(Verdict.DELIVERED, because)


def _repeated(because: str) -> Expected:
    return Expected(Verdict.REPEATED, because)


def _dropped(because: str) -> Expected:
    return Expected(Verdict.DROPPED, because)


_NOT_AFTER_400 = _dropped("400 is not among the statuses after which it tries again")
_NO_STATUS = _dropped("a refused connection has no status, so it is not among those after which it tries again")
_MERGED = _delivered("tried again together with newer events, up to a minute later")
_EVER_LATER = _delivered("tried again 1, 11 and 111 s later, …, after every answer but 2xx and after none")
_AFTER_10_S = _delivered("tried again 10, 30, … s later")
_FOUR_AT_A_TIME = _delivered("4 posts in 7 s, and 4 more within a minute, up to 8 times")
_NEXT_VISIT = _delivered(
    "kept in the page's storage when its window loses the focus, and sent at the next visit; 503 and no answer: after "
    "3 posts in 3 s"
)
_NO_STORAGE = _dropped(
    "not tried again, or 3 times in 3 s; what pages keep in their storage Node has nothing to keep in"
)
_SENT_AGAIN = _repeated("it waits for 10 s, then sends again")
_WAITS = _delivered("it waits without end")

EXPECTED: dict[str, dict[str, Expected]] = {
    "202": {sdk.name: _delivered("acknowledged") for sdk in SDKS},
    "400": {
        "py_legacy": _NOT_AFTER_400,
        "py_core": _NOT_AFTER_400,
        "node_legacy": _EVER_LATER,
        "node_core": _NOT_AFTER_400,
        "go_legacy": _NOT_AFTER_400,
        "java_legacy": _NOT_AFTER_400,
        "java_core": _NOT_AFTER_400,
        "js_client": _NOT_AFTER_400,
        "js_client_in_node": _NOT_AFTER_400,
        "statsig_js": _NEXT_VISIT,
        "statsig_js_in_node": _NO_STORAGE,
    },
    "503": {
        "py_legacy": _delivered("tried again 2, 4, … s later, up to 10 times"),
        "py_core": _MERGED,
        "node_legacy": _EVER_LATER,
        "node_core": _MERGED,
        "go_legacy": _delivered("tried again 1, 11 and 111 s later, …"),
        "java_legacy": _AFTER_10_S,
        "java_core": _MERGED,
        "js_client": _FOUR_AT_A_TIME,
        "js_client_in_node": _FOUR_AT_A_TIME,
        "statsig_js": _NEXT_VISIT,
        "statsig_js_in_node": _NO_STORAGE,
    },
    "restart": {
        "py_legacy": _NO_STATUS,
        "py_core": _MERGED,
        "node_legacy": _EVER_LATER,
        "node_core": _MERGED,
        "go_legacy": _NO_STATUS,
        "java_legacy": _AFTER_10_S,
        "java_core": _MERGED,
        "js_client": _FOUR_AT_A_TIME,
        "js_client_in_node": _FOUR_AT_A_TIME,
        "statsig_js": _NEXT_VISIT,
        "statsig_js_in_node": _NO_STORAGE,
    },
    "slow ack": {
        "py_legacy": _delivered("it waits for 20 s"),
        "py_core": _SENT_AGAIN,
        "node_legacy": _WAITS,
        "node_core": _SENT_AGAIN,
        "go_legacy": _delivered("it waits for 3 s, then takes the events for lost, which they are not"),
        "java_legacy": _SENT_AGAIN,
        "java_core": _SENT_AGAIN,
        "js_client": _SENT_AGAIN,
        "js_client_in_node": _SENT_AGAIN,
        "statsig_js": _WAITS,
        "statsig_js_in_node": _WAITS,
    },
}
