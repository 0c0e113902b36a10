"""What `registries` asks: of each registry every identifier it looks records up by, drawn from what it holds."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Table, func, select

from gateway.xroad.identifiers import MemberId, SubsystemId
from registry_adapters.cadastre.model import HolderQuestion, ParcelQuestion
from registry_adapters.cadastre.operations import find_by_number, find_of_holder
from registry_adapters.cadastre.tables import right
from registry_adapters.demographic.model import AddressQuestion, PersonQuestion
from registry_adapters.demographic.registry import get_person, get_residents
from registry_adapters.demographic.tables import building, document, person, temporary_number
from registry_adapters.sdk.persons import PersonCriterion
from registry_adapters.tax.model import NumberQuestion
from registry_adapters.tax.operations import find_taxpayer, tell_arrears, tell_sole_trader
from registry_adapters.tax.tables import sole_trader, taxpayer

SNAP: Final = SubsystemId(MemberId("UA-DEMO", "GOV", "10000001"), "SNAP")
CLERK: Final = "clerk"

Draw = Callable[[Connection, random.Random], Any]
_Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to ask: a question about a record drawn by chance, the operation and the path that take it."""

    name: str
    draw: Draw
    operation: Callable[[Any, Any], Any]
    path: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A registry, for which purpose it is asked, and how."""

    registry: str
    purpose: str
    kinds: tuple[Kind, ...]

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        facts = {"X-Road-Client": str(SNAP), "X-Road-Id": "benchmark", "X-Road-UserId": CLERK}
        return facts | ({"Uxp-Purpose-Ids": self.purpose} if self.purpose else {})


def _by(
    question: Callable[..., Any], key: Column[Any], column: Column[Any], field: str = "", *conditions: _Condition
) -> Draw:
    """Ask by a column of the next row, from a `key` drawn by chance, that has it and meets the conditions."""

    def draw(connection: Connection, rng: random.Random) -> Any:
        row = _next(connection, rng, key, column.is_not(None), *conditions)
        return question(**{field or column.name: getattr(row, column.name)})

    return draw


def _by_name(question: Callable[..., Any], table: Table) -> Draw:
    def draw(connection: Connection, rng: random.Random) -> Any:
        row = _next(connection, rng, table.c.number, table.c.patronymic.is_not(None))
        return question(
            surname=row.surname, given_name=row.given_name, patronymic=row.patronymic, birth_date=row.birth_date
        )

    return draw


def _by_address(connection: Connection, rng: random.Random) -> AddressQuestion:
    row = _next(connection, rng, person.c.number, person.c.apartment.is_not(None), person.c.died_on.is_(None))
    home = connection.execute(select(building).where(building.c.id == row.building)).one()
    return AddressQuestion(home.katottg, home.street, home.number, row.apartment)


def _by_sole_trader(connection: Connection, rng: random.Random) -> NumberQuestion:
    row = _next(connection, rng, sole_trader.c.taxpayer)
    wanted = select(taxpayer.c.rnokpp).where(taxpayer.c.number == row.taxpayer)
    return NumberQuestion(connection.execute(wanted).scalar_one())


def _next(connection: Connection, rng: random.Random, key: Column[Any], *conditions: _Condition) -> Any:
    last = connection.execute(select(func.max(key))).scalar_one()
    wanted = select(key.table).where(key >= rng.randint(1, last), *conditions).order_by(key).limit(1)
    return connection.execute(wanted).first() or _next(connection, rng, key, *conditions)


def _demographic() -> Asked:
    key, asked = person.c.number, (get_person, "/persons")
    kinds = (
        Kind("UNZR", _by(PersonQuestion, key, person.c.unzr), *asked),
        Kind("RNOKPP", _by(PersonQuestion, key, person.c.rnokpp), *asked),
        Kind("document", _by(PersonQuestion, document.c.person, document.c.number, "document"), *asked),
        Kind("name and birth date", _by_name(PersonQuestion, person), *asked),
        Kind(
            "temporary number",
            _by(PersonQuestion, temporary_number.c.person, temporary_number.c.number, "temporary_number"),
            *asked,
        ),
        Kind("address", _by_address, get_residents, "/residents"),
    )
    return Asked("demographic", "", kinds)


def _cadastre() -> Asked:
    key, code, asked = right.c.id, right.c.holder_code, (find_of_holder, "/parcels")
    of_person = right.c.holder_kind == "person"
    has_rnokpp = func.length(code) == 10  # who has none stands under another code
    number = _by(ParcelQuestion, key, right.c.parcel, "cadastral_number")
    kinds = (
        Kind("cadastral number", number, find_by_number, "/parcels/{cadastral_number}"),
        Kind("RNOKPP", _by(HolderQuestion, key, code, "rnokpp", of_person, has_rnokpp), *asked),
        Kind("EDRPOU", _by(HolderQuestion, key, code, "edrpou", ~of_person), *asked),
        Kind("document", _by(HolderQuestion, key, right.c.holder_document, "document"), *asked),
    )
    return Asked("cadastre", "LAND-EXTRACT", kinds)


def _tax() -> Asked:
    key, asked = taxpayer.c.number, (find_taxpayer, "/taxpayers")
    by_number = _by(NumberQuestion, key, taxpayer.c.rnokpp)
    kinds = (
        Kind("RNOKPP", _by(PersonCriterion, key, taxpayer.c.rnokpp), *asked),
        Kind("document", _by(PersonCriterion, key, taxpayer.c.document), *asked),
        Kind("name and birth date", _by_name(PersonCriterion, taxpayer), *asked),
        Kind("sole trader", _by_sole_trader, tell_sole_trader, "/taxpayers/{rnokpp}/sole-trader"),
        Kind("arrears", by_number, tell_arrears, "/taxpayers/{rnokpp}/arrears"),
    )
    return Asked("tax", "SOLE-TRADER", kinds)


ASKED: Final = {each.registry: each for each in (_demographic(), _cadastre(), _tax())}
