"""The few synthetic persons whose identifiers documentation and demonstrations name."""

from __future__ import annotations

from datetime import date
from typing import Final

from registry_adapters.population.model import Address, Document, DocumentStatus, Person
from registry_adapters.population.names import patronymic
from registry_adapters.population.places import CITIES
from registry_adapters.sdk.identifiers import DocumentKind, Sex, build_rnokpp

_KYIV, _LVIV, _POLTAVA = CITIES[0], CITIES[4], CITIES[9]


def _address(
    city: tuple[str, str, str, int], street: str, building: str, apartment: str | None, since: date
) -> Address:
    return Address(*city[:3], street, building, apartment, since)


def _id_card(number: str, issued_on: date) -> Document:
    expires_on = issued_on.replace(year=issued_on.year + 10)
    return Document(DocumentKind.ID_CARD, number, issued_on, expires_on, "8021", DocumentStatus.IN_FORCE)


def _booklet(number: str, issued_on: date, status: DocumentStatus = DocumentStatus.IN_FORCE) -> Document:
    return Document(DocumentKind.BOOKLET, number, issued_on, None, "4612", status)


def _namesake(serial: int, booklet: str) -> Person:
    born, home = date(1985, 5, 5), _address(_POLTAVA, "вул. Садова", str(serial), "1", date(2010, 1, 20))
    return Person(
        None, build_rnokpp(born, Sex.MALE, serial), "Шевчук", "Іван", patronymic("Іван", Sex.MALE), Sex.MALE, born,
        _POLTAVA[2], "UKR", False, None, home, (_booklet(booklet, date(2001, 6, 1)),),
    )  # fmt: skip


WELL_KNOWN: Final = (
    Person(
        "19910824-00026", "3347300028", "Ткаченко", "Мар'яна", "Іванівна", Sex.FEMALE, date(1991, 8, 24), _KYIV[2],
        "UKR", False, None,
        _address(_KYIV, "вул. Лесі Українки", "12", "34", date(2019, 3, 14)),
        (_id_card("000000001", date(2018, 9, 17)),),
    ),
    Person(  # no UNZR yet: RNOKPP or booklet
        None, "3288701236", "Коваленко", "Андрій", "Миколайович", Sex.MALE, date(1990, 1, 15), _LVIV[2],
        "UKR", False, None,
        _address(_LVIV, "вул. Івана Франка", "7", "2", date(2012, 11, 5)),
        (_booklet("АА 123456", date(2006, 2, 1)),),
    ),
    Person(  # his daughter, without any document
        None, "4541200105", "Коваленко", "Софія", "Андріївна", Sex.FEMALE, date(2024, 5, 1), _LVIV[2],
        "UKR", False, None,
        _address(_LVIV, "вул. Івана Франка", "7", "2", date(2024, 5, 20)),
        (),
    ),
    Person(
        None, "2380804560", "Бондар", "Галина", "Василівна", Sex.FEMALE, date(1965, 3, 8), _POLTAVA[2],
        "UKR", False, None,
        _address(_POLTAVA, "вул. Соборна", "41", "8", date(1998, 7, 1)),
        (_booklet("КН 654321", date(1997, 4, 22)),),
    ),
    Person(  # refused a taxpayer's number: known by document only
        None, None, "Мельник", "Петро", "Григорович", Sex.MALE, date(1978, 6, 30), _LVIV[2],
        "UKR", True, None,
        _address(_LVIV, "вул. Лісова", "3", "1", date(2005, 9, 12)),
        (_booklet("МЕ 000777", date(1995, 8, 3)),),
    ),
    _namesake(1, "АС 000001"),  # two men whom name and birth date cannot tell apart
    _namesake(2, "АС 000002"),
    Person(  # has lost the booklet an ID card replaced
        "19770824-00026", build_rnokpp(date(1977, 8, 24), Sex.MALE, 3), "Лисенко", "Тарас", "Богданович", Sex.MALE,
        date(1977, 8, 24), _KYIV[2], "UKR", False, None,
        _address(_KYIV, "просп. Свободи", "5", "116", date(2021, 2, 2)),
        (
            _id_card("000000008", date(2020, 12, 3)),
            _booklet("СН 111222", date(1996, 10, 10), DocumentStatus.LOST),
        ),
    ),
    Person(  # the father of the first, who died; his booklet is void
        None, build_rnokpp(date(1952, 4, 11), Sex.MALE, 9), "Ткаченко", "Іван", "Петрович", Sex.MALE,
        date(1952, 4, 11), _KYIV[2], "UKR", False, date(2025, 11, 2),
        _address(_KYIV, "вул. Садова", "18", None, date(1987, 6, 15)),
        (_booklet("СО 195204", date(1998, 5, 6), DocumentStatus.VOID),),
    ),
)  # fmt: skip
