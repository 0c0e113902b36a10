"""The tax registry, declared: five operations, two of them for one slow answer."""

from __future__ import annotations

from datetime import timedelta

from registry_adapters.sdk.contract_questions import sampled
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.persons import PersonCriterion
from registry_adapters.sdk.registry import Registry
from registry_adapters.sdk.tickets import Tickets
from registry_adapters.settings import TaxSettings
from registry_adapters.tax.model import (
    ArrearsAnswer,
    IncomeAnswer,
    IncomeQuestion,
    IncomeTicket,
    NumberQuestion,
    SoleTraderAnswer,
    TaxpayerAnswer,
    TicketQuestion,
)
from registry_adapters.tax.operations import find_taxpayer, hand_out, take_in, tell_arrears, tell_sole_trader
from registry_adapters.tax.seed import fill
from registry_adapters.tax.store import subjects_of
from registry_adapters.tax.tables import ticket


def declare(settings: TaxSettings) -> Registry:
    """Return the registry; the settings say how slow incomes are."""
    registry = Registry(
        "tax",
        title="Register of taxpayers",
        doc="Natural persons as taxpayers: arrears, sole traders, incomes by quarter and source. Synthetic data.",
        service_name="TaxRegistry",
        migrations="registry_adapters.migrations.tax",
        fill=fill,
        subjects_of=subjects_of,
        purposes="registry_adapters.tax:purposes.toml",
    )
    incomes = Tickets(ticket, IncomeQuestion, IncomeAnswer, timedelta(seconds=settings.income_delay_s))

    @registry.operation("GetTaxpayer", "GET /taxpayers")
    def get_taxpayer(asked: PersonCriterion, call: Call) -> TaxpayerAnswer:
        """Find a taxpayer by number, document, or name and birth date.

        Give exactly one of these. Nobody found is an answer, and so is that several fit.
        """
        return find_taxpayer(asked, call)

    @registry.operation("GetArrears", "GET /taxpayers/{rnokpp}/arrears")
    def get_arrears(asked: NumberQuestion, call: Call) -> ArrearsAnswer:
        """Tell whether a taxpayer has overdue taxes: yes or no."""
        return tell_arrears(asked, call)

    @registry.operation("GetSoleTrader", "GET /taxpayers/{rnokpp}/sole-trader")
    def get_sole_trader(asked: NumberQuestion, call: Call) -> SoleTraderAnswer:
        """Tell whether and since when a taxpayer is a sole trader, with tax group and activities."""
        return tell_sole_trader(asked, call)

    @registry.operation("SubmitIncomeRequest", "POST /income-requests")
    @sampled(IncomeQuestion(2025, 3, 2025, 4, rnokpp="3347300028"), repeatable=False)
    def submit_income_request(asked: IncomeQuestion, call: Call) -> IncomeTicket:
        """Hand in a request for the incomes of up to twelve quarters.

        The answer is fetched with the ticket, from `ready_at` on, by the same client, once.
        """
        return take_in(incomes, asked, call)

    @registry.operation("GetIncome", "GET /income-requests/{ticket}")
    @sampled()  # needs a ticket, and gives its answer to one form only
    def get_income(asked: TicketQuestion, call: Call) -> IncomeAnswer:
        """Fetch the incomes that a ticket stands for, or ask how far the request has come.

        The answer is given once. Lost on its way, it is given again for the same message id within 15 minutes.
        """
        return hand_out(incomes, asked, call)

    return registry
