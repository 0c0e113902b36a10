"""Queries of the demographic registry: criteria in, persons out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, or_, select

from registry_adapters.demographic.model import (
    Address,
    AddressQuestion,
    Document,
    Holding,
    Person,
    Resident,
)
from registry_adapters.demographic.tables import building, document, person, temporary_number
from registry_adapters.population.model import DocumentStatus
from registry_adapters.sdk.identifiers import DocumentKind, Sex
from registry_adapters.sdk.matching import ByDocument, ByName, ByRnokpp, ByUnzr, Criterion, name_key

MAX_NAMESAKES: Final = 100  # born on one day; more are counted as this many

# Built once: SQLAlchemy spends more on building a statement than SQLite on running it.
_PERSONS: Final = (
    select(person, building.c.katottg, building.c.region, building.c.settlement, building.c.street)
    .add_columns(building.c.number.label("building_number"))
    .select_from(person.outerjoin(building, building.c.id == person.c.building))
    .limit(MAX_NAMESAKES)
)
_BY_UNZR: Final = _PERSONS.where(person.c.unzr == bindparam("unzr"))
_BY_RNOKPP: Final = _PERSONS.where(person.c.rnokpp == bindparam("rnokpp"))
_BY_DOCUMENT: Final = _PERSONS.where(
    person.c.number == select(document.c.person).where(document.c.number == bindparam("document")).scalar_subquery()
)
_BY_TEMPORARY_NUMBER: Final = _PERSONS.where(
    person.c.number
    == select(temporary_number.c.person)
    .where(temporary_number.c.number == bindparam("temporary_number"))
    .scalar_subquery()
)
_BY_NAME: Final = _PERSONS.where(
    person.c.birth_date == bindparam("birth_date"), person.c.name_key == bindparam("name_key")
)
_BY_FULL_NAME: Final = _BY_NAME.where(person.c.patronymic_key == bindparam("patronymic_key"))
_DOCUMENTS: Final = (
    select(document).where(document.c.person == bindparam("holder")).order_by(document.c.issued_on.desc())
)
_TEMPORARY_NUMBER: Final = select(temporary_number).where(temporary_number.c.person == bindparam("holder"))
_RESIDENTS: Final = (
    select(person)
    .join(building, building.c.id == person.c.building)
    .where(
        building.c.katottg == bindparam("katottg"),
        building.c.street_key == bindparam("street_key"),
        building.c.number_key == bindparam("number_key"),
        person.c.died_on.is_(None),
    )
    .order_by(person.c.apartment, person.c.number)
    .limit(bindparam("limit"))
)
_RESIDENTS_OF_APARTMENT: Final = _RESIDENTS.where(person.c.apartment == bindparam("apartment"))
_NUMBERS_OF: Final = select(person.c.number, person.c.rnokpp).where(
    or_(person.c.unzr == bindparam("code"), person.c.rnokpp == bindparam("code"))
)
_NUMBERS_BY_RNOKPP: Final = select(person.c.number).where(person.c.rnokpp == bindparam("rnokpp"))


def find_persons(connection: Connection, criterion: Criterion) -> list[Holding]:
    """Return every person a criterion fits; several come without their documents, since they are only counted."""
    return _holdings(connection, *_query(criterion))


def find_by_temporary_number(connection: Connection, number: str) -> Holding | None:
    """Return the person who was given a temporary number."""
    found = _holdings(connection, _BY_TEMPORARY_NUMBER, {"temporary_number": number})
    return found[0] if found else None


def find_residents(connection: Connection, asked: AddressQuestion, limit: int) -> list[tuple[int, Resident]]:
    """Return the living who are registered at an address, with the numbers of their records."""
    values = {
        "katottg": asked.katottg,
        "street_key": name_key(asked.street),
        "number_key": number_key(asked.building),
        "limit": limit,
    }
    if asked.apartment is None:
        rows = connection.execute(_RESIDENTS, values)
    else:
        rows = connection.execute(_RESIDENTS_OF_APARTMENT, {**values, "apartment": asked.apartment.strip()})
    return [
        (
            row.number,
            Resident(
                row.surname, row.given_name, row.patronymic, row.birth_date, row.rnokpp, row.unzr, row.registered_on
            ),
        )
        for row in rows
    ]


def record_numbers(connection: Connection, code: str) -> list[int]:
    """Return the numbers of all records of the person with an RNOKPP or UNZR."""
    numbers: set[int] = set()
    for row in connection.execute(_NUMBERS_OF, {"code": code}).all():
        numbers.add(row.number)
        if row.rnokpp:
            numbers.update(connection.execute(_NUMBERS_BY_RNOKPP, {"rnokpp": row.rnokpp}).scalars())
    return sorted(numbers)


def names_key(surname: str, given_name: str) -> str:
    """Return the form in which surname and given name are looked up together."""
    return f"{name_key(surname)}|{name_key(given_name)}"


def number_key(building_number: str) -> str:
    """Return the form in which numbers of buildings are compared."""
    return "".join(building_number.lower().split())


def _query(criterion: Criterion) -> tuple[Select[Any], dict[str, Any]]:
    match criterion:
        case ByUnzr(unzr):
            return _BY_UNZR, {"unzr": unzr}
        case ByRnokpp(rnokpp):
            return _BY_RNOKPP, {"rnokpp": rnokpp}
        case ByDocument(_, number):
            return _BY_DOCUMENT, {"document": number}
        case ByName(surname, given_name, patronymic, birth_date):
            values = {"birth_date": birth_date, "name_key": names_key(surname, given_name)}
            if patronymic is None:
                return _BY_NAME, values
            return _BY_FULL_NAME, {**values, "patronymic_key": patronymic}


def _holdings(connection: Connection, statement: Select[Any], values: dict[str, Any]) -> list[Holding]:
    rows = connection.execute(statement, values).all()
    if len(rows) != 1:
        return [Holding(row.number, _person(row)) for row in rows]
    holder = {"holder": rows[0].number}
    documents = [_document(row) for row in connection.execute(_DOCUMENTS, holder)]
    numbered = rows[0].unzr or rows[0].rnokpp
    temporary = None if numbered else connection.execute(_TEMPORARY_NUMBER, holder).one_or_none()
    return [Holding(rows[0].number, _person(rows[0], documents, temporary))]


def _document(row: Row[Any]) -> Document:
    kind, status = DocumentKind(row.kind), DocumentStatus(row.status)
    return Document(kind, row.number, row.issued_on, row.expires_on, row.issuer, status)


def _person(row: Row[Any], documents: Sequence[Document] = (), temporary: Row[Any] | None = None) -> Person:
    return Person(
        unzr=row.unzr,
        rnokpp=row.rnokpp,
        surname=row.surname,
        given_name=row.given_name,
        patronymic=row.patronymic,
        sex=Sex(row.sex),
        birth_date=row.birth_date,
        birth_place=row.birth_place,
        citizenship=row.citizenship,
        rnokpp_refused=row.rnokpp_refused,
        died_on=row.died_on,
        residence=_address(row),
        documents=tuple(documents),
        temporary_number=temporary.number if temporary else None,
        temporary_number_issued_on=temporary.issued_on if temporary else None,
    )


def _address(row: Row[Any]) -> Address | None:
    if row.building is None:
        return None
    home = (row.katottg, row.region, row.settlement, row.street, row.building_number)
    return Address(*home, row.apartment, row.registered_on)
