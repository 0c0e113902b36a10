from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.runtime.database import Database, open_database
from tests.factories.registry import FEW, a_registry, served


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The database of a small registry."""
    folder: Path = tmp_path_factory.mktemp("registry")
    database = open_database(f"sqlite:///{folder}/demographic.db")
    yield database
    database.close()


@pytest.fixture(scope="module")
def url(filled: Database) -> Iterator[str]:
    """A small registry, served."""
    with served(a_registry(filled, FEW)) as address:
        yield address


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[httpx.Client]:
    """An HTTP client of it."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        yield client
