"""Refused requests and quarantined events under power cuts: at most once in rejects, and set aside before accepted.

A small history, walked exhaustively as those of test_small_histories.py: a worker keeps a refused request, sets bad
events aside and then accepts the good ones, seals both logs, and the lake writer publishes both tables.
"""

import asyncio
from collections import Counter
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from sluice import disk
from sluice.lake.writer import LakeWriter
from sluice.lake.written_tables import written_tables
from sluice.log.appender import SegmentAppender
from sluice.log.ids import request_id_text
from sluice.log.recovery import recover
from sluice.log.refused import RefusedAppender, refused_log
from sluice.log.segment import LOG_FOLDER
from tests.power_cut.fates import coarse_pieces, every_way
from tests.power_cut.history import History, Replay
from tests.power_cut.restart import publish_all, start
from tests.power_cut.trees import digest, rebuild
from tests.power_cut.walk import DATA, cut
from tests.power_cut.worker import FIRST_TIME_US
from tests.support.lake_service import config
from tests.support.log_records import Clock, entry, refused_entry

_MOST_STATES = 5_000

_REFUSED = refused_entry(b'{"refused":1}')
_SET_ASIDE = refused_entry(b'{"set":"aside"}')
_GOOD = entry(b'{"events":[{"eventName":"good","time":1}]}', request_id=_SET_ASIDE.request_id)


def _ids(data_dir: Path, table: str) -> Counter[str]:
    files = (data_dir / "lake" / table).glob("*/*/*.parquet")
    return Counter(id_ for path in files for id_ in pq.ParquetFile(path).read(["request_id"]).column(0).to_pylist())


def _restart(data_dir: Path) -> None:
    start(data_dir)
    recover(refused_log(data_dir))
    _publish(data_dir)


def _publish(data_dir: Path) -> None:
    for table in written_tables(data_dir, archive=False):
        writer = LakeWriter(config(data_dir), table)
        writer.prepare()
        publish_all(writer)


def _live(root: Path) -> tuple[History, dict[str, int]]:
    """A day, and for what was promised how many operations had been done by then."""
    data_dir = root / DATA
    history = History(root)
    promised: dict[str, int] = {}

    async def work() -> None:
        limits = {"seal_age_s": 3600.0, "seal_size_bytes": 1 << 20, "queue_bytes": 1 << 20, "min_free_bytes": 0}
        log = SegmentAppender(data_dir / LOG_FOLDER, "n0", clock=Clock(FIRST_TIME_US), **limits)  # type: ignore[arg-type]
        refused = RefusedAppender(refused_log(data_dir), "n0", clock=Clock(FIRST_TIME_US), **limits)  # type: ignore[arg-type]
        await log.start()
        await refused.start()
        await refused.append(_REFUSED)
        promised["refused"] = len(history.entries)
        await refused.append(_SET_ASIDE)
        promised["set aside"] = len(history.entries)
        await log.append(_GOOD)
        promised["acknowledged"] = len(history.entries)
        await refused.close()
        await log.close()

    root.mkdir(parents=True)
    with disk.observed(history):
        start(data_dir)
        recover(refused_log(data_dir))
        asyncio.run(work())
        _publish(data_dir)
    return history, promised


def test_each_reject_is_in_the_lake_once_and_no_good_event_without_those_set_aside(tmp_path: Path) -> None:
    history, promised = _live(tmp_path / "life")
    refused, parted = request_id_text(_REFUSED.request_id), request_id_text(_SET_ASIDE.request_id)
    seen: set[bytes] = set()
    replay = Replay(history)
    states = 0
    while replay.step():
        for state in islice(every_way(partial(cut, replay), tears=coarse_pieces), _MOST_STATES):
            states += 1
            if (known := digest(state.tree)) in seen:
                continue
            seen.add(known)
            rebuild(state.tree, tmp_path / "state")
            _restart(tmp_path / "state" / DATA)
            rejects = _ids(tmp_path / "state" / DATA, "rejects")
            events = _ids(tmp_path / "state" / DATA, "events")
            story = "\n".join(state.story)

            assert max([0, *rejects.values(), *events.values()]) <= 1, story
            assert not events or parted in rejects, story
            if replay.operations >= promised["refused"]:
                assert refused in rejects, story
            if replay.operations >= promised["acknowledged"]:
                assert parted in rejects, story
                assert parted in events, story

    assert states >= 400
