"""What was set aside can be given back as docs/operate.md says, and is then in the lake once."""

from pathlib import Path

import pytest

from sluice.log.ports import DamageReason
from sluice.log.reader import LocalSegments
from sluice.log.recovery import recover
from tests.support.damage import FRAMES, RECORDS, sealed_as
from tests.support.lake_service import in_lake, publish_all, started


@pytest.mark.parametrize("reason", [DamageReason.UNDECODABLE_BODY, DamageReason.UNKNOWN_VERSION])
def test_a_stretch_that_can_be_read_again_is_given_back_by_a_move_to_open(tmp_path: Path, reason: DamageReason) -> None:
    log = tmp_path / "log"
    recover(log)
    segment = sealed_as()
    name = f"{segment.id}.{len(FRAMES[0])}.{reason.value}"
    (log / "damaged" / name).write_bytes(FRAMES[1])
    # The segment's other records are in the lake, and its id with them.
    (log / "sealed" / f"{segment.id}.1.{len(FRAMES[0])}").write_bytes(FRAMES[0])
    publish_all(started(tmp_path, LocalSegments(log)))
    hour, node, unique = segment.id.split("-", 2)

    (log / "damaged" / name).rename(log / "open" / f"{hour}-{node}_back{len(FRAMES[0])}-{unique}")
    recover(log)
    publish_all(started(tmp_path, LocalSegments(log)))

    assert in_lake(tmp_path) == sorted(
        f"event-{number}-{index}" for number in (0, 1) for index in range(RECORDS[number].event_count)
    )
    assert list((log / "damaged").iterdir()) == []
