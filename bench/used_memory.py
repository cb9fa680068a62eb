"""Lets a virtual machine have the memory that it says it has, before anything is measured.

Its host gives it a page when it first writes to that one, and the guest's CPU clock runs meanwhile: the first 190 KiB
into a page of the file cache take 450 µs, later ones 65. A machine that has been up for a day has all of its pages; one
that was just started would show a sixth less events per CPU-second for requests of 500 events.
"""

import mmap
import subprocess
import sys
from pathlib import Path

__all__ = ["use_free_memory"]

_MIB = 1024 * 1024
_CHUNK_BYTES = 64 * _MIB
# Some is left to others; and a larger machine would take longer than what is measured then uses.
_LEFT_BYTES, _MOST_BYTES = 1024 * _MIB, 32 * 1024 * _MIB


def use_free_memory() -> None:
    """Have the system write once to the pages that are free, in a process that then ends; only on a virtual machine."""
    if not _is_virtual():
        return
    size_bytes = min(_free_bytes() - _LEFT_BYTES, _MOST_BYTES)
    if size_bytes < _CHUNK_BYTES:
        return
    sys.stderr.write(f"taking {size_bytes // _MIB} MiB of this virtual machine's free memory into use\n")
    # One that is short of memory is ended by the system, and nothing is lost.
    subprocess.run([sys.executable, "-m", "bench.used_memory", str(size_bytes)], check=False)


def _is_virtual() -> bool:
    return " hypervisor" in Path("/proc/cpuinfo").read_text()


def _free_bytes() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    free_bytes = int(next(line for line in lines if line.startswith("MemFree:")).split()[1]) * 1024
    most, now = (Path("/sys/fs/cgroup", name) for name in ("memory.max", "memory.current"))
    if most.exists() and (limit := most.read_text().strip()) != "max":
        free_bytes = min(free_bytes, int(limit) - int(now.read_text()))
    return free_bytes


def _write_to(size_bytes: int) -> None:
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    # All are kept until the end, or they would be the same pages.
    _kept = [mmap.mmap(-1, _CHUNK_BYTES, flags=flags) for _ in range(size_bytes // _CHUNK_BYTES)]


if __name__ == "__main__":
    _write_to(int(sys.argv[1]))
