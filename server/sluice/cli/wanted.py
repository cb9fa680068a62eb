"""Which events somebody wants to see: by the facts of the request, and by the event's name."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice.lake.choice import event_names
from sluice.lake.fields import kept_indices
from sluice.log.record import source_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.storage.v1.log_record_pb2 import LogRecord

__all__ = ["Wanted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted; of each kind one must fit, and where none is named, all do.

    Attributes:
        names: patterns of event names, as a shell's: `*`, `?`, `[abc]`.
        key_ids: ids of API keys.
        projects: projects.
        sources: doors: sdk, webhook, grpc.
    """

    names: tuple[str, ...] = ()
    key_ids: frozenset[str] = frozenset()
    projects: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    _name: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_name", re.compile("|".join(fnmatch.translate(name) for name in self.names)))

    def positions_in(self, record: LogRecord) -> Sequence[int]:
        """The positions of those events of a record that are wanted and are rows."""
        if (
            (self.key_ids and record.key_id not in self.key_ids)
            or (self.projects and record.project not in self.projects)
            or (self.sources and source_of(record).value not in self.sources)
        ):
            return ()
        kept = kept_indices(record, record.event_count)
        names = event_names(record) if self.names else None
        if names is None:
            return kept  # none is asked for; or the body can't be read, which is the decoder's to say
        return [index for index in kept if index < len(names) and self._name.match(names[index])]
