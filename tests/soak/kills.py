"""What is killed, and when: each act brings deaths about, counts them, and leaves the service to be healed."""

import errno
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.soak.steps import POINTS, Needs, Point
from tests.soak.target import WORKERS, Target
from tests.support.disk_faults import Rule
from tests.support.waiting import wait_until

__all__ = ["ACTS", "LONG_ACTS", "Act", "at_point"]

# Until a process that hangs is found and killed: a worker by its health checks, others by their stillness.
_FOUND_WITHIN_S = 240.0
# What brings a step about is done again where it came to nothing; after a longer wait each time, as doing it too soon
# may be what keeps the step from being reached.
_REACHED_WITHIN_S = (10.0, 20.0, 40.0, 80.0)
_POINT = {point.name: point for point in POINTS}
# What recovery does whenever it runs, and what it does besides where a worker died in the middle of a write.
_RECOVERS_ALWAYS = ("sync log/", "sync the data folder", "sync sealed/", "sync open/")
_RECOVERS_A_TORN_TAIL = ("cut a torn tail", "sync a segment", "rename a segment")

Deed = Callable[[Target, random.Random], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that is done to the service.

    Attributes:
        name: as messages have it.
        do: does it.
        share: how often it comes, compared with others.
    """

    name: str
    do: Deed
    share: int = 1


def at_point(point: Point) -> Act:
    """A death at a named step, with what brings that step about."""

    def act(target: Target, chance: random.Random) -> None:
        needs = point.step.needs
        if needs is Needs.DRAIN:
            target.heal_without_load()
        if needs in _DIES_BEFORE:
            _dies_at(target, chance, _POINT[_DIES_BEFORE[needs]])
        with_it = [_POINT[_DIES_BESIDE[needs]]] if needs in _DIES_BESIDE else []
        _dies_when_provoked(target, chance, point, *with_it, provoke=_PROVOKE.get(needs, _nothing))

    return Act(name=point.name, do=act)


def _dies_when_provoked(target: Target, chance: random.Random, point: Point, *beside: Point, provoke: Deed) -> None:
    """A death at a point, and at those beside it, or failures, that bring it about."""
    failures: list[Rule] = []

    def arm() -> list[str]:
        failures[:] = _failures(target, point.step.needs)
        return target.arm(point, *beside, chance=chance, besides=failures)

    rule_ids = arm()
    for seconds in _REACHED_WITHIN_S:
        provoke(target, chance)
        if target.acts_within(rule_ids[0], seconds):
            break
        if any(target.acts_within(rule_id, 0.0) for rule_id in (*rule_ids[1:], *(rule.id for rule in failures))):
            # They came to nothing: nothing is cut of a write that is torn between two records, and what the process
            # does for another log may come between the cut and what is to follow it.
            _count(target, beside, rule_ids[1:])
            rule_ids = arm()
    _count(target, beside, rule_ids[1:])
    target.died_at(point, rule_ids[0])


def _count(target: Target, points: Sequence[Point], rule_ids: Sequence[str]) -> None:
    """Count the deaths at those of some points that were reached."""
    for point, rule_id in zip(points, rule_ids, strict=True):
        if target.acts_within(rule_id, 0.0):
            target.died_at(point, rule_id, stands=True)


def _dies_at(target: Target, chance: random.Random, point: Point) -> None:
    [rule_id] = target.arm(point, chance=chance)
    target.died_at(point, rule_id)


def _failures(target: Target, needs: Needs) -> list[Rule]:
    if needs is not Needs.FAILED_WRITE:
        return []
    target.tally.other["datasync that fails"] += 1
    target.expected_errors.add("sync failed: Input/output error")
    return [
        Rule(
            target.rule_id(),
            role="worker",
            verb="datasync",
            path="*/log/open/2*",
            times=1,
            action="error",
            errno=errno.EIO,
        )
    ]


def _nothing(_target: Target, _chance: random.Random) -> None:
    """The load brings it about."""


def _a_worker_dies(target: Target, chance: random.Random) -> None:
    target.strike_if_there(chance.choice(WORKERS))


def _the_lake_dies(target: Target, _chance: random.Random) -> None:
    target.strike_if_there("lake")


def _drains(target: Target, _chance: random.Random) -> None:
    if not target.service.has_ended:
        target.service.begin_to_stop()


def _starts_for_the_first_time(target: Target, _chance: random.Random) -> None:
    if target.service.has_ended:
        (target.service.data_dir / "keys.json").unlink(missing_ok=True)
        target.start_to_die()


def _a_key_is_made(target: Target, _chance: random.Random) -> None:
    made = target.service.try_command("keys", "create", "--kind", "client", "--name", "soak")
    assert made.returncode == -signal.SIGKILL, f"keys create ended with {made.returncode}: {made.stderr}"
    assert not made.stdout, "a key was told by a command that died before it could know the key durable"
    # As whoever is told nothing does. It leaves nothing of the one before.
    target.service.command("keys", "create", "--kind", "client", "--name", "soak")


_DIES_BEFORE = {Needs.LEFT_IN_STAGING: "write: after create", Needs.NOT_LET_GO: "move: after rename"}
_DIES_BESIDE = {Needs.TORN_TAIL: "append: torn next write", Needs.EMPTY_SEGMENT: "begin: after sync open/"}
_PROVOKE: dict[Needs, Deed] = {
    Needs.FIRST_START: _starts_for_the_first_time,
    Needs.DEAD_WORKER: _a_worker_dies,
    Needs.DEAD_LAKE: _the_lake_dies,
    Needs.NEW_KEY: _a_key_is_made,
    Needs.DRAIN: _drains,
}


def _of(*roles: str) -> Deed:
    """SIGKILL to one process of each of these roles, as near together as can be."""

    def act(target: Target, chance: random.Random) -> None:
        chosen = chance.sample(WORKERS, k=sum(role == "worker" for role in roles))
        names = [role for role in roles if role != "worker"] + chosen
        target.strike(*chance.sample(names, k=len(names)))

    return act


def _the_group(target: Target, _chance: random.Random) -> None:
    target.strike_all()


def _stuck(role: str, *, then: signal.Signals) -> Deed:
    """SIGSTOP, and a while later SIGCONT or SIGKILL."""

    def act(target: Target, chance: random.Random) -> None:
        name = chance.choice(WORKERS) if role == "worker" else role
        with target.stopped(name):
            time.sleep(chance.uniform(0.1, 1.5))
            if then == signal.SIGKILL:
                target.strike(name)

    return act


def _found_stuck(role: str) -> Deed:
    """SIGSTOP, until the supervisor finds out, and kills it."""

    def act(target: Target, chance: random.Random) -> None:
        name = chance.choice(WORKERS) if role == "worker" else role
        with target.stopped(name) as process:
            wait_until(
                lambda: target.process(name) not in (None, process),
                within_s=_FOUND_WITHIN_S,
                what=f"a {name} that hangs is replaced",
            )
        target.dies(f"{role}, by the supervisor")

    return act


def _a_worker_while_the_supervisor_is_stuck(target: Target, chance: random.Random) -> None:
    victim = chance.choice(WORKERS)
    # Asked before: run.json is the supervisor's.
    target.wait_for(victim)
    with target.stopped("supervisor"):
        target.strike(victim)
        time.sleep(chance.uniform(0.1, 1.0))


def _the_supervisor_of_stuck_children(target: Target, chance: random.Random) -> None:
    """The next start waits for them, and then kills them."""
    with target.stopped(chance.choice(WORKERS)), target.stopped("lake"):
        target.strike("supervisor")
        target.start()


def _while_it_starts(target: Target, chance: random.Random) -> None:
    target.strike("supervisor")
    target.start_to_die()
    time.sleep(chance.uniform(0.0, 3.0))
    target.kill_supervisor("supervisor, while it starts")


def _while_it_drains(target: Target, chance: random.Random) -> None:
    target.service.begin_to_stop()
    time.sleep(chance.uniform(0.0, 1.2))
    victim = chance.choice((*WORKERS, "lake", "supervisor"))
    if victim == "supervisor":
        target.kill_supervisor("supervisor, while it drains")
    else:
        target.strike_if_there(victim, "while the service drains")
    target.wait_until_it_has_ended()


def _while_it_recovers(target: Target, chance: random.Random) -> None:
    """A worker dies in the middle of a write, the supervisor while it recovers, and its successor while it does."""
    first = _POINT[f"recovery: before {chance.choice(_RECOVERS_ALWAYS + _RECOVERS_A_TORN_TAIL)}"]
    second = _POINT[f"recovery: {chance.choice(('before', 'after'))} {chance.choice(_RECOVERS_ALWAYS)}"]
    _dies_when_provoked(target, chance, first, _POINT["append: torn next write"], provoke=_nothing)
    [second_id] = target.arm(second, chance=chance)
    target.start_to_die()
    target.died_at(second, second_id)


def _while_the_lake_comes_back(target: Target, chance: random.Random) -> None:
    """The lake writer dies at a step of publishing, its successor as soon as it does anything, and the next one too."""
    points = [p for p in POINTS if p.step.role == "lake" and p.step.needs is Needs.LOAD and p.phase != "torn"]
    for point in chance.sample(points, k=3):
        _dies_at(target, chance, point)


ACTS: tuple[Act, ...] = (
    Act(name="a worker", do=_of("worker"), share=6),
    Act(name="the whole group", do=_the_group, share=8),
    Act(name="the lake writer", do=_of("lake"), share=6),
    Act(name="while it recovers", do=_while_it_recovers, share=6),
    Act(name="Envoy", do=_of("envoy"), share=6),
    Act(name="the supervisor", do=_of("supervisor"), share=6),
    Act(name="a worker and the lake writer", do=_of("worker", "lake"), share=4),
    Act(name="a stuck worker, killed", do=_stuck("worker", then=signal.SIGKILL), share=2),
    Act(name="a stuck lake writer, which goes on", do=_stuck("lake", then=signal.SIGCONT), share=2),
    Act(name="a stuck supervisor, killed", do=_stuck("supervisor", then=signal.SIGKILL), share=2),
    Act(name="while it starts", do=_while_it_starts, share=4),
    Act(name="a stuck Envoy, which goes on", do=_stuck("envoy", then=signal.SIGCONT), share=2),
    Act(name="a worker, while the supervisor is stuck", do=_a_worker_while_the_supervisor_is_stuck, share=2),
    Act(name="both workers", do=_of("worker", "worker"), share=4),
    Act(name="while it drains", do=_while_it_drains, share=4),
    Act(name="while the lake writer comes back", do=_while_the_lake_comes_back, share=3),
    Act(name="Envoy and a worker", do=_of("envoy", "worker"), share=3),
    Act(name="Envoy and the lake writer", do=_of("envoy", "lake"), share=2),
    Act(name="a stuck worker, which goes on", do=_stuck("worker", then=signal.SIGCONT), share=2),
    Act(name="a stuck supervisor, which goes on", do=_stuck("supervisor", then=signal.SIGCONT), share=2),
    Act(name="a stuck lake writer, killed", do=_stuck("lake", then=signal.SIGKILL), share=2),
    Act(name="a stuck Envoy, killed", do=_stuck("envoy", then=signal.SIGKILL), share=2),
)
# Those take ten seconds to more than a minute each, because the service itself gives a process that long.
LONG_ACTS: tuple[Act, ...] = (
    Act(name="a stuck worker, until it is found", do=_found_stuck("worker"), share=3),
    Act(name="the supervisor of stuck children", do=_the_supervisor_of_stuck_children, share=3),
    Act(name="a stuck lake writer, until it is found", do=_found_stuck("lake")),
    Act(name="a stuck Envoy, until it is found", do=_found_stuck("envoy")),
)
