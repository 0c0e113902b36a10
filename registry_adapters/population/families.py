"""Who is whose parent, spouse and child: facts that several registries must agree on.

Families live within a block of a hundred consecutive persons, so they are found while the population
streams by and do not depend on how many persons are wanted. A father's given name fits the child's
patronymic, ages fit, and nobody has two spouses at once. Surnames are as the population drew them. Parents outside
the block are not in the population: who needs their names makes them up from the child's.

    for record, family in with_families(people(seed)): ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from typing import Final

from registry_adapters.population.model import Record
from registry_adapters.population.names import patronymic
from registry_adapters.population.people import AS_OF
from registry_adapters.sdk.identifiers import Sex

__all__ = ["AS_OF", "BLOCK", "TOLD", "Family", "families_of", "with_families"]

BLOCK: Final = 100
# Whose families are written down here and not found: the well-known persons.
TOLD: Final = frozenset(range(1, 10))
_TOLD_PARENTS: Final[Mapping[int, tuple[int | None, int | None]]] = {3: (2, 1), 1: (9, None)}
_TOLD_COUPLES: Final = ((2, 1, date(2020, 6, 20)),)

_YEAR: Final = 365.2425
_ADULT_DAYS: Final = round(19 * _YEAR)
_SIBLING_DAYS: Final = 300
_FATHER_AGE: Final = (round(18 * _YEAR), round(55 * _YEAR))
_MOTHER_AGE: Final = (round(18 * _YEAR), round(43 * _YEAR))
_HUSBAND_OLDER: Final = (-5 * 365, 10 * 365)


@dataclass(frozen=True, slots=True)
class Family:
    """The nearest kin of one person, as far as they are in the population."""

    father: Record | None = None
    mother: Record | None = None
    spouse: Record | None = None  # the last one; after a divorce or a death too
    married_on: date | None = None
    divorced_on: date | None = None
    children: tuple[Record, ...] = ()
    common_children: tuple[Record, ...] = ()  # those with the spouse


@dataclass(slots=True, eq=False)
class _Kin:
    record: Record
    born: date
    father: _Kin | None = None
    mother: _Kin | None = None
    spouse: _Kin | None = None
    married_on: date | None = None
    divorced_on: date | None = None
    children: list[_Kin] = field(default_factory=list)

    def family(self) -> Family:
        children = sorted(self.children, key=lambda kin: (kin.born, kin.record.number))
        common = [child for child in children if self.spouse and self.spouse in (child.father, child.mother)]
        return Family(
            self.father.record if self.father else None,
            self.mother.record if self.mother else None,
            self.spouse.record if self.spouse else None,
            self.married_on,
            self.divorced_on,
            tuple(child.record for child in children),
            tuple(child.record for child in common),
        )


def with_families(population: Iterable[Record]) -> Iterator[tuple[Record, Family]]:
    """Yield each person of a population, from its first on, with the family."""
    stream = iter(population)
    while block := list(islice(stream, BLOCK)):
        yield from zip(block, families_of(block), strict=True)


def families_of(block: Sequence[Record]) -> list[Family]:
    """Return the families of one whole block, in its order: records 1 to 100, 101 to 200 and so on."""
    everybody = [_Kin(record, record.person.birth_date) for record in block]
    found = [kin for kin in everybody if kin.record.number not in TOLD]
    _tell({kin.record.number: kin for kin in everybody if kin.record.number in TOLD})
    _marry(found)
    _assign_parents(found)
    return [kin.family() for kin in everybody]


def _tell(told: Mapping[int, _Kin]) -> None:
    for husband, wife, day in _TOLD_COUPLES:
        if husband in told and wife in told:
            _wed(told[husband], told[wife], day)
    for child, parents in _TOLD_PARENTS.items():
        if child in told:
            _set_parents(told[child], *(told.get(number or 0) for number in parents))


def _marry(kins: Sequence[_Kin]) -> None:
    grown = [kin for kin in kins if (AS_OF - kin.born).days > _ADULT_DAYS + 3 * 365]
    free = [kin for kin in grown if kin.record.person.sex is Sex.FEMALE]
    for man in grown:
        number = man.record.number
        if man.record.person.sex is not Sex.MALE or number % 10 >= 8:  # two in ten stay single
            continue
        wives = [kin for kin in free if _HUSBAND_OLDER[0] < (kin.born - man.born).days < _HUSBAND_OLDER[1]]
        if not wives:
            continue
        wife = min(wives, key=lambda kin: (_town(kin) != _town(man), abs((kin.born - man.born).days - 700)))
        free.remove(wife)
        _wed(man, wife, *_days_of_marriage(man, wife, number))


def _days_of_marriage(man: _Kin, wife: _Kin, number: int) -> tuple[date, date | None]:
    earliest = max(man.born, wife.born) + timedelta(days=_ADULT_DAYS)
    last = min(kin.record.person.died_on or AS_OF for kin in (man, wife))
    span = max((last - earliest).days - 1, 1)
    married = earliest + timedelta(days=number * 7919 % min(span, 4000))
    together = (last - married).days
    divorced = married + timedelta(days=400 + number * 104_729 % (together - 400)) if together > 800 else None
    return married, divorced if number % 7 == 0 else None


def _wed(man: _Kin, wife: _Kin, married_on: date, divorced_on: date | None = None) -> None:
    for kin, other in ((man, wife), (wife, man)):
        kin.spouse, kin.married_on, kin.divorced_on = other, married_on, divorced_on


def _assign_parents(kins: Sequence[_Kin]) -> None:
    fathers: dict[str, list[_Kin]] = {}
    mothers: list[_Kin] = []
    for kin in kins:
        if kin.record.person.sex is Sex.MALE:
            for sex in Sex:
                fathers.setdefault(patronymic(kin.record.person.given_name, sex), []).append(kin)
        else:
            mothers.append(kin)
    for child in kins:
        father = _parent_among(fathers.get(child.record.person.patronymic or "", ()), child, _FATHER_AGE)
        if father is not None:
            wife = father.spouse if father.spouse and _can_be_parent(father.spouse, child, _MOTHER_AGE) else None
            _set_parents(child, father, wife)
        elif child.record.number % 2:  # her father is not in the population; his, half of the time, neither
            _set_parents(child, None, _parent_among(_unmarried_first(mothers, child), child, _MOTHER_AGE))


def _unmarried_first(mothers: Sequence[_Kin], child: _Kin) -> Sequence[_Kin]:
    return [kin for kin in mothers if kin.spouse is None or (kin.married_on or AS_OF) > child.born]


def _parent_among(candidates: Sequence[_Kin], child: _Kin, ages: tuple[int, int]) -> _Kin | None:
    """Return the first that can be, from a place on that differs from child to child."""
    if not candidates:
        return None
    start = child.record.number % len(candidates)
    turned = (*candidates[start:], *candidates[:start])
    return next((kin for kin in turned if _can_be_parent(kin, child, ages)), None)


def _can_be_parent(kin: _Kin, child: _Kin, ages: tuple[int, int]) -> bool:
    age = (child.born - kin.born).days
    return ages[0] <= age <= ages[1] and all(
        abs((sibling.born - child.born).days) >= _SIBLING_DAYS for sibling in kin.children
    )


def _set_parents(child: _Kin, father: _Kin | None, mother: _Kin | None) -> None:
    child.father, child.mother = father, mother
    for parent in (father, mother):
        if parent is not None:
            parent.children.append(child)


def _town(kin: _Kin) -> str:
    return kin.record.person.residence.katottg
