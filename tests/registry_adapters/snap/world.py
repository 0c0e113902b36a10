"""The seven registries of the demo, filled with few persons, behind the stand-in for a security server."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.runtime.clock import SystemClock
from gateway.runtime.database import Database, open_database
from gateway.xroad.identifiers import client_of
from registry_adapters.sdk.client import XRoadClient
from registry_adapters.sdk.registry import Registry, build, prepare
from registry_adapters.settings import RegistrySettings, TaxSettings
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.model import Case, CaseStatus
from registry_adapters.snap.recipes import load_recipes
from registry_adapters.snap.registries import Registries
from registry_adapters.snap.settings import RetrySettings, SnapSettings
from tests.registry_adapters.shim import Shim

SNAP: Final = client_of(("UA-DEMO", "GOV", "10000001", "SNAP"))
CENTRE: Final = "SN12000007"
FEW: Final = RegistrySettings(persons=60)
QUICK: Final = SnapSettings(
    retry=RetrySettings(first_s=0.05, longest_s=0.2, poll_s=0.05), timeout_s=5, slow_s=0.2, workers=16
)
REGISTRIES: Final[Mapping[str, tuple[str, RegistrySettings]]] = {
    "GOV/10000002/DEMOGRAPHIC": ("registry_adapters.demographic.registry:registry", FEW),
    "GOV/10000003/CADASTRE": ("registry_adapters.cadastre.registry:registry", FEW),
    "GOV/10000004/TAX": ("registry_adapters.tax.registry:declare", TaxSettings(persons=60, income_delay_s=0.1)),
    "GOV/10000005/CIVIL-STATUS": ("registry_adapters.simulators.civil_status:registry", FEW),
    "GOV/10000005/BUSINESS": ("registry_adapters.simulators.business:registry", FEW),
    "GOV/10000005/PROPERTY-RIGHTS": ("registry_adapters.simulators.property_rights:registry", FEW),
    "GOV/10000006/DISPLACED": ("registry_adapters.simulators.displaced:registry", FEW),
}
# What a clerk types for each life event: the well-known persons.
TYPED: Final[Mapping[str, Mapping[str, str]]] = {
    "birth-of-child": {"mother": "3347300028", "father": "3288701236", "child_born": "01.05.2024"},
    "housing-subsidy": {"applicant": "3347300028"},
    "residence-registration": {
        "person": "3347300028", "katottg": "UA80000000000093317", "street": "вул. Лесі Українки",
        "building": "12", "apartment": "34",
    },
    "land-extract": {"cadastral_number": "8000000000:90:999:0012", "applicant": "19910824-00026"},
    "sole-trader": {"applicant": "19770824-00026", "activity": "62.01"},
    "displaced-status": {
        "person": "2380804560", "katottg": "UA46060250010015970", "street": "вул. Садова", "building": "1",
        "moved_on": "2026-01-05",
    },
    "lost-passport": {"person": "Лисенко Тарас Богданович 24.08.1977", "lost_on": "2026-01-05"},
    "inheritance-of-land": {"deceased": "1909400190", "heir": "3347300028"},
}  # fmt: skip


def registry_of(place: str, settings: RegistrySettings) -> Registry:
    """The declaration of a registry."""
    module, _, name = place.partition(":")
    declared = getattr(importlib.import_module(module), name)
    return declared if isinstance(declared, Registry) else declared(settings)


@contextmanager
def registries(folder: Path) -> Iterator[dict[str, Any]]:
    """The applications of all registries by the beginning of their services' identifiers."""
    with ExitStack() as stack:
        apps = {}
        for beginning, (place, settings) in REGISTRIES.items():
            database = open_database(f"sqlite:///{folder}/{beginning.rpartition('/')[2]}.db", pool_size=8)
            stack.callback(database.close)
            registry = registry_of(place, settings)
            prepare(registry, database, settings)
            apps[beginning] = build(registry, database, settings)
        yield apps


@dataclass
class Counter:
    """A counter over a state database of its own."""

    cases: CaseService
    database: Database
    shim: Shim

    def open(self, recipe: str, fields: Mapping[str, str], clerk: str = "olena") -> Case:
        """Open a case at our centre."""
        return self.cases.open_case(recipe, fields, clerk=clerk, centre=CENTRE)

    def until(self, number: str, fits: Callable[[Case], bool], limit_s: float = 20) -> Case:
        """Return the case as soon as it is as wanted."""
        deadline = time.monotonic() + limit_s
        while not fits(case := self.cases.case(number)):
            assert time.monotonic() < deadline, (
                f"{case.status}: {[(leg.leg, leg.state, leg.fault) for leg in case.legs]}"
            )
            time.sleep(0.01)
        return case

    def settled(self, number: str) -> Case:
        """Return the case when nobody is asked any more."""
        return self.until(number, lambda case: case.status is not CaseStatus.GATHERING)

    def ready(self, number: str) -> Case:
        """Return the case when it can be decided."""
        return self.until(number, lambda case: case.status is CaseStatus.READY)


@contextmanager
def counter(shim: Shim, place: Path, settings: SnapSettings = QUICK, *, grace_s: float = 2.0) -> Iterator[Counter]:
    """A counter whose database is the file `place`; without grace it ends as if it were killed."""
    database = open_database(f"sqlite:///{place}")
    with XRoadClient(shim.url, SNAP, timeout_s=settings.timeout_s) as client:
        cases = CaseService(database, load_recipes(), Registries(client), settings, clock=SystemClock())
        cases.go()
        try:
            yield Counter(cases, database, shim)
        finally:
            cases.stop(grace_s)
            database.close()
