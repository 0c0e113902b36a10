"""Mistakes of the demographic registry: a known share of its records does not tell the truth.

Who is recorded wrongly, and how, follows from the seed and the person's number alone, so a load that
was interrupted goes on with the same mistakes. The well-known persons are recorded as they are.
Identifiers and documents are never wrong: they lead to the person in spite of a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from registry_adapters.population.model import Record
from registry_adapters.population.wellknown import WELL_KNOWN

ERROR_SHARE: Final = 0.02
_HIGHEST_NUMBER: Final = 120  # of a building


class Mistake(StrEnum):
    """What is wrong with a record; all are equally frequent."""

    SURNAME = "surname"  # a letter stands twice
    BIRTH_DATE = "birth_date"  # another day of the month than UNZR and RNOKPP say
    RESIDENCE = "residence"  # another building of the street
    RECORDED_TWICE = "recorded_twice"  # a second record, without UNZR and documents


_MISTAKES: Final = tuple(Mistake)
_WRONG_BELOW: Final = int(ERROR_SHARE * (1 << 64))


def mistake_about(seed: int, number: int) -> Mistake | None:
    """Return what the registry of a seed has wrong about the person of a number."""
    drawn = int.from_bytes(blake2b(b"demographic|%d|%d" % (seed, number), digest_size=8).digest())
    if drawn >= _WRONG_BELOW or number <= len(WELL_KNOWN):
        return None
    return _MISTAKES[drawn % len(_MISTAKES)]


def as_recorded(seed: int, truth: Iterable[Record]) -> Iterator[Record]:
    """Yield what the registry of a seed holds of persons."""
    for record in truth:
        mistake = mistake_about(seed, record.number)
        if mistake is None:
            yield record
        else:
            yield from _mistaken(record, mistake)


def _mistaken(record: Record, mistake: Mistake) -> tuple[Record, ...]:
    """Return the records of a person; a second one has the first one's number with a minus."""
    truth = record.person
    match mistake:
        case Mistake.SURNAME:
            told = replace(truth, surname=_misspelt(truth.surname))
        case Mistake.BIRTH_DATE:
            told = replace(truth, birth_date=truth.birth_date.replace(day=truth.birth_date.day % 28 + 1))
        case Mistake.RESIDENCE:
            home = truth.residence
            told = replace(truth, residence=replace(home, building=str(int(home.building) % _HIGHEST_NUMBER + 1)))
        case Mistake.RECORDED_TWICE:
            return record, Record(-record.number, replace(truth, unzr=None, documents=()))
    return (Record(record.number, told),)


def _misspelt(surname: str) -> str:
    middle = len(surname) // 2
    return surname[:middle] + surname[middle - 1] + surname[middle:]
