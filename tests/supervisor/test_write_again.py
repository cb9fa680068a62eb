"""A file that the disk refuses is written when it can be, and told once."""

import errno

import structlog

from sluice.supervisor.retry import RETRY_S
from sluice.supervisor.write_again import WriteAgain


class _Disk:
    def __init__(self, *, refuses: int) -> None:
        self.left = refuses
        self.tries = 0

    def write(self) -> None:
        self.tries += 1
        if self.left:
            self.left -= 1
            # The last is one without a number.
            raise OSError(errno.ENOSPC, "No space left on device") if self.left else OSError("unheard of")


def test_it_is_tried_again_after_a_pause_until_it_is_written() -> None:
    disk = _Disk(refuses=2)
    file = WriteAgain(disk.write, name="run.json", label="run_file")
    file.ask()

    with structlog.testing.capture_logs() as messages:
        for now in (0.0, 0.1, RETRY_S, RETRY_S + 0.1, 2 * RETRY_S, 3 * RETRY_S):
            file.tick(now)

    assert disk.tries == 3
    assert not file.is_due
    assert [(m["log_level"], m["event"], m.get("cause")) for m in messages] == [
        ("error", "run.json can't be written, and is tried again", "ENOSPC"),
        ("error", "run.json can't be written, and is tried again", "OSError"),
        ("warning", "run.json can be written again", None),
    ]


def test_it_is_written_only_when_asked_for() -> None:
    disk = _Disk(refuses=0)
    file = WriteAgain(disk.write, name="run.json", label="run_file")
    file.tick(0)
    assert disk.tries == 0

    file.ask()
    for now in range(3):
        file.tick(now)

    assert disk.tries == 1
