"""The end of what a service does when it stops, without one: seal what is open, publish what is sealed.

For whoever holds the data folder's lock.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.lake.writer import LakeWriter, Outcome
from sluice.lake.written_tables import written_tables
from sluice.log.metrics import REFUSED
from sluice.log.recovery import recover
from sluice.log.refused import refused_log
from sluice.log.segment import LOG_FOLDER

if TYPE_CHECKING:
    from sluice.lake.config import WriterConfig

__all__ = ["PublishingFailed", "publish_all"]


class PublishingFailed(SluiceError):
    """The log could not be brought to the lake; nothing is lost."""


def publish_all(config: WriterConfig, *, until: float) -> None:
    """Bring all that the log holds to the lake, file by file.

    Args:
        config: the lake writer's values.
        until: when no further file is begun, in seconds on the monotonic clock.

    Raises:
        PublishingFailed: some of it could not be published now.
        OSError: the log's folders can't be made or listed.
    """
    data_dir = Path(config.data_dir)
    recover(data_dir / LOG_FOLDER)
    recover(refused_log(data_dir), figures=REFUSED)
    outcomes = [
        _publish(LakeWriter(config, table), until=until) for table in written_tables(data_dir, archive=config.archive)
    ]
    if Outcome.FAILED in outcomes:
        raise PublishingFailed("segments could not be published; nothing is lost", hint="the messages above say why")


def _publish(writer: LakeWriter, *, until: float) -> Outcome:
    writer.prepare()
    outcome = Outcome.PUBLISHED
    while outcome is Outcome.PUBLISHED and time.monotonic() < until:
        outcome = writer.run_once(time.time(), at_once=True)
    return outcome
