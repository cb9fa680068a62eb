"""The file that keeps events which will not be tried again, for somebody to mend and log anew: lines of JSON.

{"at": "2026-01-31T07:00:00Z", "reason": "refused", "path": "event_name", "message": "missing",
 "may_be_stored": false, "event": {"eventName": …, the event as REST takes it}}
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf import json_format

from sluice import disk
from sluice.client.report import Dropped, Reason
from sluice.events.v1 import events_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sluice.client.report import Undelivered

__all__ = ["REFUSED_NAME", "append_refused", "read_refused"]

REFUSED_NAME = "refused.jsonl"


def append_refused(path: Path, dropped: Iterable[Dropped], *, most_bytes: int) -> bool:
    """Add events to the file, durably; False: it would be larger than it may be, and is as it was."""
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    added = b"".join(_line(one, at) for one in dropped)
    is_new = not disk.exists(path)
    file = disk.create(path, mode=0o600) if is_new else disk.append_to(path)
    try:
        size = file.size()
        if size + len(added) > most_bytes:
            return False
        try:
            file.write_at([added], size)
            file.datasync()
        except OSError:
            file.cut(size)
            raise
    finally:
        file.close()
    if is_new:
        disk.sync_folder(path.parent)
    return True


def read_refused(spool: Path | str) -> Iterator[Undelivered]:
    """The events that the client of this spool has kept because they will not be tried again, oldest first.

    Once they are mended and logged, remove the file `refused.jsonl`. A line that was cut short is left out.

    Args:
        spool: the folder.
    """
    path = Path(spool) / REFUSED_NAME
    if not disk.exists(path):
        return
    with disk.open_read(path) as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            kept = json.loads(line)
            request = json_format.ParseDict({"events": [kept["event"]]}, pb.LogEventRequest())
            yield Dropped(
                encoded=request.SerializeToString(),
                reason=Reason(kept["reason"]),
                path=kept["path"],
                message=kept["message"],
                may_be_stored=kept["may_be_stored"],
            ).undelivered()


def _line(dropped: Dropped, at: str) -> bytes:
    message = pb.LogEventRequest.FromString(dropped.encoded).events[0]
    event = json_format.MessageToDict(message)
    if "time" in event:
        event["time"] = message.time  # protobuf's JSON has text for 64 bits, REST has an integer
    line = {
        "at": at,
        "reason": dropped.reason.value,
        "path": dropped.path,
        "message": dropped.message,
        "may_be_stored": dropped.may_be_stored,
        "event": event,
    }
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
