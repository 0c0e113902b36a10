"""The programs of a landscape as processes: start, wait until ready, measure, stop.

Each writes its log to a file of its own. A child ends with its parent, so that a killed demo leaves
nothing behind.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
STOP_WITHIN_S: Final = 15
LOG_TAIL_LINES: Final = 5


class ProgramEnded(RuntimeError):  # noqa: N818
    """A program of the landscape ended by itself; the text names its log and the last lines of it."""


@dataclass(slots=True)
class Program:
    """One program: how it is started and, while it runs, its process."""

    name: str
    command: Sequence[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self.process is None or self.process.poll() is not None else self.process.pid

    def check_alive(self) -> None:
        """Raise ProgramEnded when the process is gone."""
        if self.process is not None and self.process.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
            raise ProgramEnded(f"{self.name} ended with status {self.process.returncode}; see {self.log}\n{tail}")

    def rss_bytes(self) -> int:
        """Return the resident memory of the process and its children."""
        return 0 if self.pid is None else sum(_rss(pid) for pid in (self.pid, *_children(self.pid)))

    def kill(self) -> None:
        """End it at once, as a power cut would (for tests of crashes)."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()


def stop_all(programs: Sequence[Program]) -> None:
    """Stop programs in reverse order, all asked first so that they end side by side."""
    for program in programs:
        if program.process is not None and program.process.poll() is None:
            program.process.send_signal(signal.SIGTERM)
    for program in reversed(programs):
        program.stop()


async def wait_until(ready: Callable[[], bool], program: Program, *, within_s: float, step_s: float = 0.05) -> None:
    """Wait until `ready` holds, as long as the program lives. Raises ProgramEnded or TimeoutError."""
    for _ in range(int(within_s / step_s)):
        program.check_alive()
        if await asyncio.to_thread(ready):
            return
        await asyncio.sleep(step_s)
    raise TimeoutError(f"{program.name} was not ready within {within_s:.0f} s; see {program.log}")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _rss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_children(int(child))]
    except OSError:
        pass
    return found
