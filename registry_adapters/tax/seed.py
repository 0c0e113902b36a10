"""Taxpayers of the synthetic population: streamed, agreeing with the other registries but for a known share.

Two in a hundred taxpayers stand here with one error, each a kind that registries do have:

    misspelt_name     two letters of the surname are swapped
    other_birth_date  the month is off by one
    former_document   the passport is one that has been replaced or lost, for those who have had two
    duplicate         the taxpayer stands here twice, the second time misspelt
    other_quarter     tax agents' reports are booked a quarter too late, for those who have any

Which is drawn from the seed and the person alone. The well-known persons have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import Connection, Table, select

from gateway.runtime.database import Database
from registry_adapters.population.loading import insert_rows, load_rows
from registry_adapters.population.model import Record
from registry_adapters.population.people import AS_OF
from registry_adapters.population.seeding import Progress
from registry_adapters.population.wellknown import WELL_KNOWN
from registry_adapters.population.work import EMPLOYERS, SoleTrader, Source, Work, work_of
from registry_adapters.sdk.matching import name_key
from registry_adapters.settings import RegistrySettings
from registry_adapters.tax.model import TaxpayerStatus
from registry_adapters.tax.store import names_key
from registry_adapters.tax.tables import LOOKUPS, agent, income_source, seeding, sole_trader, taxpayer

GENERATOR: Final = "tax-1"  # changes when the same seed would give other rows
ERROR_SHARE: Final = 0.02

_REGISTER_SINCE: Final = date(1996, 1, 1)
_DAY: Final = timedelta(days=1)

Row = tuple[Any, ...]  # in the order of the table's columns; dates as ISO texts
_key: Final = lru_cache(maxsize=4096)(name_key)  # there are few names


class Mistake(StrEnum):
    """What can be wrong with a taxpayer's data."""

    MISSPELT_NAME = "misspelt_name"
    OTHER_BIRTH_DATE = "other_birth_date"
    FORMER_DOCUMENT = "former_document"
    DUPLICATE = "duplicate"
    OTHER_QUARTER = "other_quarter"


def fill(database: Database, settings: RegistrySettings, progress: Progress | None = None) -> int:
    """Make what is missing of the population's taxpayers; return how many persons were gone through."""
    with database.transaction() as connection:
        if connection.execute(select(agent.c.code).limit(1)).first() is None:
            insert_rows(connection, agent, [(each.code, each.name) for each in EMPLOYERS])

    def write(chunk: Sequence[Record], connection: Connection) -> None:
        for table, rows in rows_of(settings.seed, chunk).items():
            insert_rows(connection, table, rows)

    return load_rows(database, seeding, LOOKUPS, GENERATOR, settings.seed, settings.persons, write, progress)


def is_taxpayer(record: Record) -> bool:
    """Tell whether the register knows a person: by number, or by the document of who refused one."""
    return record.person.rnokpp is not None or record.person.rnokpp_refused


def mistake_in(seed: int, record: Record, work: Work) -> Mistake | None:
    """Return what is wrong with a taxpayer's data here."""
    if record.number <= len(WELL_KNOWN) or not is_taxpayer(record):
        return None
    drawn = _drawn(seed, record, b"mistake")
    if drawn % 10_000 >= ERROR_SHARE * 10_000:
        return None
    possible = [Mistake.MISSPELT_NAME, Mistake.OTHER_BIRTH_DATE, Mistake.DUPLICATE]
    possible += [Mistake.FORMER_DOCUMENT] if len(record.person.documents) > 1 else []
    possible += [Mistake.OTHER_QUARTER] if work.sources else []
    return possible[drawn // 10_000 % len(possible)]


def rows_of(seed: int, records: Sequence[Record]) -> dict[Table, list[Row]]:
    """Return the rows that persons give the registry, by table."""
    rows: dict[Table, list[Row]] = {taxpayer: [], sole_trader: [], income_source: []}
    for record in records:
        if not is_taxpayer(record):
            continue
        work = work_of(seed, record)
        mistake = mistake_in(seed, record, work)
        number = record.number * 2  # odd ones are for duplicates
        rows[taxpayer].append(_taxpayer_row(seed, record, number, work.has_arrears, mistake))
        if mistake is Mistake.DUPLICATE:
            rows[taxpayer].append(_taxpayer_row(seed, record, number + 1, False, Mistake.MISSPELT_NAME))
        if work.sole_trader:
            rows[sole_trader].append(_sole_trader_row(number, work.sole_trader))
        off = int(mistake is Mistake.OTHER_QUARTER)
        rows[income_source].extend(_source_row(number, source, off) for source in work.sources)
    return rows


def _taxpayer_row(seed: int, record: Record, number: int, has_arrears: bool, mistake: Mistake | None) -> Row:
    held = record.person
    surname = misspelt(held.surname) if mistake is Mistake.MISSPELT_NAME else held.surname
    documents = held.documents
    born = month_off(held.birth_date) if mistake is Mistake.OTHER_BIRTH_DATE else held.birth_date
    return (
        number,
        held.rnokpp,
        held.unzr,
        documents[mistake is Mistake.FORMER_DOCUMENT].number if documents else None,
        surname,
        held.given_name,
        held.patronymic,
        names_key(surname, held.given_name),
        _key(held.patronymic) if held.patronymic else None,
        born.isoformat(),
        _registered_on(seed, record).isoformat(),
        _status(record).value,
        has_arrears,
    )


def _status(record: Record) -> TaxpayerStatus:
    if record.person.died_on:
        return TaxpayerStatus.DECEASED
    return TaxpayerStatus.REFUSED_NUMBER if record.person.rnokpp is None else TaxpayerStatus.REGISTERED


def _registered_on(seed: int, record: Record) -> date:
    """Return a day some weeks after birth, or after the register began."""
    since = max(record.person.birth_date, _REGISTER_SINCE)
    return min(since + _DAY * (10 + _drawn(seed, record, b"registered") % 300), AS_OF - _DAY)


def _sole_trader_row(number: int, held: SoleTrader) -> Row:
    ended_on = held.ended_on.isoformat() if held.ended_on else None
    codes = ",".join(activity.code for activity in held.activities)
    return number, held.registered_on.isoformat(), ended_on, held.tax_group, codes


def _source_row(number: int, held: Source, off: int) -> Row:
    return (
        number,
        held.employer.code,
        held.kind.value,
        held.since.isoformat(),
        held.until.isoformat() if held.until else None,
        held.wage,
        held.pays_late,
        held.variation,
        off,
    )


def misspelt(surname: str) -> str:
    """Return a surname with its first two unequal letters inside swapped."""
    for place in range(1, len(surname) - 1):
        if surname[place] != surname[place + 1]:
            return f"{surname[:place]}{surname[place + 1]}{surname[place]}{surname[place + 2 :]}"
    return f"{surname}{surname[-1]}"


def month_off(day: date) -> date:
    """Return a day with the month before it, in January the one after."""
    return day.replace(day=min(day.day, 28), month=day.month - 1 if day.month > 1 else 2)


def _drawn(seed: int, record: Record, what: bytes) -> int:
    text = f"{seed}/{record.number}".encode()
    return int.from_bytes(blake2b(text, digest_size=8, person=b"tax-" + what).digest())
