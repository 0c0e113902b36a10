"""Where synthetic land lies: cities with both codes, a centre on the map and the council that holds communal land.

`koatuu` is the old code that cadastral numbers begin with; `katottg` the code that replaced it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from registry_adapters.sdk.identifiers import edrpou_check_digit


@dataclass(frozen=True, slots=True)
class Organisation:
    """A legal person that holds land."""

    edrpou: str
    name: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """A city and its place on the map (WGS 84, degrees)."""

    katottg: str
    koatuu: str
    region: str
    name: str
    longitude: float
    latitude: float
    share: int  # of forty quarters of the synthetic cadastre
    council: Organisation


def _organisation(serial: int, name: str) -> Organisation:
    digits = f"{9901000 + serial}"
    return Organisation(f"{digits}{edrpou_check_digit(digits)}", name)


def _city(
    serial: int,
    codes: tuple[str, str],
    names: tuple[str, str, str],
    place: tuple[float, float],
    share: int,
) -> Settlement:
    region, name, council = names
    return Settlement(*codes, region, name, *place, share, _organisation(serial, council))


SETTLEMENTS: Final = (
    _city(1, ("UA80000000000093317", "8000000000"), ("м. Київ", "м. Київ", "Київська міська рада"), (30.52, 50.45), 9),
    _city(
        2, ("UA63120270010096107", "6310100000"), ("Харківська область", "м. Харків", "Харківська міська рада"),
        (36.23, 49.99), 4,
    ),
    _city(
        3, ("UA51100270010076757", "5110100000"), ("Одеська область", "м. Одеса", "Одеська міська рада"),
        (30.66, 46.55), 3,
    ),
    _city(
        4, ("UA12020010010037010", "1210100000"), ("Дніпропетровська область", "м. Дніпро", "Дніпровська міська рада"),
        (35.05, 48.46), 3,
    ),
    _city(
        5, ("UA46060250010015970", "4610100000"), ("Львівська область", "м. Львів", "Львівська міська рада"),
        (24.03, 49.84), 3,
    ),
    _city(
        6, ("UA23060070010069526", "2310100000"), ("Запорізька область", "м. Запоріжжя", "Запорізька міська рада"),
        (35.14, 47.84), 3,
    ),
    _city(
        7, ("UA12060170010065850", "1211000000"),
        ("Дніпропетровська область", "м. Кривий Ріг", "Криворізька міська рада"), (33.39, 47.91), 2,
    ),
    _city(
        8, ("UA48060150010035747", "4810100000"), ("Миколаївська область", "м. Миколаїв", "Миколаївська міська рада"),
        (31.99, 46.97), 2,
    ),
    _city(
        9, ("UA65100150010064384", "6510100000"), ("Херсонська область", "м. Херсон", "Херсонська міська рада"),
        (32.61, 46.64), 1,
    ),
    _city(
        10, ("UA53080370010073240", "5310100000"), ("Полтавська область", "м. Полтава", "Полтавська міська рада"),
        (34.55, 49.59), 1,
    ),
    _city(
        11, ("UA74100390010054825", "7410100000"), ("Чернігівська область", "м. Чернігів", "Чернігівська міська рада"),
        (31.29, 51.49), 1,
    ),
    _city(
        12, ("UA71080490010015879", "7110100000"), ("Черкаська область", "м. Черкаси", "Черкаська міська рада"),
        (32.06, 49.44), 1,
    ),
    _city(
        13, ("UA18040190010057814", "1810100000"), ("Житомирська область", "м. Житомир", "Житомирська міська рада"),
        (28.66, 50.25), 1,
    ),
    _city(
        14, ("UA59080270010036634", "5910100000"), ("Сумська область", "м. Суми", "Сумська міська рада"),
        (34.80, 50.91), 1,
    ),
    _city(
        15, ("UA12040150010056523", "1210400000"),
        ("Дніпропетровська область", "м. Кам'янське", "Кам'янська міська рада"), (34.61, 48.52), 1,
    ),
    _city(
        16, ("UA35040210010019355", "3510100000"),
        ("Кіровоградська область", "м. Кропивницький", "Кропивницька міська рада"), (32.26, 48.51), 2,
    ),
    _city(
        17, ("UA53020110010031694", "5310400000"), ("Полтавська область", "м. Кременчук", "Кременчуцька міська рада"),
        (33.42, 49.07), 2,
    ),
)  # fmt: skip
BY_KOATUU: Final[Mapping[str, Settlement]] = {settlement.koatuu: settlement for settlement in SETTLEMENTS}

# Companies and a state body; councils hold what is communal.
COMPANIES: Final = (
    _organisation(51, "ТОВ «Золотий лан»"),
    _organisation(52, "ТОВ «Агрофірма «Світанок»"),
    _organisation(53, "ПП «Будсервіс»"),
    _organisation(54, "ТОВ «Торговий дім «Добробут»"),
    _organisation(55, "ПрАТ «Завод металоконструкцій»"),
    _organisation(56, "СТОВ «Нива»"),
)
STATE_BODY: Final = _organisation(90, "Регіональне відділення Фонду державного майна України")
