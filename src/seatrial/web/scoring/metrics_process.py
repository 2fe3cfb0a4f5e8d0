"""What the kernel knows of this process; nothing where there is no /proc."""

import os
from pathlib import Path

from seatrial.web.scoring.metrics_text import Samples

_PROC = Path("/proc")
# Fields of /proc/<pid>/stat behind the process' name, which may itself hold spaces (proc_pid_stat(5)).
_USER, _SYSTEM, _STARTED, _RESIDENT = 11, 12, 19, 21


def add_process(samples: Samples, proc: Path = _PROC) -> None:
    """Start, memory, processor time and open files, under the names that Prometheus' own libraries use."""
    try:
        fields = (proc / "self" / "stat").read_text().rpartition(")")[2].split()
        booted = _booted((proc / "stat").read_text())
        files = len(os.listdir(proc / "self" / "fd"))  # noqa: PTH208 - names alone, no objects
    except OSError:
        return
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    samples.add("process_start_time_seconds", booted + int(fields[_STARTED]) / ticks)
    samples.add("process_resident_memory_bytes", int(fields[_RESIDENT]) * page)
    samples.add("process_cpu_seconds_total", (int(fields[_USER]) + int(fields[_SYSTEM])) / ticks)
    samples.add("process_open_fds", files)


def _booted(stat: str) -> int:
    return next(int(line.split()[1]) for line in stat.splitlines() if line.startswith("btime "))
