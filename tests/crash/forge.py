"""The process behind `kill_points.Forge`: reads a round from standard input, forks a child that makes it.

The child's `say` writes a line to a pipe, which is no file and so counts for nothing.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import sys
import traceback
from typing import Any, Final

_killer: Final = ctypes.CDLL(None)
_WRITES: Final = "writes "


def main(module_name: str) -> None:
    """Serve rounds until standard input ends."""
    module = importlib.import_module(module_name)
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _make(module, order, writing)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as said:
            lines = said.read().split("\n")[:-1]  # what has no end was cut
        _, status = os.waitpid(child, 0)
        writes = int(lines.pop().removeprefix(_WRITES)) if lines and lines[-1].startswith(_WRITES) else 0
        print(json.dumps({"status": status, "lines": lines, "writes": writes}), flush=True)


def _make(module: Any, order: dict[str, Any], pipe: int) -> None:
    """Make a round, and end the process."""

    def say(text: str) -> None:
        os.write(pipe, text.encode() + b"\n")

    status = 1
    try:
        _killer.killer_arm(ctypes.c_long(order["kill_at"]))
        module.round_of(say, **order["arguments"])
        say(f"{_WRITES}{_killer.killer_count()}")
        status = 0
    except BaseException:
        say(traceback.format_exc())
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
