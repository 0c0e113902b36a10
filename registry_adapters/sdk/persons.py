"""The question for one person, as every registry of persons takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final

from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.matching import Question, question_of

ADULT_AGE: Final = 18


@dataclass(frozen=True, slots=True)
class PersonCriterion:
    """Exactly one of: `unzr`, `rnokpp`, `document`, or surname, given name and birth date."""

    unzr: Annotated[
        str | None, Declared("Number in the demographic registry.", max_length=14, example="19910824-00026")
    ] = None
    rnokpp: Annotated[str | None, Declared("Taxpayer's number.", max_length=10, example="3347300028")] = None
    document: Annotated[
        str | None, Declared("Number of an ID card or booklet.", max_length=20, example="АА 123456")
    ] = None
    surname: Annotated[str | None, Declared("Surname.", max_length=100)] = None
    given_name: Annotated[str | None, Declared("Given name.", max_length=100)] = None
    patronymic: Annotated[str | None, Declared("Patronymic; without it any is meant.", max_length=100)] = None
    birth_date: Annotated[date | None, Declared("Birth date.")] = None


def is_minor(born: date, day: date) -> bool:
    """Tell whether somebody has been born by `day` and is under 18 then (Civil Code of Ukraine, art. 34)."""
    return born <= day and day.year - born.year - ((day.month, day.day) < (born.month, born.day)) < ADULT_AGE


def question_of_person(asked: PersonCriterion) -> Question:
    """Return the one criterion that is given. Raises RequestError when there is not exactly one."""
    return question_of(
        unzr=asked.unzr,
        rnokpp=asked.rnokpp,
        document=asked.document,
        surname=asked.surname,
        given_name=asked.given_name,
        patronymic=asked.patronymic,
        birth_date=asked.birth_date,
    )
