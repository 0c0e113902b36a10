"""Processes that are killed at a chosen write, and started again.

`Forge` is one process with everything imported and `killer.c` loaded before libc; it forks a child for
each round, so a round costs no start of Python. A child writes what it acknowledges to a pipe.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = Path(__file__).with_name("killer.c")
ROUND_TIMEOUT_S: Final = 120


@dataclass(frozen=True, slots=True)
class Round:
    """How a round ended: what it said, how many writes it made, and whether it was killed before its end."""

    lines: tuple[str, ...]
    writes: int
    was_killed: bool


def find_compiler() -> str | None:
    """Return a C compiler, None where there is none."""
    return shutil.which("cc") or shutil.which("gcc")


def build_killer(folder: Path) -> Path:
    """Compile `killer.c`. Raises CalledProcessError."""
    target = folder / "killer.so"
    compiler = find_compiler()
    assert compiler is not None
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", target, SOURCE, "-ldl"], check=True)
    return target


class Forge:
    """A process that forks a child for each round of `module.round_of(**arguments)`."""

    def __init__(self, killer: Path, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.forge", module],
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": str(killer), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, kill_at: int = 0, **arguments: Any) -> Round:
        """Run a round to its end, or to the act of number `kill_at`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"kill_at": kill_at, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the forge has ended"
        facts = json.loads(answer)
        status = facts["status"]
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or os.waitstatus_to_exitcode(status) == 0, "\n".join(facts["lines"][-40:])
        assert not (killed and not kill_at)
        return Round(tuple(facts["lines"]), facts["writes"], killed)

    def __enter__(self) -> Forge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(ROUND_TIMEOUT_S)
        finally:
            self._process.kill()
            if self._process.stdout is not None:
                self._process.stdout.close()
