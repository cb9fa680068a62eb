"""Two lives of a service: three workers, a lake writer, keys and a recovery, one operation each in turn.

What happens in the first: batches of several records; seals by size, by the hour and when asked; a write that failed
and was cut off, and one whose cut failed too; a worker killed between write and fdatasync, its segment recovered while
the others write on, and its successor; several files in two hours, one of which failed to sync and one whose rename
reported an error though it was done; keys made and revoked.

The second begins with what a power cut left of the first: recovery, publishing, and a shorter day's work.
"""

from contextlib import suppress

from tests.power_cut.history import Died
from tests.power_cut.life import Life

# About three requests of two events.
_SMALL_SEGMENT_BYTES = 400


def first_day(life: Life) -> None:
    """See the head of this module."""

    def careful() -> None:
        worker = life.worker("n0")
        worker.send(*life.attempts(3))
        worker.send(*life.attempts(2))
        worker.seal()
        worker.send(*life.attempts(2))
        life.meet("a segment is open while another one's writer dies")
        life.meet("it was recovered")
        worker.send(*life.attempts(1))
        worker.pass_an_hour()
        worker.send(*life.attempts(2))
        worker.close()

    def unlucky() -> None:
        segment = "/open/20260131T07-n1-"
        worker = life.worker("n1")
        worker.send(*life.attempts(2))
        life.fail("datasync", segment)
        worker.send(*life.attempts(2))
        worker.mend()
        worker.send(*life.attempts(1))
        life.fail("write", segment, "half")
        life.fail("truncate", segment)
        worker.send(*life.attempts(2))
        worker.mend()
        worker.send(*life.attempts(1))
        life.meet("a segment is open while another one's writer dies")
        life.fail("datasync", segment, "dies")
        with suppress(Died):
            worker.send(*life.attempts(3))
        life.recover()
        life.meet("it was recovered")
        successor = life.worker("n1")
        successor.send(*life.attempts(2))
        successor.close()

    def busy() -> None:
        worker = life.worker("n2", seal_size_bytes=_SMALL_SEGMENT_BYTES)
        for _ in range(3):
            worker.send(*life.attempts(2))
        life.fail("rename", "/open/20260131T07-n2-", "after")
        worker.send(*life.attempts(2))
        worker.mend()
        worker.send(*life.attempts(1))
        worker.close()

    life.fail("sync", ".parquet")
    life.fail("rename", ".parquet", "after")
    life.take_turns(careful=careful, unlucky=unlucky, busy=busy, keys=life.keys, lake=life.lake)


def second_day(life: Life) -> None:
    """See the head of this module."""

    def careful() -> None:
        worker = life.worker("n0")
        worker.send(*life.attempts(2))
        worker.pass_an_hour()
        worker.send(*life.attempts(1))
        worker.close()

    def unlucky() -> None:
        worker = life.worker("n1")
        life.fail("write", "/open/20260131T07-n1-", "dies")
        with suppress(Died):
            worker.send(*life.attempts(2))
        life.recover()

    life.take_turns(careful=careful, unlucky=unlucky, lake=life.lake)
