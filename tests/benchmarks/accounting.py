"""What the system says a process and its children have used: CPU by /proc/PID/stat, memory by /proc/PID/status."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pids: Iterable[int]) -> float:
    """Return user and system time of these processes, with their living and their ended children."""
    return sum(_ticks(process) for pid in pids for process in family(pid)) / _TICKS_PER_S


def peak_rss_mb(pids: Iterable[int]) -> float:
    """Return the sum of the largest resident sizes these processes and their children ever had."""
    return sum(_peak_kib(process) for pid in pids for process in family(pid)) * 1024 / 1e6


def forget_peaks(pids: Iterable[int]) -> None:
    """Let the largest resident sizes begin anew from what is resident now (proc(5), clear_refs)."""
    for pid in pids:
        for process in family(pid):
            Path(f"/proc/{process}/clear_refs").write_text("5")


def family(pid: int) -> Iterator[int]:
    """Yield a process and everything below it."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))
    except OSError:
        return


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])  # utime stime cutime cstime, proc(5)


def _peak_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
