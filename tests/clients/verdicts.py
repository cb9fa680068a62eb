"""What becomes of an SDK's events under each fault: what is expected, and why.

A cell that comes out worse than it is here fails, and one that comes out better too. The reasons are the SDKs' own
doing, read in their sources or seen on the wire, at the versions that are pinned.
"""

import enum
from typing import NamedTuple

from tests.clients.outcomes import Outcome


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


_ACKNOWLEDGED = Expected(Verdict.DELIVERED, "answered 202")

EXPECTED: dict[str, dict[str, Expected]] = {
    "202": dict.fromkeys(
        (
            "py_legacy",
            "py_core",
            "node_legacy",
            "node_core",
            "go_legacy",
            "java_legacy",
            "java_core",
            "js_client",
            "js_client_in_node",
            "statsig_js",
            "statsig_js_in_node",
        ),
        _ACKNOWLEDGED,
    ),
    "400": {
        "py_legacy": Expected(Verdict.DROPPED, "400 is not among the statuses that it tries again after"),
        "py_core": Expected(Verdict.DROPPED, "400 is not among the statuses that it tries again after"),
        "node_legacy": Expected(Verdict.DELIVERED, "it tries again after any status but 2xx: 1, 11 and 111 s later, …"),
        "node_core": Expected(Verdict.DROPPED, "400 is not among the statuses that it tries again after"),
        "go_legacy": Expected(Verdict.DROPPED, "400 is not among the statuses that it tries again after"),
        "java_legacy": Expected(Verdict.DROPPED, "400 is not among the statuses that it tries again after"),
        "java_core": Expected(Verdict.DROPPED, "400 is not among the statuses that it tries again after"),
        "js_client": Expected(Verdict.DROPPED, "400 is not among the statuses that it tries again after"),
        "js_client_in_node": Expected(Verdict.DROPPED, "400 is not among the statuses that it tries again after"),
        "statsig_js": Expected(Verdict.DELIVERED, "kept in the page's storage, and sent at the next visit"),
        "statsig_js_in_node": Expected(Verdict.DROPPED, "not tried again; Node has no storage to keep it in"),
    },
    "503": {
        "py_legacy": Expected(Verdict.DELIVERED, "tried again after 2, 4, … s, up to 10 times"),
        "py_core": Expected(Verdict.DELIVERED, "tried again together with newer events"),
        "node_legacy": Expected(Verdict.DELIVERED, "tried again 1, 11 and 111 s later, …"),
        "node_core": Expected(Verdict.DELIVERED, "tried again together with newer events"),
        "go_legacy": Expected(Verdict.DELIVERED, "tried again 1, 11 and 111 s later, …"),
        "java_legacy": Expected(Verdict.DELIVERED, "tried again after 10 s"),
        "java_core": Expected(Verdict.DELIVERED, "tried again together with newer events"),
        "js_client": Expected(Verdict.DELIVERED, "4 posts in 7 s, and again a minute later"),
        "js_client_in_node": Expected(Verdict.DELIVERED, "4 posts in 7 s, and again a minute later"),
        "statsig_js": Expected(Verdict.DELIVERED, "3 posts in 3 s, then kept in the page's storage for the next visit"),
        "statsig_js_in_node": Expected(Verdict.DROPPED, "3 posts in 3 s; Node has no storage to keep it in"),
    },
    "restart": {
        "py_legacy": Expected(Verdict.DROPPED, "a refused connection has no status, so it is not tried again"),
        "py_core": Expected(Verdict.DELIVERED, "tried again together with newer events"),
        "node_legacy": Expected(Verdict.DELIVERED, "tried again 1, 11 and 111 s later, …"),
        "node_core": Expected(Verdict.DELIVERED, "tried again together with newer events"),
        "go_legacy": Expected(Verdict.DROPPED, "a refused connection has no status, so it is not tried again"),
        "java_legacy": Expected(Verdict.DELIVERED, "tried again after 10 s"),
        "java_core": Expected(Verdict.DELIVERED, "tried again together with newer events"),
        "js_client": Expected(Verdict.DELIVERED, "4 posts in 7 s, and again a minute later"),
        "js_client_in_node": Expected(Verdict.DELIVERED, "4 posts in 7 s, and again a minute later"),
        "statsig_js": Expected(Verdict.DELIVERED, "3 posts in 3 s, then kept in the page's storage for the next visit"),
        "statsig_js_in_node": Expected(Verdict.DROPPED, "3 posts in 3 s; Node has no storage to keep it in"),
    },
    "slow ack": {
        "py_legacy": Expected(Verdict.DELIVERED, "it waits for 20 s"),
        "py_core": Expected(Verdict.REPEATED, "it waits for 10 s, then sends again"),
        "node_legacy": Expected(Verdict.DELIVERED, "it waits without end"),
        "node_core": Expected(Verdict.REPEATED, "it waits for 10 s, then sends again"),
        "go_legacy": Expected(Verdict.DELIVERED, "it waits for 3 s, then takes the events for lost; they are not"),
        "java_legacy": Expected(Verdict.REPEATED, "it waits for 10 s, then sends again"),
        "java_core": Expected(Verdict.REPEATED, "it waits for 10 s, then sends again"),
        "js_client": Expected(Verdict.REPEATED, "it waits for 10 s, then sends again"),
        "js_client_in_node": Expected(Verdict.REPEATED, "it waits for 10 s, then sends again"),
        "statsig_js": Expected(Verdict.DELIVERED, "it waits without end"),
        "statsig_js_in_node": Expected(Verdict.DELIVERED, "it waits without end"),
    },
}
