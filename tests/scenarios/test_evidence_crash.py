"""Writer, time-stamper and archiver are killed at chosen writes: nothing is lost, doubled or unverifiable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.kill_points import Forge, build_killer, find_compiler

pytestmark = [pytest.mark.scenario, pytest.mark.skipif(find_compiler() is None, reason="needs a C compiler")]

POINTS = int(os.environ.get("SURMA_CRASH_POINTS", "20"))
POINTS_OF_A_LOG = 30  # a log is checked whole after each kill, so it should not grow for ever


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with Forge(build_killer(tmp_path_factory.mktemp("killer")), "tests.crash.evidence") as forge:
        yield forge


def kill_points(writes: int) -> list[int]:
    """Points evenly over a round, from the first write to the last."""
    return [1 + (writes - 1) * number // max(1, POINTS - 1) for number in range(POINTS)]


def test_a_kill_at_any_write_loses_doubles_and_spoils_nothing(forge: Forge, tmp_path: Path) -> None:
    (tmp_path / "measure").mkdir()
    for number in range(2):  # the first round makes the schema as well
        writes = forge.run(act="work", folder=str(tmp_path / "measure"), number=number).writes
    points = kill_points(writes)
    killed = 0
    for start in range(0, len(points), POINTS_OF_A_LOG):
        folder = tmp_path / f"log-{start}"
        folder.mkdir()
        forge.run(act="work", folder=str(folder), number=0)
        acknowledged: set[str] = set()
        for number, point in enumerate(points[start : start + POINTS_OF_A_LOG], start=1):
            made = forge.run(point, act="work", folder=str(folder), number=number)
            killed += made.was_killed
            acknowledged.update(made.lines)
            found = forge.run(act="check", folder=str(folder))
            assert acknowledged <= set(found.lines), (point, acknowledged - set(found.lines))
        forge.run(act="finish", folder=str(folder))
        *names, summary = forge.run(act="prove", folder=str(folder)).lines
        assert acknowledged <= set(names)
        assert summary == f"archived {len(names)} of {len(names)}"
    assert killed >= len(points) * 2 // 3
