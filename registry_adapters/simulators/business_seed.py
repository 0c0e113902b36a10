"""Synthetic subjects: the population's sole traders, and every organisation that pays wages or owns land.

An organisation is there as soon as the population has the adult who heads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from registry_adapters.population.model import Person
from registry_adapters.population.people import AS_OF
from registry_adapters.population.places import CITIES, STREETS
from registry_adapters.population.settlements import COMPANIES, SETTLEMENTS, STATE_BODY
from registry_adapters.population.work import ACTIVITIES, EMPLOYERS, SoleTrader, work_of
from registry_adapters.sdk.persons import is_minor
from registry_adapters.simulators.business import (
    REGISTERED,
    STATES,
    TERMINATED,
    Activity,
    Founder,
    Head,
    Subject,
    SubjectKind,
    name_of_subject,
)
from registry_adapters.simulators.filling import Given, Made, Maker
from registry_adapters.simulators.persons import Key, code_of, full_name, keys_of, misspelt, natural_person
from registry_adapters.simulators.places import Place, place_of

MISSPELT, DUPLICATE, MISSING, NOT_ENDED = "misspelt_name", "duplicate_registration", "missing", "termination_missing"

# Every organisation other registries name: code and name. Who owns land comes first.
ORGANISATIONS: Final = (
    *((one.edrpou, one.name) for one in COMPANIES),
    *((one.council.edrpou, one.council.name) for one in SETTLEMENTS),
    (STATE_BODY.edrpou, STATE_BODY.name),
    *((one.code, one.name) for one in EMPLOYERS),
)
FIRST_HEAD: Final = 20  # number of the person who heads the first organisation; each fifth after that heads the next
_EVERY: Final = 5
_DAY: Final = timedelta(days=1)
_FORMS: Final = {
    "ТОВ": ("240", "Товариство з обмеженою відповідальністю"),
    "ПрАТ": ("232", "Приватне акціонерне товариство"),
    "ПП": ("120", "Приватне підприємство"),
    "СТОВ": ("240", "Товариство з обмеженою відповідальністю"),
    "Фермерське": ("110", "Фермерське господарство"),
    "КНП": ("150", "Комунальне підприємство"),
    "Комунальне": ("150", "Комунальне підприємство"),
    "Комунальний": ("430", "Комунальна організація (установа, заклад)"),
}
_PUBLIC: Final = ("425", "Орган державної влади або місцевого самоврядування")


def make(given: Given) -> Iterator[Made]:
    """Yield a person's registration as a sole trader, and the organisation the person heads."""
    person = given.record.person
    trader = work_of(given.seed, given.record).sole_trader
    if trader is not None:
        yield from _registrations(given, trader)
    place = organisation_headed(given.record.number)
    if place is not None:
        yield _organisation(given, *ORGANISATIONS[place], person if person.rnokpp and _is_adult(person) else None)


MAKER: Final = Maker("business", 2, (MISSPELT, DUPLICATE, MISSING, NOT_ENDED), make)


def organisation_headed(number: int) -> int | None:
    """Return the place in ORGANISATIONS of the one that comes with a person's number."""
    place, rest = divmod(number - FIRST_HEAD, _EVERY)
    return place if rest == 0 and 0 <= place < len(ORGANISATIONS) else None


def _registrations(given: Given, trader: SoleTrader) -> Iterator[Made]:
    person = misspelt(given.record.person, given.draw) if given.error == MISSPELT else given.record.person
    ended_on = None if given.error == NOT_ENDED else trader.ended_on
    state = TERMINATED if ended_on else REGISTERED
    subject = Subject(
        f"1{given.record.number:09d}", SubjectKind.SOLE_TRADER, state, STATES[state], full_name(person).upper(),
        person.rnokpp, trader.registered_on, ended_on, "910", "Фізична особа-підприємець", place_of(person.residence),
        tuple(Activity(one.code, one.title, place == 0) for place, one in enumerate(trader.activities)),
    )  # fmt: skip
    if given.error != MISSING:
        yield _made(subject, person)
    if given.error == DUPLICATE:
        later = min(trader.registered_on + _DAY * 30, AS_OF - _DAY)
        yield _made(replace(subject, id=f"2{given.record.number:09d}", registered_on=later), person)


def _organisation(given: Given, code: str, name: str, head: Person | None) -> Made:
    draw = given.draw
    form = _FORMS.get(name.partition(" ")[0], _PUBLIC)
    activity = draw.choice(ACTIVITIES)
    katottg, _, settlement, _ = draw.choice(CITIES)
    heads = (Head("керівник", natural_person(head)),) if head else ()
    private = form[0] in ("240", "120", "110", "232")
    subject = Subject(
        f"9{given.record.number:09d}", SubjectKind.COMPANY, REGISTERED, STATES[REGISTERED], name, code,
        date(1992, 1, 15) + _DAY * draw.randint(0, 9000), None, *form,
        Place(katottg, settlement, draw.choice(STREETS), str(draw.randint(1, 120))),
        (Activity(activity.code, activity.title, True),) if private else (), heads,
        (Founder(natural_person(head), Decimal(100)),) if private and head else (),
    )  # fmt: skip
    return _made(subject, *((head,) if head else ()))


def _made(subject: Subject, *persons: Person) -> Made:
    subjects = tuple(code_of(person) for person in persons)
    own: list[Key] = [(f"id:{subject.id}", ""), (f"code:{subject.code}", ""), (name_of_subject(subject.name or ""), "")]
    return Made(subject, subjects, (*own, *(key for person in persons for key in keys_of(person))))


def _is_adult(person: Person) -> bool:
    return person.died_on is None and not is_minor(person.birth_date, AS_OF)
