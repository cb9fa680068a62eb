"""The processes of a running service, the memory that they took, and how much docs/operate.md says they may take."""

import os
from dataclasses import dataclass
from pathlib import Path

from sluice.edge.compose import COMPOSE
from sluice.edge.limits import worker_requests
from tests.support.service import Service

__all__ = ["Usage", "bounds_mib", "cpu_seconds", "peaks_mib", "pids", "reset_peaks", "usage"]

_MIB = 2**20
_TICKS = os.sysconf("SC_CLK_TCK")


def pids(service: Service) -> dict[str, int]:
    """The process ids by role; of workers each has its number."""
    children = {role: child.pid for role, child in service.run_file.children.items()}
    return {"supervisor": service.run_file.supervisor.pid, **children}


def reset_peaks(service: Service) -> None:
    """Let the peaks begin anew. Source: proc(5), clear_refs, 5."""
    for pid in pids(service).values():
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peaks_mib(service: Service) -> dict[str, float]:
    """The peak of the resident set by role; of the workers that of the one which took most."""
    peaks = {role: _peak_mib(pid) for role, pid in pids(service).items()}
    workers = [peak for role, peak in peaks.items() if role.startswith("worker")]
    return {"supervisor": peaks["supervisor"], "envoy": peaks["envoy"], "worker": max(workers), "lake": peaks["lake"]}


def bounds_mib(max_body_bytes: int) -> dict[str, float]:
    """What each may take with the default settings, by the arithmetic of docs/operate.md."""
    in_flight_bytes = 64 * _MIB
    requests = worker_requests(max_body_bytes, in_flight_bytes=in_flight_bytes)
    return {
        "supervisor": 100,
        "envoy": 100 + COMPOSE.max_heap_bytes // _MIB,
        "worker": 100 + 120 + 2 * requests * max_body_bytes // _MIB,
        "lake": 220 + 64 + 70 * max_body_bytes // _MIB,
    }


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the processes of a service have used since they were started.

    Attributes:
        cpu_s: CPU-seconds of `envoy`, `workers`, `lake` and `supervisor`.
        written_bytes: that were handed to disks.
        peak_mib: of the resident set, by process.
    """

    cpu_s: dict[str, float]
    written_bytes: int
    peak_mib: dict[str, float]

    @property
    def total_cpu_s(self) -> float:
        """Of all together."""
        return sum(self.cpu_s.values())

    def less(self, before: "Usage") -> "Usage":
        """What was used since then; peaks are those of now."""
        cpu_s = {role: seconds - before.cpu_s[role] for role, seconds in self.cpu_s.items()}
        written = self.written_bytes - before.written_bytes
        return Usage(cpu_s=cpu_s, written_bytes=written, peak_mib=self.peak_mib)


def cpu_seconds(pid: int) -> float:
    """Of one process. Source: proc(5), /proc/PID/stat, fields 14 and 15."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def usage(service: Service) -> Usage:
    """What each has used by now. Source: proc(5), /proc/PID/io."""
    cpu_s = dict.fromkeys(("envoy", "workers", "lake", "supervisor"), 0.0)
    written = 0
    peaks: dict[str, float] = {}
    for role, pid in pids(service).items():
        cpu_s["workers" if role.startswith("worker") else role] += cpu_seconds(pid)
        io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
        written += int(io["write_bytes"])
        peaks[role] = _peak_mib(pid)
    return Usage(cpu_s=cpu_s, written_bytes=written, peak_mib=peaks)
