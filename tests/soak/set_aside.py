"""A segment on which the lake writer dies again and again is set aside whole, by design, and can be given back."""

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
from google.protobuf.json_format import MessageToDict

from sluice.events.v1 import events_pb2 as pb
from sluice.log.ports import DamageReason
from sluice.log.reader import records_in
from sluice.log.segment import parse_sealed
from sluice.storage.v1.log_record_pb2 import BODY_FORMAT_JSON, BODY_FORMAT_LOG_EVENT_REQUEST, LogRecord
from tests.soak.kills import Act
from tests.soak.steps import POINTS, Needs, Point
from tests.soak.target import Target
from tests.support.disk_faults import Rule
from tests.support.waiting import wait_until

__all__ = ["SET_ASIDE_ACTS", "attempts_set_aside", "give_back"]

_REASON = f".{DamageReason.KILLS_THE_WRITER.value}"
_WITHIN_S = 600.0
# Once a segment has its new name it is never set aside again, so a run has but one death behind that.
_LAST = "set aside: after rename the segment"


def set_aside(points: Sequence[Point]) -> Act:
    """The lake writer ends by its own fault until a segment is condemned, and dies at these steps of doing so."""

    def act(target: Target, chance: random.Random) -> None:
        folder = target.service.data_dir / "log/damaged"
        before = set(_segments(folder))
        exits = Rule(
            target.rule_id(),
            role="lake",
            verb="create",
            path="*/lake/.staging/2*.parquet",
            times=None,
            action="exit",
        )
        rule_ids = target.arm(*points, chance=chance, besides=[exits])
        wait_until(
            lambda: set(_segments(folder)) - before and all(target.faults.fired(rule_id) for rule_id in rule_ids),
            within_s=_WITHIN_S,
            what=f"a segment is set aside, with deaths at {[point.name for point in points]}",
        )
        target.tally.other["lake exits by its own fault"] += len(target.faults.fired(exits.id))
        for point, rule_id in zip(points, rule_ids, strict=True):
            target.died_at(point, rule_id)

    return Act(name=f"a segment is set aside; {points[-1].name}", do=act)


def _acts() -> tuple[Act, ...]:
    points = [point for point in POINTS if point.step.needs is Needs.SET_ASIDE]
    last = next(i for i, point in enumerate(points) if point.name == _LAST)
    behind = {point.name for point in points[last:] if "report" not in point.step.name}
    earlier = [point for point in points if point.name not in behind]
    later = [point for point in points if point.name in behind]
    return tuple(set_aside([*earlier[number :: len(later)], point]) for number, point in enumerate(later))


# Together they die at each step of setting aside.
SET_ASIDE_ACTS: tuple[Act, ...] = _acts()


def attempts_set_aside(data_dir: Path) -> dict[str, set[int]]:
    """The attempts in each segment that was set aside whole; each must hold what its name says.

    Raises:
        AssertionError: one doesn't, or has no report.
    """
    folder = data_dir / "log/damaged"
    found = {}
    for name in _segments(folder):
        sealed = parse_sealed(name.removesuffix(_REASON))
        assert sealed is not None, f"{name}: no name of a segment"
        content = (folder / name).read_bytes()
        records = [part[1] for part in records_in(content, sealed=sealed) if isinstance(part, tuple)]
        assert (len(records), len(content)) == (sealed.records, sealed.size_bytes), f"{name}: it was altered"
        assert (folder / f"{name}.json").is_file(), f"{name}: it has no report"
        found[name] = {_attempt_of(record) for record in records}
    return found


def give_back(target: Target) -> int:
    """Give set-aside segments back, as docs/operate.md says; return how many. The service runs before and after."""
    assert target.service.stop() == 0, "the service leaves a backlog"
    folder = target.service.data_dir / "log/damaged"
    names = _segments(folder)
    for name in names:
        (folder / name).rename(folder.with_name("sealed") / name.removesuffix(_REASON))
        (folder / f"{name}.json").unlink()
    target.start()
    return len(names)


def _segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(f"2*{_REASON}")) if folder.is_dir() else []


def _attempt_of(record: LogRecord) -> int:
    if record.body_format == BODY_FORMAT_JSON:
        return int(msgspec.json.decode(record.body)["events"][0]["metadata"]["attempt"])
    kind = pb.LogEventRequest if record.body_format == BODY_FORMAT_LOG_EVENT_REQUEST else pb.ReceiveWebhookEventRequest
    return int(MessageToDict(kind.FromString(record.body).events[0].metadata)["attempt"])
