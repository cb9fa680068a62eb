"""The data folders of two nodes, put together by a person: each event of both is in the lake once."""

import shutil
from pathlib import Path

from sluice.log.reader import LocalSegments
from sluice.log.recovery import recover
from tests.support.lake_log import HOUR, NOW, record, seal_on_disk
from tests.support.lake_service import in_lake, publish_all, started


def _body(name: str) -> bytes:
    return b'{"events":[{"eventName":"%s","time":1}]}' % name.encode()


def _node(data_dir: Path, node: str, number: int) -> None:
    """A folder with one event in the lake, one in a sealed segment, and one in a segment that a dead writer left."""
    log = LocalSegments(data_dir / "log")
    for state in ("published", "sealed", "open"):
        number += 1
        body = _body(f"{node} {state}")
        path = seal_on_disk(data_dir, [record(body, number=number)], number=number, at=NOW)
        if state == "published":
            publish_all(started(data_dir, log))
        if state == "open":
            path.rename(data_dir / "log/open" / path.name.partition(".")[0])


def test_each_event_of_two_merged_folders_is_in_the_lake_once(tmp_path: Path) -> None:
    _node(tmp_path / "one", "one", 10)
    _node(tmp_path / "two", "two", 20)

    for part in ("log", "lake/events"):
        shutil.copytree(tmp_path / "two" / part, tmp_path / "one" / part, dirs_exist_ok=True)
    recover(tmp_path / "one/log")
    publish_all(started(tmp_path / "one", LocalSegments(tmp_path / "one/log")))

    assert in_lake(tmp_path / "one") == sorted(
        f"{node} {state}" for node in ("one", "two") for state in ("published", "sealed", "open")
    )
    assert {path.name[:11] for path in (tmp_path / "one/lake/events").glob("*/*/*")} == {HOUR}
