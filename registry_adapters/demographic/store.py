"""Queries of the demographic registry: criteria in, records out; records in, rows out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select

from registry_adapters.demographic.model import Address, Document, DocumentStatus, Person, Record
from registry_adapters.demographic.tables import document, person
from registry_adapters.sdk.identifiers import DocumentKind, Sex
from registry_adapters.sdk.matching import ByDocument, ByName, ByRnokpp, ByUnzr, Criterion, name_key

MAX_NAMESAKES: Final = 100  # born on one day; more are counted as this many


# Built once: SQLAlchemy spends more on building a statement than SQLite on running it.
_PERSONS: Final = select(person).limit(MAX_NAMESAKES)
_BY_UNZR: Final = _PERSONS.where(person.c.unzr == bindparam("unzr"))
_BY_RNOKPP: Final = _PERSONS.where(person.c.rnokpp == bindparam("rnokpp"))
_BY_DOCUMENT: Final = _PERSONS.join(document, document.c.person == person.c.number).where(
    document.c.number == bindparam("document")
)
_BY_NAME: Final = _PERSONS.where(
    person.c.birth_date == bindparam("birth_date"), person.c.name_key == bindparam("name_key")
)
_BY_FULL_NAME: Final = _BY_NAME.where(person.c.patronymic_key == bindparam("patronymic_key"))
_DOCUMENTS: Final = (
    select(document).where(document.c.person == bindparam("holder")).order_by(document.c.issued_on.desc())
)


def find_persons(connection: Connection, criterion: Criterion) -> list[Record]:
    """Return every person a criterion fits; several come without their documents, since they are only counted."""
    statement, values = _query(criterion)
    rows = connection.execute(statement, values).all()
    documents = _documents_of(connection, rows[0].number) if len(rows) == 1 else ()
    return [Record(row.number, _person(row, documents)) for row in rows]


def count_persons(connection: Connection) -> int:
    """Return how many persons there are."""
    return connection.execute(select(func.count()).select_from(person)).scalar_one()


def add_persons(connection: Connection, records: Iterable[Record]) -> int:
    """Add persons with their documents and return how many."""
    persons: list[dict[str, Any]] = []
    documents: list[dict[str, Any]] = []
    for record in records:
        persons.append(_row(record))
        documents.extend(_document_row(record.number, held) for held in record.person.documents)
    if persons:
        connection.execute(insert(person), persons)
    if documents:
        connection.execute(insert(document), documents)
    return len(persons)


def names_key(surname: str, given_name: str) -> str:
    """Return the form in which surname and given name are looked up together."""
    return f"{name_key(surname)}|{name_key(given_name)}"


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


def _documents_of(connection: Connection, holder: int) -> list[Document]:
    return [_document(row) for row in connection.execute(_DOCUMENTS, {"holder": holder})]


def _document(row: Row[Any]) -> Document:
    kind, status = DocumentKind(row.kind), DocumentStatus(row.status)
    return Document(kind, row.number, row.issued_on, row.expires_on, row.issuer, status)


def _person(row: Row[Any], documents: Sequence[Document]) -> Person:
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
    )


def _address(row: Row[Any]) -> Address | None:
    if row.katottg is None:
        return None
    return Address(row.katottg, row.region, row.settlement, row.street, row.building, row.apartment, row.registered_on)


def _row(record: Record) -> dict[str, Any]:
    held = record.person
    home = held.residence
    return {
        "number": record.number,
        "unzr": held.unzr,
        "rnokpp": held.rnokpp,
        "surname": held.surname,
        "given_name": held.given_name,
        "patronymic": held.patronymic,
        "name_key": names_key(held.surname, held.given_name),
        "patronymic_key": name_key(held.patronymic) if held.patronymic else None,
        "sex": held.sex.value,
        "birth_date": held.birth_date,
        "birth_place": held.birth_place,
        "citizenship": held.citizenship,
        "rnokpp_refused": held.rnokpp_refused,
        "died_on": held.died_on,
        "katottg": home.katottg if home else None,
        "region": home.region if home else None,
        "settlement": home.settlement if home else None,
        "street": home.street if home else None,
        "building": home.building if home else None,
        "apartment": home.apartment if home else None,
        "registered_on": home.registered_on if home else None,
    }


def _document_row(number: int, held: Document) -> dict[str, Any]:
    return {
        "number": held.number,
        "person": number,
        "kind": held.kind.value,
        "issued_on": held.issued_on,
        "expires_on": held.expires_on,
        "issuer": held.issuer,
        "status": held.status.value,
    }
