"""Synthetic certificates: some of those registered in the cities near the front, who live elsewhere now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Final

from registry_adapters.population.model import Person
from registry_adapters.population.people import AS_OF
from registry_adapters.population.places import CITIES, STREETS
from registry_adapters.sdk.persons import is_minor
from registry_adapters.simulators.displaced import Certificate, CertificateStatus
from registry_adapters.simulators.filling import Given, Made, Maker
from registry_adapters.simulators.persons import code_of, keys_of, misspelt, natural_person
from registry_adapters.simulators.places import Place, place_of

MISSPELT, DUPLICATE, MISSING, NOT_CANCELLED = "misspelt_name", "duplicate_certificate", "missing", "not_cancelled"

_LEFT: Final = ("м. Харків", "м. Запоріжжя", "м. Миколаїв", "м. Херсон", "м. Суми")
_REACHED: Final = tuple(city for city in CITIES if city[2] not in _LEFT)
_SHARE: Final = 0.3  # of the adults of those cities
_CANCELLED_SHARE: Final = 0.15
_FIRST_DAY: Final = date(2022, 2, 28)
_LAST_DAY: Final = date(2025, 6, 30)
_DAY: Final = timedelta(days=1)
# Written down and not drawn: the well-known displaced person.
TOLD: Final = {4: (date(2022, 4, 11), Place(*CITIES[4][::2], "вул. Шкільна", "22", "5"))}


def make(given: Given) -> Iterator[Made]:
    """Yield the certificate of a person, if any; an error may withhold, misspell or double it."""
    number, person, draw = given.record.number, given.record.person, given.draw
    told = TOLD.get(number)
    grown = not is_minor(person.birth_date, AS_OF)
    drawn = person.residence.settlement in _LEFT and grown and draw.random() < _SHARE and not given.is_well_known
    if told is None and not drawn:
        return
    last = min(_LAST_DAY, person.died_on or _LAST_DAY)  # nobody who died in 2025 moved after
    issued_on, present = told or (_FIRST_DAY + _DAY * draw.randint(0, (last - _FIRST_DAY).days), _reached(draw))
    certificate = Certificate(
        f"{3000 + number % 9 + 1}-{5_000_000_000 + number:010d}",
        issued_on,
        CertificateStatus.VALID,
        None,
        natural_person(person),
        place_of(person.residence),
        present,
        tuple(natural_person(child) for child in _children(given, issued_on)),
    )
    if told is None:
        certificate = _cancelled(certificate, person, draw)
    if given.error == NOT_CANCELLED:
        certificate = replace(certificate, status=CertificateStatus.VALID, cancelled_on=None)
    if given.error == MISSPELT:
        person = misspelt(person, draw)
        certificate = replace(certificate, person=natural_person(person))
    if given.error != MISSING:
        yield _made(certificate, given, person)
    if given.error == DUPLICATE:
        later = issued_on + _DAY * draw.randint(1, 90)
        yield _made(replace(certificate, number=f"4001-{6_000_000_000 + number:010d}", issued_on=later), given, person)


MAKER: Final = Maker("displaced", 2, (MISSPELT, DUPLICATE, MISSING, NOT_CANCELLED), make)


def _made(certificate: Certificate, given: Given, person: Person) -> Made:
    children = [code_of(child) for child in _children(given, certificate.issued_on or AS_OF)]
    return Made(certificate, (code_of(person), *children), keys_of(person))


def _children(given: Given, day: date) -> list[Person]:
    return [child.person for child in given.family.children if is_minor(child.person.birth_date, day)]


def _cancelled(certificate: Certificate, person: Person, draw: Random) -> Certificate:
    since = (certificate.issued_on or AS_OF) + _DAY
    day = since + _DAY * draw.randint(0, (AS_OF - since).days - 1)
    if person.died_on is None and draw.random() >= _CANCELLED_SHARE:
        return certificate
    return replace(certificate, status=CertificateStatus.CANCELLED, cancelled_on=person.died_on or day)


def _reached(draw: Random) -> Place:
    katottg, _, settlement, _ = draw.choice(_REACHED)
    return Place(katottg, settlement, draw.choice(STREETS), str(draw.randint(1, 120)), str(draw.randint(1, 180)))
