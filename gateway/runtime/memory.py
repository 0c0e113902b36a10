"""Memory that Python has freed goes back to the system, which the C library does only for the end of its heap.

Starting, a batch of time-stamps or a large configuration take megabytes for a moment; what lies between
lasting things would stay with the process for as long as it runs.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Any


def settle() -> None:
    """Say that what lives now lives on: the collector need not look at it again, and the rest goes back."""
    gc.collect()
    gc.freeze()
    _give_back()


async def give_back() -> None:
    """Give free pages back to the system: less than a millisecond, so that one may do it every now and then."""
    _give_back()


def _give_back() -> None:
    if _trim is not None:
        _trim(0)


def _find_trim() -> Callable[[int], Any] | None:
    """Return glibc's function; other C libraries have none."""
    found: Callable[[int], Any] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found


_trim = _find_trim()
