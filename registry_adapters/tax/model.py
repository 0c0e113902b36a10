"""A taxpayer as the tax service knows one, and the messages that ask for and tell it.

These are the wire's types too: what a field is called here is what SOAP and REST call it. Whatever a
purpose may do without can be left out, so that it can be withheld.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from registry_adapters.population.work import IncomeKind
from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.matching import Confidence, MatchedBy
from registry_adapters.sdk.tickets import TicketState


class TaxpayerStatus(StrEnum):
    """How a taxpayer stands in the register."""

    REGISTERED = "registered"
    REFUSED_NUMBER = "refused_number"  # for religious belief: known by passport (tax code of Ukraine, 63.6)
    DECEASED = "deceased"


class SoleTraderStatus(StrEnum):
    """Whether a registration as a sole trader is in force."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Taxpayer:
    """A natural person in the register of taxpayers."""

    rnokpp: Annotated[str | None, Declared("Taxpayer's number; nobody's who refused one.", max_length=10)] = None
    surname: Annotated[str | None, Declared("Surname.", max_length=100)] = None
    given_name: Annotated[str | None, Declared("Given name.", max_length=100)] = None
    patronymic: Annotated[str | None, Declared("Patronymic.", max_length=100)] = None
    birth_date: Annotated[date | None, Declared("Birth date.")] = None
    registered_on: Annotated[date | None, Declared("Since when in the register.")] = None
    status: Annotated[TaxpayerStatus | None, Declared("How the person stands in the register.")] = None


@dataclass(frozen=True, slots=True)
class TaxpayerAnswer:
    """The taxpayer, nobody, or how many it could be: several are never narrowed down by a guess."""

    found: Annotated[bool, Declared("Whether exactly one taxpayer was found.")]
    matched_by: Annotated[MatchedBy, Declared("The criterion that was used.")]
    count: Annotated[int, Declared("How many taxpayers fit.")]
    ambiguous: Annotated[bool, Declared("Whether several fit; none of them is told.")]
    confidence: Annotated[Confidence | None, Declared("How sure it is that this is the person asked for.")] = None
    warnings: Annotated[tuple[str, ...], Declared("What looked odd, such as `rnokpp_check_digit`.")] = ()
    taxpayer: Annotated[Taxpayer | None, Declared("The taxpayer found.")] = None
    withheld: Annotated[tuple[str, ...], Declared("Fields the purpose does not cover.")] = ()


@dataclass(frozen=True, slots=True)
class NumberQuestion:
    """A taxpayer by number."""

    rnokpp: Annotated[str, Declared("Taxpayer's number.", max_length=10, example="3347300028")]


@dataclass(frozen=True, slots=True)
class ArrearsAnswer:
    """Whether a taxpayer owes anything; never how much or for what."""

    found: Annotated[bool, Declared("Whether exactly one taxpayer was found.")]
    count: Annotated[int, Declared("How many taxpayers fit.")]
    ambiguous: Annotated[bool, Declared("Whether several records have that number; none of them is told.")]
    warnings: Annotated[tuple[str, ...], Declared("What looked odd, such as `rnokpp_check_digit`.")] = ()
    has_arrears: Annotated[bool | None, Declared("Whether taxes are overdue; absent when nobody was found.")] = None
    withheld: Annotated[tuple[str, ...], Declared("Fields the purpose does not cover.")] = ()


@dataclass(frozen=True, slots=True)
class SoleTraderAnswer:
    """What the register says of a taxpayer as a sole trader; a registration that has ended is told too."""

    found: Annotated[bool, Declared("Whether exactly one taxpayer was found.")]
    count: Annotated[int, Declared("How many taxpayers fit.")]
    ambiguous: Annotated[bool, Declared("Whether several records have that number; none of them is told.")]
    warnings: Annotated[tuple[str, ...], Declared("What looked odd, such as `rnokpp_check_digit`.")] = ()
    is_sole_trader: Annotated[
        bool | None, Declared("Whether a registration is in force; absent when nobody was found.")
    ] = None
    status: Annotated[SoleTraderStatus | None, Declared("Of the registration; absent when there never was one.")] = None
    registered_on: Annotated[date | None, Declared("Day of registration.")] = None
    ended_on: Annotated[date | None, Declared("Day on which it ended.")] = None
    tax_group: Annotated[int | None, Declared("Group of the simplified tax system, 1 to 3.")] = None
    activity_codes: Annotated[
        tuple[str, ...], Declared("Kinds of activity (КВЕД), the main one first.", max_length=5, example="62.01")
    ] = ()
    withheld: Annotated[tuple[str, ...], Declared("Fields the purpose does not cover.")] = ()


@dataclass(frozen=True, slots=True)
class IncomeQuestion:
    """Whose incomes, from which quarter to which; exactly one of `rnokpp` and, for who refused one, `document`."""

    from_year: Annotated[int, Declared("Year of the first quarter.", example="2025")]
    from_quarter: Annotated[int, Declared("The first quarter, 1 to 4.", example="3")]
    to_year: Annotated[int, Declared("Year of the last quarter.", example="2025")]
    to_quarter: Annotated[int, Declared("The last quarter, 1 to 4.", example="4")]
    rnokpp: Annotated[str | None, Declared("Taxpayer's number.", max_length=10, example="3347300028")] = None
    document: Annotated[
        str | None, Declared("Number of an ID card or booklet.", max_length=20, example="МЕ 000777")
    ] = None


@dataclass(frozen=True, slots=True)
class IncomeTicket:
    """What the answer is fetched with, and from when on."""

    ticket: Annotated[str, Declared("Identifier of the request.", max_length=36)]
    submitted_at: Annotated[datetime, Declared("When it was taken in.")]
    ready_at: Annotated[datetime, Declared("When the answer can be fetched.")]


@dataclass(frozen=True, slots=True)
class TicketQuestion:
    """The answer to a request taken in before."""

    ticket: Annotated[
        str, Declared("Identifier of the request.", max_length=36, example="3f0c8a52-9d1e-4d55-8a64-0a5a3a9f0c11")
    ]


@dataclass(frozen=True, slots=True)
class IncomeSource:
    """What one tax agent reported for one quarter, in hryvnias."""

    agent_code: Annotated[str | None, Declared("The tax agent's EDRPOU code.", max_length=8)] = None
    agent_name: Annotated[str | None, Declared("The tax agent's name.", max_length=255)] = None
    year: Annotated[int | None, Declared("Year.")] = None
    quarter: Annotated[int | None, Declared("Quarter, 1 to 4.")] = None
    accrued: Annotated[Decimal | None, Declared("Income accrued.", example="61992.00")] = None
    paid: Annotated[Decimal | None, Declared("Income paid out.", example="61992.00")] = None
    tax_charged: Annotated[Decimal | None, Declared("Income tax and military levy charged on what was accrued.")] = None
    tax_transferred: Annotated[Decimal | None, Declared("Of these, transferred with what was paid.")] = None
    kind: Annotated[
        IncomeKind | None, Declared("Code of the income: 101 wage, 102 civil contract, 157 paid to a sole trader.")
    ] = None


@dataclass(frozen=True, slots=True)
class IncomeAnswer:
    """How far a request has come, and its answer if this message gives it.

    `ready`: this message is the answer, and the only one. `pending`: ask again from `ready_at` on. `given`: it was
    given before. `expired`: nobody fetched it in time. `failed`: it cannot be answered.
    """

    status: Annotated[TicketState, Declared("How far the request has come.")]
    ready_at: Annotated[datetime, Declared("From when on the answer can be fetched.")]
    found: Annotated[bool | None, Declared("Whether exactly one taxpayer was found; only in the answer.")] = None
    count: Annotated[int | None, Declared("How many taxpayers fit; only in the answer.")] = None
    ambiguous: Annotated[bool | None, Declared("Whether several fit; only in the answer.")] = None
    warnings: Annotated[tuple[str, ...], Declared("What looked odd, such as `rnokpp_check_digit`.")] = ()
    failure: Annotated[str | None, Declared("Name of the error when it failed.", max_length=255)] = None
    sources: Annotated[
        tuple[IncomeSource, ...], Declared("By quarter and tax agent; a quarter not yet over has none.")
    ] = ()
    total_accrued: Annotated[Decimal | None, Declared("Sum of what was accrued.")] = None
    total_paid: Annotated[Decimal | None, Declared("Sum of what was paid.")] = None
    total_tax_charged: Annotated[Decimal | None, Declared("Sum of tax and levy charged.")] = None
    total_tax_transferred: Annotated[Decimal | None, Declared("Sum of tax and levy transferred.")] = None
    withheld: Annotated[tuple[str, ...], Declared("Fields the purpose does not cover.")] = ()
