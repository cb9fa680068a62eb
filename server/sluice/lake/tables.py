"""The lake's tables, by their names."""

from __future__ import annotations

from sluice.lake.ddl import Table
from sluice.lake.partition import EVENTS_FOLDER, REJECTS_FOLDER
from sluice.lake.schema import EVENT_COLUMNS, PARTITION_COLUMNS, REJECT_COLUMNS, TABLE_VERSION

__all__ = ["TABLES"]

TABLES = {
    name: Table(name=name, version=TABLE_VERSION, columns=columns, partitions=PARTITION_COLUMNS)
    for name, columns in ((EVENTS_FOLDER, EVENT_COLUMNS), (REJECTS_FOLDER, REJECT_COLUMNS))
}
