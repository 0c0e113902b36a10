"""Twice the input costs about twice the time, and no input makes a parser hold much more than itself."""

from __future__ import annotations

import contextlib
import gc
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.runtime.http.problems import HttpProblem
from gateway.xroad.faults import XRoadFault
from tests.fuzz.growth import GROWTHS, Run

RUNS: Final = 5
TRIES: Final = 4
MOST_FOR_TWICE: Final = 2.5
# Below this a clock of the processor says little.
NOISE_S: Final = 0.001
MEMORY_BYTES: Final = 64 * 1024 * 1024


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep the garbage collector out of a measurement."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def read(run: Run, data: bytes) -> None:
    """Let a parser take an input or refuse it."""
    with contextlib.suppress(XRoadFault, HttpProblem):
        run(data)


def cost_s(run: Run, data: bytes) -> float:
    """Return the least processor time of some runs."""
    costs = []
    with without_collector():
        for _ in range(RUNS):
            before = time.thread_time()
            read(run, data)
            costs.append(time.thread_time() - before)
    return min(costs)


@pytest.mark.parametrize("name", GROWTHS)
def test_twice_the_input_costs_at_most_two_and_a_half_times(name: str) -> None:
    growth = GROWTHS[name]
    small, large = growth.grow(growth.start), growth.grow(2 * growth.start)
    measured = []
    for _ in range(TRIES):  # the processor is shared; the parser is as good as its best showing
        once, twice = cost_s(growth.run, small), cost_s(growth.run, large)
        if twice <= MOST_FOR_TWICE * once + NOISE_S:
            return
        measured.append((once, twice))
    pytest.fail(f"{len(small)} and {len(large)} bytes cost {measured} s")


def resident_bytes(what: str) -> int:
    """Return `VmRSS` or the peak `VmHWM` of this process."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are read as Linux tells them")
@pytest.mark.parametrize("name", GROWTHS)
def test_input_makes_no_parser_hold_more_than_64_mib(name: str) -> None:
    growth = GROWTHS[name]
    data = growth.grow(2 * growth.start)
    read(growth.run, data)
    gc.collect()
    before = resident_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    read(growth.run, data)
    assert resident_bytes("VmHWM") - before < MEMORY_BYTES
