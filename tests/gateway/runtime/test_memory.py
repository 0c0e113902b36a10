from __future__ import annotations

import subprocess
import sys

from gateway.runtime.memory import give_back

SCRIPT = """
import gc
from pathlib import Path
from gateway.runtime.memory import settle

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

kept = []
for _ in range(64):  # what is freed lies between what stays, so the heap never ends in it
    freed = [bytes(1000) for _ in range(1000)]
    kept.append(bytes(1000))
    del freed
pieces = [bytes(1000) for _ in range(50_000)]
kept.append(bytes(1000))
del pieces
before = resident()
settle()
print(resident() < before, gc.get_freeze_count() > 0)
"""


def test_freed_memory_goes_back_and_what_lives_is_out_of_the_collectors_sight() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


async def test_memory_can_be_given_back_at_any_time() -> None:
    await give_back()
    await give_back()
