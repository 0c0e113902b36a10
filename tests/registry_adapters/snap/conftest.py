from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.registry_adapters.shim import Shim
from tests.registry_adapters.snap.world import Counter, counter, registries


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The seven registries of the demo with few persons."""
    with registries(tmp_path_factory.mktemp("registries")) as built:
        yield built


@pytest.fixture(scope="module")
def running(apps: dict[str, Any]) -> Iterator[Shim]:
    """They stand behind what looks like a security server."""
    with Shim(dict(apps)) as shim:
        yield shim


@pytest.fixture
def shim(running: Shim) -> Shim:
    """All registries are well, and nobody has asked yet."""
    running.heal()
    running.exchanges.clear()
    return running


@pytest.fixture
def desk(shim: Shim, tmp_path: Path) -> Iterator[Counter]:
    """A counter of its own."""
    with counter(shim, tmp_path / "snap.db") as opened:
        yield opened
