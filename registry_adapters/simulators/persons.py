"""A natural person in a simulator: told as a few fields, found by any identifier, logged under one code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from random import Random
from typing import Annotated, Final

from registry_adapters.population.model import DocumentStatus, Person
from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.matching import ByDocument, ByName, ByRnokpp, ByUnzr, Criterion, name_key

SUBJECT_LENGTH: Final = 64  # of the access log's column
_VOWELS: Final = "аеиіоу"

Key = tuple[str, str]  # what is looked up, and the code of the person it leads to


@dataclass(frozen=True, slots=True)
class NaturalPerson:
    """A natural person named in a record."""

    surname: Annotated[str | None, Declared("Surname.", max_length=100)] = None
    given_name: Annotated[str | None, Declared("Given name.", max_length=100)] = None
    patronymic: Annotated[str | None, Declared("Patronymic.", max_length=100)] = None
    birth_date: Annotated[date | None, Declared("Birth date.")] = None
    rnokpp: Annotated[str | None, Declared("Taxpayer's number.", max_length=10, example="3347300028")] = None
    unzr: Annotated[str | None, Declared("Number in the demographic registry.", max_length=14)] = None


def natural_person(person: Person) -> NaturalPerson:
    """Return what records say of a person."""
    return NaturalPerson(
        person.surname, person.given_name, person.patronymic, person.birth_date, person.rnokpp, person.unzr
    )


def full_name(person: Person) -> str:
    """Return surname, given name and patronymic."""
    return " ".join(part for part in (person.surname, person.given_name, person.patronymic) if part)


def code_of(person: Person) -> str:
    """Return the one code the access log knows a person by: RNOKPP, else document, UNZR, or name and birth date."""
    document = person.documents[0].number if person.documents else None
    return (person.rnokpp or document or person.unzr or _full_name_key(person))[:SUBJECT_LENGTH]


def keys_of(person: Person) -> tuple[Key, ...]:
    """Return every key that leads to a person."""
    keys = [f"name:{_name_key(person)}", f"full-name:{_full_name_key(person)}"]
    keys += [f"{kind}:{number}" for kind, number in (("unzr", person.unzr), ("rnokpp", person.rnokpp)) if number]
    for held in person.documents:
        in_force = held.status is DocumentStatus.IN_FORCE
        keys.append(f"{'document' if in_force else 'former-document'}:{held.number}")
    code = code_of(person)
    return tuple((key, code) for key in keys)


def keys_for(criterion: Criterion) -> tuple[str, ...]:
    """Return the keys to look up for a criterion."""
    match criterion:
        case ByUnzr(unzr):
            return (f"unzr:{unzr}",)
        case ByRnokpp(rnokpp):
            return (f"rnokpp:{rnokpp}",)
        case ByDocument(_, number):
            return (f"document:{number}", f"former-document:{number}")
        case ByName(surname, given_name, patronymic, birth_date):
            name = f"{birth_date}|{surname}|{given_name}"
            return (f"full-name:{name}|{patronymic}",) if patronymic else (f"name:{name}",)


def code_asked_for(criterion: Criterion) -> str | None:
    """Return the code of the person a criterion means, whether or not a registry knows such a person."""
    match criterion:
        case ByRnokpp(rnokpp):
            return rnokpp
        case ByDocument(_, number):
            return number
        case _:
            return None


def misspelt(person: Person, draw: Random) -> Person:
    """Return the person with one vowel of the surname mistaken for another."""
    places = [place for place, letter in enumerate(person.surname) if place and letter in _VOWELS]
    if not places:
        return replace(person, surname=f"{person.surname}а")
    place = draw.choice(places)
    letter = draw.choice([vowel for vowel in _VOWELS if vowel != person.surname[place]])
    return replace(person, surname=f"{person.surname[:place]}{letter}{person.surname[place + 1 :]}")


def _name_key(person: Person) -> str:
    return f"{person.birth_date}|{_key(person.surname)}|{_key(person.given_name)}"


def _full_name_key(person: Person) -> str:
    return f"{_name_key(person)}|{_key(person.patronymic or '')}"


_key = lru_cache(4096)(name_key)  # a population has few names
