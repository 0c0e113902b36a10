"""Queries on both kinds of database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Connection

from gateway.runtime.database import Database
from registry_adapters.demographic.model import AddressQuestion
from registry_adapters.demographic.registry import registry
from registry_adapters.demographic.store import (
    find_by_temporary_number,
    find_persons,
    find_residents,
    names_key,
    number_key,
    record_numbers,
)
from registry_adapters.sdk.identifiers import DocumentKind
from registry_adapters.sdk.matching import ByDocument, ByName, ByRnokpp, ByUnzr, Criterion
from registry_adapters.sdk.registry import prepare
from tests.factories.registry import FEW

HOME = AddressQuestion("UA46060250010015970", "вул. Івана Франка", "7", "2")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    prepare(registry, database, FEW)
    with database.reading() as opened:
        yield opened


def test_each_criterion_finds_its_person(connection: Connection) -> None:
    criteria: list[Criterion] = [
        ByUnzr("19910824-00026"),
        ByRnokpp("3347300028"),
        ByDocument(DocumentKind.ID_CARD, "000000001"),
        ByName("ткаченко", "мар'яна", "іванівна", date(1991, 8, 24)),
        ByName("ткаченко", "мар'яна", None, date(1991, 8, 24)),
    ]
    found = [find_persons(connection, criterion) for criterion in criteria]
    assert [[one.number for one in held] for held in found] == [[1]] * 5
    assert all(held == found[0] for held in found)


def test_former_document_finds_its_holder_with_all_documents_newest_first(connection: Connection) -> None:
    (held,) = find_persons(connection, ByDocument(DocumentKind.BOOKLET, "СН 111222"))
    assert [document.number for document in held.person.documents] == ["000000008", "СН 111222"]


def test_namesakes_are_all_found(connection: Connection) -> None:
    held = find_persons(connection, ByName("шевчук", "іван", "іванович", date(1985, 5, 5)))
    assert [one.number for one in held] == [6, 7]


def test_nobody_is_found_by_what_nobody_has(connection: Connection) -> None:
    assert find_persons(connection, ByUnzr("19000101-00010")) == []
    assert find_persons(connection, ByDocument(DocumentKind.ID_CARD, "999999999")) == []
    assert find_by_temporary_number(connection, "TN-000000001") is None


def test_temporary_number_finds_its_person(connection: Connection) -> None:
    held = find_by_temporary_number(connection, "TN-090169945")
    assert held is not None
    assert (held.number, held.person.unzr, held.person.rnokpp) == (5, None, None)


def test_residents_come_up_to_the_limit(connection: Connection) -> None:
    assert [number for number, _ in find_residents(connection, HOME, 10)] == [2, 3]
    assert [number for number, _ in find_residents(connection, HOME, 1)] == [2]


def test_all_records_of_a_person_are_known_by_either_number(connection: Connection) -> None:
    assert record_numbers(connection, "19770824-00026") == [8]
    assert record_numbers(connection, "nobody") == []


def test_names_and_buildings_are_compared_in_one_form() -> None:
    assert names_key("  ЛУК’ЯНЕНКО ", "Мар`яна") == "лук'яненко|мар'яна"
    assert number_key(" 12 А") == number_key("12а")
