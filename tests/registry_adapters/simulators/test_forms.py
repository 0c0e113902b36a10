"""SOAP and REST say the same; an independent client reads the WSDLs; what is declared holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.xroad.identifiers import ServiceId
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.faults import parse_fault
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.xml import NS_SOAP11, parse_xml
from registry_adapters.population.people import WELL_KNOWN
from registry_adapters.sdk.context import CONTEXT_NS
from registry_adapters.sdk.contract import check_registry
from registry_adapters.sdk.fields import from_json, to_json
from registry_adapters.sdk.fields_xml import from_xml, to_xml
from registry_adapters.sdk.operations import Operation
from registry_adapters.sdk.persons import PersonCriterion
from registry_adapters.simulators.business import SubjectQuestion, SubjectsQuestion
from registry_adapters.simulators.civil_status import ActKind, ActsQuestion, CertificateQuestion
from registry_adapters.simulators.property_rights import RightsQuestion
from tests.registry_adapters.shim import listening
from tests.registry_adapters.simulators.conftest import SIMULATORS
from tests.registry_adapters.world import INVESTIGATOR, SERVICES, World, a_client

zeep = pytest.importorskip("zeep", reason="zeep is not installed")

PURPOSE = "INVESTIGATION"
BLOCK = f'<ctx:purposeIds xmlns:ctx="{CONTEXT_NS}">{PURPOSE}</ctx:purposeIds>'.encode()

CODES = st.sampled_from([p.rnokpp for p in WELL_KNOWN if p.rnokpp]) | st.text("0123456789", max_size=11)
DOCUMENTS = st.sampled_from([d.number for p in WELL_KNOWN for d in p.documents]) | st.text("АВ 0123456789", max_size=9)
NAMES = st.sampled_from([(p.surname, p.given_name, p.birth_date) for p in WELL_KNOWN])
CRITERIA: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"rnokpp": CODES}),
    st.fixed_dictionaries({"document": DOCUMENTS}),
    st.fixed_dictionaries({}, optional={"rnokpp": CODES, "document": DOCUMENTS}),
    NAMES.map(lambda name: dict(zip(("surname", "given_name", "birth_date"), name, strict=True))),
)
EDRPOU = st.sampled_from(["99010512", "99010529"]) | st.text("0123456789", max_size=9)
QUESTIONS = {
    ("civil_status", "FindActs"): st.builds(
        lambda criterion, kind: ActsQuestion(**criterion, kind=kind), CRITERIA, st.none() | st.sampled_from(ActKind)
    ),
    ("civil_status", "GetCertificate"): st.builds(
        CertificateQuestion, st.sampled_from(["І-ИК", "1-ИК", "X"]), st.sampled_from(["901695", "000001"])
    ),
    ("business", "FindSubjects"): st.builds(
        SubjectsQuestion, st.none() | CODES | EDRPOU, st.none() | st.sampled_from(["ТОВ «Золотий лан»", "ніхто"])
    ),
    ("business", "GetSubject"): st.builds(SubjectQuestion, st.sampled_from(["1000000008", "9000000020", "7"])),
    ("property_rights", "FindRights"): st.builds(
        RightsQuestion,
        rnokpp=st.none() | CODES,
        edrpou=st.none() | EDRPOU,
        cadastral_number=st.none() | st.sampled_from(["8000000000:90:999:0012", "8000000000:90:999"]),
    ),
    ("displaced", "GetCertificate"): CRITERIA.map(lambda criterion: PersonCriterion(**criterion)),
}


@pytest.fixture(scope="module")
def urls(world: World) -> Iterator[dict[str, str]]:
    """The registries themselves, as a provider's security server reaches them."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(listening(app)) for name, app in world.apps.items()}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield client


def by_soap(http: httpx.Client, url: str, world: World, registry: str, operation: Operation, asked: Any) -> Any:
    service = world.registries[registry].soap
    called = ServiceId(a_client(SERVICES[registry][0]), operation.name, service.version)
    headers = SoapHeaders(a_client(INVESTIGATOR), called, "soap-1", user_id="clerk")
    body = to_xml(asked, operation.name, service.namespace)
    raw = build_envelope(headers, _written(body)).replace(b"</SOAP-ENV:Header>", BLOCK + b"</SOAP-ENV:Header>")
    response = http.post(f"{url}/soap", content=raw, headers={"Content-Type": "text/xml; charset=UTF-8"})
    if response.status_code == 500:
        return parse_fault(response.content).code.rpartition(".")[2]
    element = parse_xml(response.content).find(f"{{{NS_SOAP11}}}Body/*")
    assert element is not None
    return from_xml(operation.response, element)


def by_rest(http: httpx.Client, url: str, world: World, registry: str, operation: Operation, asked: Any) -> Any:
    route = next(one for one in world.registries[registry].rest.routes if one.operation is operation)
    fields, path = to_json(asked), route.path
    for name in route.path_parameters:
        path = path.replace(f"{{{name}}}", quote(fields.pop(name), safe=""))
    headers = {"X-Road-Client": str(a_client(INVESTIGATOR)), "X-Road-UserId": "clerk", "Uxp-Purpose-Ids": PURPOSE}
    response = http.get(url + path, params=fields, headers=headers)
    if response.status_code != 200:
        return response.json()["type"].rpartition(":")[2]
    return from_json(operation.response, response.json())


def _written(element: Any) -> bytes:
    from lxml import etree

    return etree.tostring(element)


@pytest.mark.parametrize(("registry", "name"), QUESTIONS)
def test_soap_and_rest_give_equal_answers(
    world: World, urls: dict[str, str], http: httpx.Client, registry: str, name: str
) -> None:
    operation = world.registries[registry].soap.operations[name]

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(QUESTIONS[registry, name])
    def holds(asked: Any) -> None:
        arguments = (http, urls[registry], world, registry, operation, asked)
        assert by_soap(*arguments) == by_rest(*arguments)

    holds()


@pytest.mark.parametrize("registry", SIMULATORS)
def test_zeep_loads_the_description_and_its_operations(world: World, urls: dict[str, str], registry: str) -> None:
    logging.getLogger("zeep").setLevel(logging.WARNING)
    loaded = zeep.Client(f"{urls[registry]}/soap?wsdl", settings=zeep.Settings(strict=True))
    try:
        binding = next(iter(loaded.wsdl.bindings.values()))
        assert set(binding._operations) == set(world.registries[registry].soap.operations)
    finally:
        loaded.transport.session.close()


@pytest.mark.parametrize("registry", SIMULATORS)
def test_what_the_registry_declares_holds(world: World, registry: str) -> None:
    results = check_registry(world.registries[registry])
    assert [str(result) for result in results if result.problems] == []
    assert [str(result) for result in results if result.skipped] == []
