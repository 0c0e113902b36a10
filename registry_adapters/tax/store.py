"""Queries of the tax registry: criteria in, taxpayers and what is known of them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, or_, select

from registry_adapters.population.work import Employer, Income, IncomeKind, Source, income_of
from registry_adapters.sdk.matching import ByDocument, ByName, ByRnokpp, ByUnzr, Criterion, name_key
from registry_adapters.tax.model import Taxpayer, TaxpayerStatus
from registry_adapters.tax.tables import agent, income_source, sole_trader, taxpayer

MAX_NAMESAKES: Final = 100  # born on one day; more are counted as this many

Quarter = tuple[int, int]

_key: Final = lru_cache(maxsize=4096)(name_key)  # there are few names


@dataclass(frozen=True, slots=True)
class Held:
    """A taxpayer with what the registry knows besides: the number of its record, the document, arrears."""

    number: int
    document: str | None
    has_arrears: bool
    taxpayer: Taxpayer

    @property
    def subject(self) -> str | None:
        """The text under which the access log knows the person: the number, or the document of who has none."""
        return self.taxpayer.rnokpp or self.document


# Built once: SQLAlchemy spends more on building a statement than SQLite on running it.
_TAXPAYERS: Final = select(taxpayer).limit(MAX_NAMESAKES)
_BY_UNZR: Final = _TAXPAYERS.where(taxpayer.c.unzr == bindparam("unzr"))
_BY_RNOKPP: Final = _TAXPAYERS.where(taxpayer.c.rnokpp == bindparam("rnokpp"))
_BY_DOCUMENT: Final = _TAXPAYERS.where(taxpayer.c.document == bindparam("document"))
_BY_NAME: Final = _TAXPAYERS.where(
    taxpayer.c.birth_date == bindparam("birth_date"), taxpayer.c.name_key == bindparam("name_key")
)
_BY_FULL_NAME: Final = _BY_NAME.where(taxpayer.c.patronymic_key == bindparam("patronymic_key"))
_BY_CODE: Final = _TAXPAYERS.where(or_(taxpayer.c.rnokpp == bindparam("code"), taxpayer.c.unzr == bindparam("code")))
_SOLE_TRADER: Final = select(sole_trader).where(sole_trader.c.taxpayer == bindparam("number"))
_SOURCES: Final = (
    select(income_source, agent.c.name)
    .join(agent, agent.c.code == income_source.c.agent)
    .where(income_source.c.taxpayer == bindparam("number"))
    .order_by(income_source.c.id)
)


def find_taxpayers(connection: Connection, criterion: Criterion) -> list[Held]:
    """Return every taxpayer a criterion fits."""
    statement, values = _query(criterion)
    return [_held(row) for row in connection.execute(statement, values)]


def find_sole_trader(connection: Connection, number: int) -> Row[Any] | None:
    """Return the row of a taxpayer's registration as a sole trader, also of one that has ended."""
    return connection.execute(_SOLE_TRADER, {"number": number}).one_or_none()


def find_incomes(connection: Connection, number: int, first: Quarter, last: Quarter) -> list[Income]:
    """Return what was reported for a taxpayer from quarter to quarter, by time, then by source."""
    rows = connection.execute(_SOURCES, {"number": number}).all()
    incomes = [_income(row, quarter) for quarter in _quarters(first, last) for row in rows]
    return [income for income in incomes if income is not None]


def subjects_of(connection: Connection, code: str) -> Sequence[str]:
    """Return the texts under which the access log knows who has an RNOKPP or UNZR."""
    found = [_held(row).subject for row in connection.execute(_BY_CODE, {"code": code})]
    return sorted({subject for subject in found if subject})


def names_key(surname: str, given_name: str) -> str:
    """Return the form in which surname and given name are looked up together."""
    return f"{_key(surname)}|{_key(given_name)}"


def _query(criterion: Criterion) -> tuple[Select[Any], dict[str, Any]]:
    match criterion:
        case ByUnzr(unzr):
            return _BY_UNZR, {"unzr": unzr}
        case ByRnokpp(rnokpp):
            return _BY_RNOKPP, {"rnokpp": rnokpp}
        case ByDocument(_, number):
            return _BY_DOCUMENT, {"document": number}
        case ByName(surname, given_name, patronymic, birth_date):
            values = {"birth_date": birth_date, "name_key": names_key(surname, given_name)}
            if patronymic is None:
                return _BY_NAME, values
            return _BY_FULL_NAME, {**values, "patronymic_key": patronymic}


def _held(row: Row[Any]) -> Held:
    known = Taxpayer(
        row.rnokpp,
        row.surname,
        row.given_name,
        row.patronymic,
        row.birth_date,
        row.registered_on,
        TaxpayerStatus(row.status),
    )
    return Held(row.number, row.document, row.has_arrears, known)


def _income(row: Row[Any], quarter: Quarter) -> Income | None:
    """Return what stands under a quarter: what was earned in it, or before where reports are booked too late."""
    employer = Employer(row.agent, row.name)
    source = Source(employer, IncomeKind(row.kind), row.since, row.until, row.wage, row.pays_late, row.variation)
    year, index = divmod(_index(quarter) - row.quarters_off, 4)
    earned = income_of(source, year, index + 1)
    if earned is None:
        return None
    return Income(source, *quarter, earned.accrued, earned.paid, earned.tax_charged, earned.tax_transferred)


def _quarters(first: Quarter, last: Quarter) -> Iterator[Quarter]:
    for index in range(_index(first), _index(last) + 1):
        year, quarter = divmod(index, 4)
        yield year, quarter + 1


def _index(quarter: Quarter) -> int:
    return quarter[0] * 4 + quarter[1] - 1
