from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from gateway.runtime.clock import FixedClock
from gateway.runtime.database import open_database
from registry_adapters.sdk.registry import build, prepare
from registry_adapters.tax.registry import declare
from tests.factories.registry import served
from tests.factories.tax import CROSS_CHECK, FEW, NOW, SNAP, Asker, TaxOffice


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaxOffice]:
    """A small tax registry, served."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('tax')}/tax.db")
    registry, clock = declare(FEW), FixedClock(NOW)
    prepare(registry, database, FEW)
    with served(build(registry, database, FEW, clock)) as url:
        yield TaxOffice(url, database, clock, registry)
    database.close()


@pytest.fixture(scope="module")
def investigator(office: TaxOffice) -> Iterator[Asker]:
    """Who may see every field."""
    with httpx.Client(base_url=office.url, timeout=30, trust_env=False) as http:
        yield Asker(office, http)


@pytest.fixture(scope="module")
def snap(investigator: Asker) -> Asker:
    """The service centres, for a housing subsidy."""
    return replace(investigator, client=SNAP, purpose="HOUSING-SUBSIDY")


@pytest.fixture(scope="module")
def cross_check(investigator: Asker) -> Asker:
    """The service that compares and tells flags only."""
    return replace(investigator, client=CROSS_CHECK, purpose="CROSS-CHECK")
