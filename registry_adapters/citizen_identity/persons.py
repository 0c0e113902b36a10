"""Who can sign in: the well-known persons of the synthetic population, with the minors whose parents they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final

from registry_adapters.population.families import BLOCK, with_families
from registry_adapters.population.people import Record, people

LISTED: Final = 9
_ADULT_YEARS: Final = 18


@dataclass(frozen=True, slots=True)
class Account:
    """A person to sign in as; `claims` are what sites are told."""

    number: int
    name: str
    rnokpp: str | None
    unzr: str | None
    represents: tuple[tuple[str, str], ...] = ()  # codes and names

    def claims(self) -> dict[str, object]:
        """Return the claims besides those of the protocol."""
        codes = {"rnokpp": self.rnokpp, "unzr": self.unzr}
        return {
            "sub": f"person-{self.number}",
            "name": self.name,
            **{key: code for key, code in codes.items() if code},
            "represents": [{"code": code, "name": name} for code, name in self.represents],
        }


def accounts(seed: int, today: date) -> list[Account]:
    """Return the persons who are alive and of age."""
    block = islice(people(seed), BLOCK)
    listed = [(record, family) for record, family in with_families(block) if record.number <= LISTED]
    found = []
    for record, family in listed:
        if record.person.died_on is None and not _is_minor(record, today):
            minors = [child for child in family.children if _is_minor(child, today)]
            represents = tuple((code, _name(child)) for child in minors if (code := _code(child)))
            found.append(Account(record.number, _name(record), record.person.rnokpp, record.person.unzr, represents))
    return found


def _is_minor(record: Record, today: date) -> bool:
    born = record.person.birth_date
    had_birthday = (today.month, today.day) >= (born.month, born.day)
    return today.year - born.year - (not had_birthday) < _ADULT_YEARS


def _name(record: Record) -> str:
    person = record.person
    return " ".join(part for part in (person.surname, person.given_name, person.patronymic) if part)


def _code(record: Record) -> str | None:
    return record.person.rnokpp or record.person.unzr
