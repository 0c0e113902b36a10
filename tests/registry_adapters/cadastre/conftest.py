from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.runtime.database import Database, open_database
from registry_adapters.cadastre.registry import registry
from registry_adapters.sdk.registry import build, prepare
from registry_adapters.settings import RegistrySettings
from tests.factories.registry import served

FEW = RegistrySettings(persons=2000)


@pytest.fixture(scope="package")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The database of a small cadastre."""
    folder: Path = tmp_path_factory.mktemp("cadastre")
    database = open_database(f"sqlite:///{folder}/cadastre.db")
    prepare(registry, database, FEW)
    yield database
    database.close()


@pytest.fixture(scope="package")
def url(filled: Database) -> Iterator[str]:
    """A small cadastre, served."""
    with served(build(registry, filled, FEW)) as address:
        yield address


@pytest.fixture(scope="package")
def http(url: str) -> Iterator[httpx.Client]:
    """An HTTP client of it."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        yield client
