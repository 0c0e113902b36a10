"""Synthetic acts: a birth for everybody, the couples' marriages and divorces, some changes of name, deaths.

Parents who are not in the population get a name from the child's: the father's from the patronymic, the
mother's from the surname.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Final

from registry_adapters.population.model import Person, Record
from registry_adapters.population.names import FEMALE_NAMES, MALE_NAMES, SURNAMES, patronymic
from registry_adapters.population.people import AS_OF
from registry_adapters.sdk.identifiers import Sex
from registry_adapters.sdk.persons import is_minor
from registry_adapters.simulators.civil_status import Act, ActKind, ActStatus, CertificateStatus, certificate_key
from registry_adapters.simulators.filling import Given, Made, Maker
from registry_adapters.simulators.persons import Key, NaturalPerson, code_of, keys_of, misspelt, natural_person

MISSPELT, OTHER_DATE, DUPLICATE, MISSING = "misspelt_name", "other_birth_date", "duplicate_act", "missing_act"

_RENAMED_SHARE: Final = 0.02
_DAY: Final = timedelta(days=1)
_LETTERS: Final = tuple(a + b for a in "АБВГДЕЖЗИК" for b in "КМНОПРСТЕВ")
_SERIES: Final = {
    ActKind.BIRTH: 0, ActKind.MARRIAGE: 1, ActKind.DIVORCE: 2, ActKind.NAME_CHANGE: 3, ActKind.DEATH: 4,
}  # fmt: skip
_ROMAN: Final = ("І", "ІІ", "ІІІ")
_FATHERS: Final[Mapping[str, str]] = {patronymic(name, sex): name for name in reversed(MALE_NAMES) for sex in Sex}
_MENS_SURNAMES: Final[Mapping[str, str]] = {woman: man for man, woman in SURNAMES}
_WOMENS_SURNAMES: Final[Mapping[str, str]] = dict(SURNAMES)


def make(given: Given) -> Iterator[Made]:
    """Yield the acts that are drawn about one person; a couple's are drawn about the husband."""
    acts = list(_acts(given))
    if given.error == MISSING:
        acts = acts[1:]
    if given.error == DUPLICATE and acts:
        acts.append(_restored(given, acts[0]))
    yield from acts


MAKER: Final = Maker("civil_status", 2, (MISSPELT, OTHER_DATE, DUPLICATE, MISSING), make)


def _acts(given: Given) -> Iterator[Made]:
    person, family = given.record.person, given.family
    yield _birth(given)
    if family.spouse and family.married_on and person.sex is Sex.MALE:
        yield _of_couple(given, ActKind.MARRIAGE, family.spouse, family.married_on)
        if family.divorced_on:
            yield _of_couple(given, ActKind.DIVORCE, family.spouse, family.divorced_on)
    elif not given.is_well_known and (AS_OF - person.birth_date).days > 20 * 366 and _renames(given.draw):
        yield _name_change(given)
    if person.died_on:
        act = _act(given, ActKind.DEATH, person.died_on, 3, person=natural_person(person))
        yield _made(act, person)


def _renames(draw: Random) -> bool:
    return draw.random() < _RENAMED_SHARE


def _birth(given: Given) -> Made:
    child, draw = given.record.person, given.draw
    if given.error == MISSPELT:
        child = misspelt(child, draw)
    elif given.error == OTHER_DATE:
        child = replace(child, birth_date=child.birth_date - _DAY * draw.randint(1, 9))
    father, mother = given.family.father, given.family.mother
    act = _act(
        given, ActKind.BIRTH, child.birth_date, 30,
        person=natural_person(child),
        father=natural_person(father.person) if father else _invented_father(child, draw),
        mother=natural_person(mother.person) if mother else _invented_mother(child, draw),
    )  # fmt: skip
    return _made(act, child, *(parent.person for parent in (father, mother) if parent))


def _of_couple(given: Given, kind: ActKind, wife: Record, day: date) -> Made:
    husband = given.record.person
    children: tuple[NaturalPerson, ...] = ()
    if kind is ActKind.DIVORCE:
        common = [child.person for child in given.family.common_children]
        children = tuple(natural_person(child) for child in common if is_minor(child.birth_date, day))
    act = _act(
        given, kind, day, 1, person=natural_person(husband), spouse=natural_person(wife.person), children=children
    )
    return _made(act, husband, wife.person)


def _name_change(given: Given) -> Made:
    person, draw = given.record.person, given.draw
    grown = person.birth_date + timedelta(days=18 * 366)
    day = grown + _DAY * int(draw.random() * ((person.died_on or AS_OF) - grown).days)
    former = draw.choice(SURNAMES)[person.sex is Sex.FEMALE]
    return _made(_act(given, ActKind.NAME_CHANGE, day, 5, person=natural_person(person), former_surname=former), person)


def _restored(given: Given, made: Made) -> Made:
    """Return the same event in a second act, as after the first was lost and found again."""
    act: Act = made.told
    since = (act.drawn_on or AS_OF) + _DAY * 400
    again = replace(act, number=_number(given.draw), drawn_on=since, status=ActStatus.RESTORED, certificate_number=None)
    kept = tuple(key for key in made.keys if not key[0].startswith("certificate:"))
    return Made(replace(again, certificate_series=None, certificate_status=None), made.subjects, kept)


def _act(
    given: Given,
    kind: ActKind,
    day: date,
    within_days: int,
    *,
    person: NaturalPerson,
    father: NaturalPerson | None = None,
    mother: NaturalPerson | None = None,
    spouse: NaturalPerson | None = None,
    former_surname: str | None = None,
    children: tuple[NaturalPerson, ...] = (),
) -> Act:
    draw = given.draw
    home = given.record.person.residence
    place = given.record.person.birth_place if kind is ActKind.BIRTH else home.settlement
    series, digits = divmod((given.record.number * 5 + _SERIES[kind]) * 16_180_339 % 300_000_000, 1_000_000)
    roman, letters = divmod(series, len(_LETTERS))
    repeated = not given.is_well_known and draw.random() < 0.05
    return Act(
        kind,
        _number(draw),
        min(day + _DAY * draw.randint(0, within_days), AS_OF - _DAY),
        f"Відділ державної реєстрації актів цивільного стану, {place}",
        ActStatus.VALID,
        day,
        place,
        f"{_ROMAN[roman]}-{_LETTERS[letters]}",
        f"{digits:06d}",
        CertificateStatus.REPEATED if repeated else CertificateStatus.ISSUED,
        person,
        father,
        mother,
        spouse,
        former_surname,
        children,
    )


def _made(act: Act, *persons: Person) -> Made:
    keys: list[Key] = [key for person in persons for key in keys_of(person)]
    keys.append((certificate_key(act.certificate_series or "", act.certificate_number or ""), ""))
    return Made(act, tuple(dict.fromkeys(code_of(person) for person in persons)), tuple(keys))


def _number(draw: Random) -> str:
    return str(draw.randint(1, 4999))


def _invented_father(child: Person, draw: Random) -> NaturalPerson | None:
    if child.patronymic is None:
        return None
    name = _FATHERS.get(child.patronymic, draw.choice(MALE_NAMES))
    return NaturalPerson(_MENS_SURNAMES.get(child.surname, child.surname), name, _invented_patronymic(draw, Sex.MALE))


def _invented_mother(child: Person, draw: Random) -> NaturalPerson:
    surname = _WOMENS_SURNAMES.get(child.surname, child.surname)
    return NaturalPerson(surname, draw.choice(FEMALE_NAMES), _invented_patronymic(draw, Sex.FEMALE))


def _invented_patronymic(draw: Random, sex: Sex) -> str:
    return patronymic(draw.choice(MALE_NAMES), sex)
