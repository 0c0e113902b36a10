"""SOAP and REST answer alike, and zeep, an independent SOAP client, works from the WSDL alone."""

from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.xroad.xml import NS_SOAP11
from registry_adapters.population.people import people
from registry_adapters.sdk.context import CONTEXT_NS
from registry_adapters.sdk.fields import to_json
from registry_adapters.sdk.persons import PersonCriterion
from registry_adapters.tax.model import IncomeQuestion, NumberQuestion, TicketQuestion
from tests.factories.tax import FEW, INVESTIGATOR, TAX, Asker, TaxOffice, refusal

zeep = pytest.importorskip("zeep", reason="zeep is not installed")

PERSONS = [record.person for record in islice(people(FEW.seed), FEW.persons)]
NUMBERS = st.sampled_from([person.rnokpp for person in PERSONS if person.rnokpp]) | st.from_regex(
    "[0-9]{10}", fullmatch=True
)
DOCUMENTS = st.sampled_from([held.number for person in PERSONS for held in person.documents])
NAMES = st.sampled_from(PERSONS).map(
    lambda person: PersonCriterion(surname=person.surname, given_name=person.given_name, birth_date=person.birth_date)
)
CRITERIA = st.one_of(
    NUMBERS.map(lambda number: PersonCriterion(rnokpp=number)),
    DOCUMENTS.map(lambda number: PersonCriterion(document=number)),
    st.sampled_from([person.unzr for person in PERSONS if person.unzr]).map(lambda unzr: PersonCriterion(unzr=unzr)),
    NAMES,
    st.builds(PersonCriterion, rnokpp=st.none() | st.text("0123456789x", max_size=12), document=st.none() | DOCUMENTS),
)
QUARTER = st.integers(0, 5)
YEAR = st.integers(2023, 2026)
QUESTIONS = st.builds(IncomeQuestion, YEAR, QUARTER, YEAR, QUARTER, NUMBERS) | st.builds(
    IncomeQuestion, st.just(2023), st.integers(1, 4), st.just(2025), st.integers(1, 4), NUMBERS
)
often = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def asked_both_ways(asker: Asker, operation: str, asked: Any) -> tuple[Any, Any] | None:
    """Return the answers of REST and SOAP, or None where both refuse for the same reason."""
    rest, soap = asker.rest(operation, **to_json(asked)), asker.soap(operation, asked)
    if rest.status_code != 200:
        assert refusal(rest)[1] == refusal(soap)[1]
        return None
    return asker.read(operation, rest), asker.read(operation, soap)


@often
@given(asked=CRITERIA)
def test_soap_and_rest_find_the_same_taxpayer(investigator: Asker, asked: PersonCriterion) -> None:
    answers = asked_both_ways(investigator, "GetTaxpayer", asked)
    assert answers is None or answers[0] == answers[1]


@often
@given(number=NUMBERS, operation=st.sampled_from(["GetArrears", "GetSoleTrader"]))
def test_soap_and_rest_tell_the_same_of_a_number(investigator: Asker, number: str, operation: str) -> None:
    answers = asked_both_ways(investigator, operation, NumberQuestion(number))
    assert answers is not None
    assert answers[0] == answers[1]


@often
@given(asked=QUESTIONS)
def test_soap_and_rest_give_the_same_incomes(investigator: Asker, office: TaxOffice, asked: IncomeQuestion) -> None:
    tickets = asked_both_ways(investigator, "SubmitIncomeRequest", asked)
    if tickets is None:
        return
    assert tickets[0].ready_at == tickets[1].ready_at
    office.clock.advance(seconds=FEW.income_delay_s)
    by_rest = investigator.by_rest("GetIncome", ticket=tickets[1].ticket)
    by_soap = investigator.by_soap("GetIncome", TicketQuestion(tickets[0].ticket))
    assert by_rest == by_soap
    assert by_rest.status == "ready"


class NamesPurpose(zeep.Plugin):  # type: ignore[misc,name-defined]
    """Puts the purpose, a header block of ours that the WSDL does not list, into what zeep sends."""

    def egress(self, envelope: Any, http_headers: Any, operation: Any, binding_options: Any) -> Any:
        header = envelope.find(f"{{{NS_SOAP11}}}Header")
        etree.SubElement(header, f"{{{CONTEXT_NS}}}purposeIds").text = "INVESTIGATION"
        return envelope, http_headers


@pytest.fixture(scope="module")
def client(office: TaxOffice) -> Any:
    logging.getLogger("zeep").setLevel(logging.WARNING)
    strict = zeep.Settings(strict=True, xml_huge_tree=False)
    loaded = zeep.Client(f"{office.url}/soap?wsdl", settings=strict, plugins=[NamesPurpose()])
    yield loaded
    loaded.transport.session.close()


def called(client: Any, operation: str, **fields: Any) -> Any:
    """The body of the answer to a call by zeep."""
    names = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
    provider = dict(zip(names, TAX.parts, strict=True))
    headers = {
        "client": {"objectType": "SUBSYSTEM", **dict(zip(names, INVESTIGATOR.parts, strict=True))},
        "service": {"objectType": "SERVICE", **provider, "serviceCode": operation, "serviceVersion": "v1"},
        "id": f"zeep-{operation}",
        "userId": "clerk",
        "protocolVersion": "4.0",
    }
    return getattr(client.service, operation)(_soapheaders=headers, **fields).body


def test_zeep_knows_the_five_operations(client: Any) -> None:
    binding = next(iter(client.wsdl.bindings.values()))
    operations = ["GetTaxpayer", "GetArrears", "GetSoleTrader", "SubmitIncomeRequest", "GetIncome"]
    assert sorted(binding._operations) == sorted(operations)
    assert list(client.wsdl.services) == ["TaxRegistry"]


def test_zeep_writes_and_reads_incomes(client: Any, office: TaxOffice) -> None:
    period = {"fromYear": 2025, "fromQuarter": 3, "toYear": 2025, "toQuarter": 4}
    submitted = called(client, "SubmitIncomeRequest", rnokpp="3347300028", **period)
    office.clock.advance(seconds=60)
    income = called(client, "GetIncome", ticket=submitted.ticket)
    assert (income.status, len(income.sources)) == ("ready", 2)
    assert income.totalAccrued == Decimal("135792.00")


def test_zeep_reads_a_sole_trader(client: Any) -> None:
    answer = called(client, "GetSoleTrader", rnokpp="2836000078")
    assert (answer.isSoleTrader, answer.registeredOn) == (True, date(2019, 4, 15))
    assert answer.activityCodes == ["62.01", "62.02"]
