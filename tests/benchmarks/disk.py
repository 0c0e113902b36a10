"""What a durable write costs on the disk the benchmark uses."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path


def fdatasync_us(folder: Path, count: int = 200) -> float:
    """Return the median wait for the disk after appending 4 KB."""
    path = folder / "fdatasync"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        waits = []
        for _ in range(count):
            os.write(descriptor, b"x" * 4096)
            started = time.perf_counter()
            os.fdatasync(descriptor)
            waits.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(waits) * 1e6
