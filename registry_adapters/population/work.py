"""Who works where, earns what, trades on their own account or owes tax: facts several registries agree on.

Everything is a pure function of a seed and one person, so no registry has to be asked for it and no
order matters. A person's sources of income are few and pay month by month; the income of any quarter is
computed from them and not listed anywhere. From every wage the payer withholds 18 % income tax and the
military levy (tax code of Ukraine, 167.1; law 4015-IX: 5 % since December 2024, 1.5 % before); what is
paid to a sole trader is told to the tax service but not taxed there.

    work_of(seed, record).sole_trader, .sources, .has_arrears
    income_of(source, 2025, 3)

Who is younger than twenty, or unknown to the tax service (without a taxpayer's number, and did not refuse
one), has none of it. Nobody without a number is a sole trader. The dead stop working on the day they die.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from registry_adapters.population.model import Record
from registry_adapters.population.people import AS_OF
from registry_adapters.sdk.identifiers import edrpou_check_digit

INCOME_TAX: Final = Decimal("0.18")
MILITARY_LEVY: Final = Decimal("0.05")
MILITARY_LEVY_BEFORE: Final = Decimal("0.015")
MILITARY_LEVY_RAISED: Final = (2024, 12)
MINIMUM_WAGE: Final = 8647  # hryvnias a month (budget of Ukraine for 2026)

_KOPIYKA: Final = Decimal("0.01")
_ZERO: Final = Decimal("0.00")
_RAISE_PERCENT: Final = 8  # of a year, back from and on after the base year
_LEAST_PERCENT: Final = 20
_SOLE_TRADERS_SINCE: Final = date(2004, 7, 1)  # the state register's first day
_DAY: Final = timedelta(days=1)
_YEAR: Final = timedelta(days=365.2425)


class IncomeKind(StrEnum):
    """What an income is, by the tax service's list of codes."""

    WAGE = "101"
    CONTRACT = "102"  # work under a civil contract
    SOLE_TRADER = "157"  # paid to somebody self-employed


@dataclass(frozen=True, slots=True)
class Employer:
    """An organisation that pays; `code` is its EDRPOU code."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Activity:
    """A kind of economic activity (КВЕД-2010), with the simplified tax group usual for it."""

    code: str
    title: str
    tax_group: int


@dataclass(frozen=True, slots=True)
class SoleTrader:
    """A registration as a sole trader (ФОП); the first activity is the main one."""

    registered_on: date
    ended_on: date | None
    tax_group: int
    activities: tuple[Activity, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Somebody who pays a person each month from `since` to `until`; `wage` is hryvnias a month in the base year."""

    employer: Employer
    kind: IncomeKind
    since: date
    until: date | None
    wage: int
    pays_late: bool = False  # each month's money comes a month later
    variation: int = 0  # makes months differ


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to say of one person, as of any day."""

    sources: tuple[Source, ...] = ()
    sole_trader: SoleTrader | None = None
    has_arrears: bool = False


@dataclass(frozen=True, slots=True)
class Income:
    """What one source reported for one quarter, in hryvnias and kopiyky."""

    source: Source
    year: int
    quarter: int
    accrued: Decimal
    paid: Decimal
    tax_charged: Decimal
    tax_transferred: Decimal


ACTIVITIES: Final = tuple(
    Activity(*entry)
    for entry in (
        ("01.13", "Вирощування овочів і баштанних культур, коренеплодів і бульбоплодів", 2),
        ("43.21", "Електромонтажні роботи", 2),
        ("43.31", "Штукатурні роботи", 2),
        ("43.39", "Інші роботи із завершення будівництва", 2),
        ("45.20", "Технічне обслуговування та ремонт автотранспортних засобів", 2),
        ("47.71", "Роздрібна торгівля одягом у спеціалізованих магазинах", 2),
        ("47.81", "Роздрібна торгівля з лотків і на ринках харчовими продуктами, напоями та тютюновими виробами", 1),
        ("47.91", "Роздрібна торгівля, що здійснюється фірмами поштового замовлення або через мережу Інтернет", 2),
        ("49.32", "Надання послуг таксі", 2),
        ("49.41", "Вантажний автомобільний транспорт", 3),
        ("56.10", "Діяльність ресторанів, надання послуг мобільного харчування", 2),
        ("62.01", "Комп'ютерне програмування", 3),
        ("62.02", "Консультування з питань інформатизації", 3),
        ("68.20", "Надання в оренду й експлуатацію власного чи орендованого нерухомого майна", 3),
        ("69.20", "Діяльність у сфері бухгалтерського обліку й аудиту; консультування з питань оподаткування", 3),
        ("70.22", "Консультування з питань комерційної діяльності й керування", 3),
        ("74.10", "Спеціалізована діяльність із дизайну", 3),
        ("74.20", "Діяльність у сфері фотографії", 2),
        ("85.59", "Інші види освіти, н. в. і. у.", 2),
        ("95.11", "Ремонт комп'ютерів і периферійного устатковання", 2),
        ("95.23", "Ремонт взуття та шкіряних виробів", 1),
        ("95.29", "Ремонт інших побутових виробів і предметів особистого вжитку", 1),
        ("96.02", "Надання послуг перукарнями та салонами краси", 1),
    )
)
_ACTIVITY: Final = {activity.code: activity for activity in ACTIVITIES}

_TRADES: Final = (
    "ТОВ «Агрофірма «{}»", "ТОВ «Будівельна компанія «{}»", "ТОВ «Торговий дім «{}»", "ТОВ «Видавництво «{}»",
    "ПрАТ «Хлібозавод «{}»", "ПрАТ «Меблева фабрика «{}»", "ТОВ «Автотранспортне підприємство «{}»",
    "ТОВ «Пекарня «{}»", "ТОВ «Мережа аптек «{}»", "ТОВ «Кондитерська фабрика «{}»", "ТОВ «Швейна фабрика «{}»",
    "ТОВ «Інформаційні системи «{}»", "КНП «Медичний центр «{}»", "Комунальний заклад «Ліцей «{}»",
    "Комунальне підприємство «Тепломережа «{}»", "Фермерське господарство «{}»", "ТОВ «Логістичний центр «{}»",
)  # fmt: skip
_PROPER_NAMES: Final = (
    "Світанок", "Дніпро", "Каштан", "Явір", "Калина", "Мрія", "Обрій", "Надія", "Злагода", "Барвінок", "Джерело",
    "Сузір'я", "Поділля", "Полісся", "Карпати", "Таврія", "Слобожанщина", "Лелека", "Промінь", "Веселка", "Смерека",
    "Верба", "Колос", "Соняшник",
)  # fmt: skip


def _employer(number: int) -> Employer:
    digits = f"{9_920_000 + number:07d}"
    name = _TRADES[number % len(_TRADES)].format(_PROPER_NAMES[number // len(_TRADES)])
    return Employer(f"{digits}{edrpou_check_digit(digits)}", name)


# Whoever pays anybody: companies and institutions with codes that have a valid check digit and belong to nobody real.
EMPLOYERS: Final = tuple(_employer(number) for number in range(len(_TRADES) * len(_PROPER_NAMES)))

# The well-known persons' facts stand here and are not drawn.
TOLD: Final = {
    1: Work((Source(EMPLOYERS[13], IncomeKind.WAGE, date(2019, 9, 2), None, 24_600),)),
    2: Work((Source(EMPLOYERS[18], IncomeKind.WAGE, date(2021, 3, 15), None, 31_000, variation=3),), has_arrears=True),
    3: Work(),
    4: Work(
        (
            Source(EMPLOYERS[4], IncomeKind.WAGE, date(2008, 5, 12), date(2022, 3, 31), 14_200, variation=5),
            Source(EMPLOYERS[30], IncomeKind.WAGE, date(2022, 9, 5), None, MINIMUM_WAGE),
        )
    ),
    5: Work((Source(EMPLOYERS[15], IncomeKind.WAGE, date(2016, 4, 4), None, 15_800, variation=2),)),
    6: Work((Source(EMPLOYERS[40], IncomeKind.WAGE, date(2014, 1, 9), None, 22_300),)),
    7: Work(),
    8: Work(
        (Source(EMPLOYERS[11], IncomeKind.SOLE_TRADER, date(2019, 5, 1), None, 68_000, variation=7),),
        SoleTrader(date(2019, 4, 15), None, 3, (_ACTIVITY["62.01"], _ACTIVITY["62.02"])),
    ),
    9: Work(),
}


@dataclass(slots=True)
class _Draws:
    """A few draws that depend on a seed and a person alone: a thousand times cheaper to begin than `random`."""

    left: int

    def below(self, limit: int) -> int:
        self.left, drawn = divmod(self.left, limit)
        return drawn

    def happens(self, per_mille: int) -> bool:
        return self.below(1000) < per_mille

    def day(self, first: date, last: date) -> date:
        return first + _DAY * self.below(max((last - first).days, 0) + 1)


def _draws(seed: int, record: Record) -> _Draws:
    text = f"{seed}/{record.number}".encode()
    return _Draws(int.from_bytes(blake2b(text, digest_size=64, person=b"work").digest()))


def work_of(seed: int, record: Record) -> Work:
    """Return where a person works, whether they are a sole trader and whether they owe tax."""
    told = TOLD.get(record.number)
    if told is not None:
        return told
    person = record.person
    age = (AS_OF - person.birth_date).days // 365
    if age < 20 or (person.rnokpp is None and not person.rnokpp_refused):
        return Work()
    draws = _draws(seed, record)
    until = person.died_on or AS_OF - _DAY
    trades = draws.happens(100 if age < 65 else 40)
    sole_trader = _sole_trader(draws, record, until) if trades and person.rnokpp else None
    employed = draws.happens(620 if age < 60 else 180)
    sources = (*_jobs(draws, record, until), *_contracts(draws, sole_trader)) if employed or sole_trader else ()
    if not employed:
        sources = tuple(source for source in sources if source.kind is IncomeKind.SOLE_TRADER)
    return Work(sources, sole_trader, draws.happens(40))


def _sole_trader(draws: _Draws, record: Record, until: date) -> SoleTrader:
    registered_on = draws.day(max(record.person.birth_date + _YEAR * 18, _SOLE_TRADERS_SINCE), until)
    ended = draws.happens(350)
    ended_on = draws.day(registered_on, until) if ended or record.person.died_on else None
    main = draws.below(len(ACTIVITIES))
    others = {(main + 1 + draws.below(len(ACTIVITIES) - 1)) % len(ACTIVITIES) for _ in range(draws.below(3))}
    activities = (ACTIVITIES[main], *(ACTIVITIES[number] for number in sorted(others)))
    return SoleTrader(registered_on, ended_on, ACTIVITIES[main].tax_group, activities)


def _jobs(draws: _Draws, record: Record, until: date) -> Iterator[Source]:
    """Yield the job, what was before it for some, and a contract beside it for a few."""
    first = max(record.person.birth_date + _YEAR * 19, AS_OF - _YEAR * 12)
    since = draws.day(first, until)
    left = draws.day(since, until) if draws.happens(120) or record.person.died_on else None
    wage = MINIMUM_WAGE + draws.below(20) * draws.below(20) * 180
    if draws.happens(300) and (since - first).days > 400:
        earlier = draws.day(first, since - _DAY * 200)
        yield _source(draws, IncomeKind.WAGE, earlier, since - _DAY * (1 + draws.below(150)), wage * 9 // 10)
    yield _source(draws, IncomeKind.WAGE, since, left, wage)
    if draws.happens(40):
        yield _source(draws, IncomeKind.CONTRACT, since, left, 2500 + draws.below(40) * 100)


def _contracts(draws: _Draws, sole_trader: SoleTrader | None) -> Iterator[Source]:
    """Yield the organisation that buys from a sole trader, for those who sell to one."""
    if sole_trader is not None and draws.happens(550):
        wage = 9000 + draws.below(90) * 1000
        yield _source(draws, IncomeKind.SOLE_TRADER, sole_trader.registered_on, sole_trader.ended_on, wage)


def _source(draws: _Draws, kind: IncomeKind, since: date, until: date | None, wage: int) -> Source:
    employer = EMPLOYERS[draws.below(len(EMPLOYERS))]
    return Source(employer, kind, since, until, wage, draws.happens(30), draws.below(100))


def income_of(source: Source, year: int, quarter: int) -> Income | None:
    """Return what a source reported for a quarter, None when it neither owed nor paid anything.

    A month counts whole, and so do the first and the last one.
    """
    months = [(year, 3 * (quarter - 1) + number) for number in (1, 2, 3)]
    paid_for = [_month_before(month) for month in months] if source.pays_late else months
    accrued, charged = _sums(source, months)
    paid, transferred = _sums(source, paid_for)
    if not accrued and not paid:
        return None
    return Income(source, year, quarter, accrued, paid, charged, transferred)


def _month_before(month: tuple[int, int]) -> tuple[int, int]:
    return (month[0] - 1, 12) if month[1] == 1 else (month[0], month[1] - 1)


def _sums(source: Source, months: list[tuple[int, int]]) -> tuple[Decimal, Decimal]:
    earned, withheld = _ZERO, _ZERO
    for month in months:
        wage = _wage(source, month)
        earned += wage
        if source.kind is not IncomeKind.SOLE_TRADER:
            withheld += withheld_from(wage, *month)
    return earned, withheld


def _wage(source: Source, month: tuple[int, int]) -> Decimal:
    last = (source.until.year, source.until.month) if source.until else month
    if not (source.since.year, source.since.month) <= month <= last:
        return _ZERO
    percent = max(100 + _RAISE_PERCENT * (month[0] - AS_OF.year), _LEAST_PERCENT)
    odd = (source.variation * 7919 + (month[0] * 12 + month[1]) * 104_729) % 1000 if source.variation else 0
    return (Decimal(source.wage * percent * (10_000 + odd)) / 1_000_000).quantize(_KOPIYKA, ROUND_HALF_UP)


def withheld_from(wage: Decimal, year: int, month: int) -> Decimal:
    """Return income tax and military levy of a month's wage, each rounded to the kopiyka."""
    levy = MILITARY_LEVY if (year, month) >= MILITARY_LEVY_RAISED else MILITARY_LEVY_BEFORE
    return sum(((wage * rate).quantize(_KOPIYKA, ROUND_HALF_UP) for rate in (INCOME_TAX, levy)), start=_ZERO)
