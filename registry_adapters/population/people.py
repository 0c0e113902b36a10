"""The synthetic population: deterministic, streamed, consistent with itself.

A seed number gives the same persons on every machine, and fewer persons are a prefix of more. Numbers
agree with birth date and sex and carry valid check digits; surname, given name and patronymic agree
with sex; who has a UNZR has an ID card from the age of 14, since the card is where it is printed. One
in five has a UNZR; some refuse a taxpayer's number and are known by document only.

This is the truth. Registries hold what is theirs of it, each with a known share of errors.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from typing import Final

from registry_adapters.population.model import Address, Document, DocumentStatus, Person, Record
from registry_adapters.population.names import FEMALE_NAMES, MALE_NAMES, SURNAMES, patronymic
from registry_adapters.population.places import CITIES, STREETS
from registry_adapters.population.wellknown import WELL_KNOWN
from registry_adapters.sdk.identifiers import DocumentKind, Sex, build_rnokpp, build_unzr

__all__ = ["AS_OF", "WELL_KNOWN", "Record", "people"]

AS_OF: Final = date(2026, 1, 1)  # the day the population is a picture of
UNZR_SHARE: Final = 0.2
REFUSAL_SHARE: Final = 0.01

# People per five years of age, from 0-4 to 95-99.
_PYRAMID: Final = (38, 52, 57, 50, 45, 50, 72, 86, 80, 75, 70, 66, 72, 68, 58, 40, 24, 16, 5, 1)
_ID_CARDS_SINCE: Final = date(2016, 2, 1)
_BOOKLETS_SINCE: Final = date(1994, 1, 1)
_BOOKLET_LETTERS: Final = tuple(a + b for a in "АБВГДЕЖЗИКЛМНОПРСТУФ" for b in "АВЕКМНОРСТ")
_DAY: Final = timedelta(days=1)
_YEAR: Final = timedelta(days=365.2425)


@dataclass(slots=True)
class _Numbers:
    """Hands out identifiers nobody else has, without remembering them: counters, scattered by a multiplier."""

    reserved: frozenset[str]
    unzr_by_day: dict[date, int] = field(default_factory=dict)
    rnokpp_by_day: dict[tuple[date, Sex], int] = field(default_factory=dict)
    id_cards: int = 0
    booklets: int = 0

    def unzr(self, born: date) -> str:
        while True:
            count = self.unzr_by_day[born] = self.unzr_by_day.get(born, 0) + 1
            number = build_unzr(born, 1 + count * 2311 % 9999)
            if number not in self.reserved:
                return number

    def rnokpp(self, born: date, sex: Sex) -> str:
        while True:
            count = self.rnokpp_by_day[born, sex] = self.rnokpp_by_day.get((born, sex), 0) + 1
            number = build_rnokpp(born, sex, count * 1777 % 5000)
            if number not in self.reserved:
                return number

    def id_card(self) -> str:
        while True:
            self.id_cards += 1
            number = f"{self.id_cards * 618_033_989 % 1_000_000_000:09d}"
            if number not in self.reserved:
                return number

    def booklet(self) -> str:
        while True:
            self.booklets += 1
            series, digits = divmod(self.booklets * 16_180_339 % (len(_BOOKLET_LETTERS) * 1_000_000), 1_000_000)
            number = f"{_BOOKLET_LETTERS[series]} {digits:06d}"
            if number not in self.reserved:
                return number


def people(seed: int) -> Iterator[Record]:
    """Yield the population of a seed without end; the well-known persons come first."""
    for number, person in enumerate(WELL_KNOWN, start=1):
        yield Record(number, person)
    source = _Source(random.Random(seed), _Numbers(_reserved()))  # noqa: S311  reproducible on purpose
    number = len(WELL_KNOWN)
    while True:
        number += 1
        yield Record(number, source.person())


def _reserved() -> frozenset[str]:
    numbers = {number for person in WELL_KNOWN for number in (person.unzr, person.rnokpp) if number}
    return frozenset(numbers | {held.number for person in WELL_KNOWN for held in person.documents})


@dataclass(slots=True)
class _Source:
    """Draws one person after the other."""

    rng: random.Random
    numbers: _Numbers
    unzr_credit: float = 0.0
    ages: list[int] = field(default_factory=lambda: list(accumulate(_PYRAMID)))
    cities: list[int] = field(default_factory=lambda: list(accumulate(share for *_, share in CITIES)))

    def person(self) -> Person:
        rng = self.rng
        sex = Sex.FEMALE if rng.random() < 0.53 else Sex.MALE
        born = self._birth_date()
        age = int((AS_OF - born) / _YEAR)
        died_on = AS_OF - _DAY * rng.randint(1, 365) if age > 60 and rng.random() < 0.03 else None
        unzr = self.numbers.unzr(born) if self._takes_unzr(age) else None
        refused = age >= 18 and rng.random() < REFUSAL_SHARE
        unnumbered = refused or (age < 2 and rng.random() < 0.3)
        city = CITIES[self._drawn(self.cities)]
        women = sex is Sex.FEMALE
        return Person(
            unzr,
            None if unnumbered else self.numbers.rnokpp(born, sex),
            rng.choice(SURNAMES)[women],
            rng.choice(FEMALE_NAMES if women else MALE_NAMES),
            patronymic(rng.choice(MALE_NAMES), sex) if rng.random() < 0.995 else None,
            sex,
            born,
            city[2] if rng.random() < 0.6 else rng.choice(CITIES)[2],
            "UKR",
            refused,
            died_on,
            self._address(city, born, died_on or AS_OF),
            self._documents(born, age, unzr is not None, died_on),
        )

    def _birth_date(self) -> date:
        age = 5 * self._drawn(self.ages) + 5 * self.rng.random()
        return AS_OF - max(_YEAR * age, _DAY)

    def _drawn(self, shares: Sequence[int]) -> int:
        """Return an index, each as likely as its share; the shares are sums of those up to it."""
        return bisect(shares, self.rng.random() * shares[-1])

    def _takes_unzr(self, age: int) -> bool:
        """Keep the share at one in five, though everybody who came of age since 2016 has one."""
        self.unzr_credit += UNZR_SHARE
        if 14 <= age < 26 or self.unzr_credit >= 1:
            self.unzr_credit -= 1
            return True
        return False

    def _address(self, city: tuple[str, str, str, int], born: date, until: date) -> Address:
        rng = self.rng
        apartment = str(rng.randint(1, 180)) if rng.random() < 0.8 else None
        return Address(
            *city[:3], rng.choice(STREETS), str(rng.randint(1, 120)), apartment, self._between(born, until - _DAY)
        )

    def _documents(self, born: date, age: int, has_card: bool, died_on: date | None) -> tuple[Document, ...]:
        if age < 14:
            return ()
        until = (died_on or AS_OF) - _DAY
        status = DocumentStatus.VOID if died_on else DocumentStatus.IN_FORCE
        if not has_card:
            return (self._booklet(born, until, status),)
        card = self._id_card(born, age, until, status)
        if age < 40 or self.rng.random() < 0.5:
            return (card,)
        former = DocumentStatus.LOST if self.rng.random() < 0.1 else DocumentStatus.REPLACED
        return (card, self._booklet(born, _ID_CARDS_SINCE, former))

    def _id_card(self, born: date, age: int, until: date, status: DocumentStatus) -> Document:
        adult = age >= 18
        validity = _YEAR * (10 if adult else 4)
        since = max(born + _YEAR * (18 if adult else 14), _ID_CARDS_SINCE + _DAY, AS_OF - validity + _DAY)
        issued_on = self._between(since, until)
        return Document(
            DocumentKind.ID_CARD, self.numbers.id_card(), issued_on, issued_on + validity, self._issuer(), status
        )

    def _booklet(self, born: date, until: date, status: DocumentStatus) -> Document:
        issued_on = self._between(max(born + _YEAR * 16, _BOOKLETS_SINCE), min(until, _ID_CARDS_SINCE))
        return Document(DocumentKind.BOOKLET, self.numbers.booklet(), issued_on, None, self._issuer(), status)

    def _between(self, first: date, last: date) -> date:
        return first + _DAY * int(self.rng.random() * max((last - first).days, 0))

    def _issuer(self) -> str:
        return f"{self.rng.randint(1000, 9999)}"
