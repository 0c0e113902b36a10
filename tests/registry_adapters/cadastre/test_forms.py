"""SOAP and REST are two forms of the same answers, and the descriptions say what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.runtime.database import Database
from gateway.xroad.identifiers import MemberId, ServiceId, SubsystemId
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.faults import parse_fault
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.xml import NS_SOAP11, parse_xml
from registry_adapters.cadastre.model import HolderQuestion, ParcelAnswer, ParcelQuestion, ParcelsAnswer
from registry_adapters.cadastre.registry import registry
from registry_adapters.cadastre.tables import parcel
from registry_adapters.population.land import organisation_parcels
from registry_adapters.population.parcels import cadastral_number
from registry_adapters.population.people import people
from registry_adapters.population.settlements import COMPANIES, SETTLEMENTS
from registry_adapters.sdk.context import CONTEXT_NS
from registry_adapters.sdk.contract import check_registry
from registry_adapters.sdk.fields import describe, from_json, to_json
from registry_adapters.sdk.fields_xml import from_xml
from tests.factories.registry import rows_of

SNAP = SubsystemId(MemberId("UA-DEMO", "GOV", "10000001"), "SNAP")
DEMOGRAPHIC = SubsystemId(MemberId("UA-DEMO", "GOV", "10000002"), "DEMOGRAPHIC")
PROVIDER = SubsystemId(MemberId("UA-DEMO", "GOV", "10000003"), "CADASTRE")
NAMESPACE = "https://surma.example/registries/cadastre/v1"
# Who may name a purpose; the inheritance recipe has no need of GetParcel.
CLIENTS = {"LAND-EXTRACT": SNAP, "INHERITANCE-OF-LAND": SNAP, "INVESTIGATION": DEMOGRAPHIC, "HOUSING-SUBSIDY": SNAP}

KNOWN = [record for _, record in zip(range(400), people(1), strict=False)]
NUMBERS = st.one_of(
    st.builds(cadastral_number, st.integers(1, 400), st.integers(0, 9)),
    st.sampled_from([parcel.cadastral_number for n in range(1, 400) for parcel, _ in organisation_parcels(1, n)]),
    st.text("0123456789: ", max_size=25),
    st.text(max_size=30),
)
RNOKPPS = st.sampled_from([r.person.rnokpp for r in KNOWN if r.person.rnokpp]) | st.text("0123456789", max_size=11)
EDRPOUS = st.sampled_from([one.edrpou for one in (*COMPANIES, *(s.council for s in SETTLEMENTS))]) | st.text(
    "0123456789", max_size=9
)
DOCUMENTS = st.sampled_from([d.number for r in KNOWN for d in r.person.documents]) | st.text(max_size=11)
PAGES = st.fixed_dictionaries({}, optional={"limit": st.integers(-2, 102), "offset": st.integers(-2, 20)})
HOLDERS = st.one_of(
    st.fixed_dictionaries({"rnokpp": RNOKPPS}),
    st.fixed_dictionaries({"edrpou": EDRPOUS}),
    st.fixed_dictionaries({"document": DOCUMENTS}),
    st.fixed_dictionaries({}, optional={"rnokpp": RNOKPPS, "edrpou": EDRPOUS, "document": DOCUMENTS}),
)


def by_soap(
    http: httpx.Client, operation: str, fields: dict[str, Any], question: type, answer: type, purpose: str
) -> Any:
    body = etree.Element(f"{{{NAMESPACE}}}{operation}")
    for spec in describe(question).fields:
        if spec.name in fields:
            etree.SubElement(body, f"{{{NAMESPACE}}}{spec.element}").text = str(fields[spec.name])
    headers = SoapHeaders(CLIENTS[purpose], ServiceId(PROVIDER, operation, "v1"), "forms")
    block = f'<p:purposeIds xmlns:p="{CONTEXT_NS}">{purpose}</p:purposeIds></SOAP-ENV:Header>'
    envelope = build_envelope(headers, etree.tostring(body)).replace(b"</SOAP-ENV:Header>", block.encode())
    response = http.post("/", content=envelope, headers={"Content-Type": "text/xml; charset=UTF-8"})
    if response.status_code == 500:
        return parse_fault(response.content).code.rpartition(".")[2]
    found = parse_xml(response.content).find(f"{{{NS_SOAP11}}}Body/*")
    assert found is not None
    return from_xml(answer, found)


def by_rest(http: httpx.Client, path: str, query: dict[str, Any], answer: type, purpose: str) -> Any:
    headers = {"X-Road-Client": str(CLIENTS[purpose]), "X-Road-Id": "forms", "Uxp-Purpose-Ids": purpose}
    response = http.get(path, params=query, headers=headers)
    if response.status_code != 200:
        return response.json()["type"].removeprefix("urn:surma:registry:")
    return from_json(answer, response.json())


def is_xml(text: str) -> bool:
    """Whether a text can be sent as XML at all."""
    try:
        etree.Element("a").text = text
    except ValueError:
        return False
    return "\r" not in text  # which XML reads as a line feed


SEGMENTS = NUMBERS.filter(lambda text: is_xml(text) and "/" not in text and text.strip() not in ("", ".", ".."))
TEXTS_ARE_XML = HOLDERS.filter(lambda fields: all(is_xml(text) for text in fields.values()))
RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@RELAXED
@given(number=SEGMENTS, purpose=st.sampled_from(list(CLIENTS)))
def test_soap_and_rest_give_equal_parcels(http: httpx.Client, number: str, purpose: str) -> None:
    fields = {"cadastral_number": number}
    path = f"/parcels/{quote(number, safe='')}"
    by_path = by_rest(http, path, {}, ParcelAnswer, purpose)
    assert by_soap(http, "GetParcel", fields, ParcelQuestion, ParcelAnswer, purpose) == by_path


@RELAXED
@given(holder=TEXTS_ARE_XML, page=PAGES, purpose=st.sampled_from(list(CLIENTS)))
def test_soap_and_rest_give_equal_holdings(
    http: httpx.Client, holder: dict[str, Any], page: dict[str, Any], purpose: str
) -> None:
    fields = {**holder, **page}
    by_query = by_rest(http, "/parcels", fields, ParcelsAnswer, purpose)
    assert by_soap(http, "FindParcels", fields, HolderQuestion, ParcelsAnswer, purpose) == by_query


def test_what_the_registry_declares_holds() -> None:
    assert [str(result) for result in check_registry(registry) if result.problems] == []


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for name, held in document.items():
            if name == "$ref":
                yield held
            else:
                yield from references(held)
    elif isinstance(document, list):
        for held in document:
            yield from references(held)


def test_references_of_the_openapi_description_resolve(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    found = set(references(document))
    assert "#/components/schemas/Parcel" in found
    assert {name.rpartition("/")[2] for name in found} <= set(document["components"]["schemas"])
    assert set(document["paths"]) == {"/parcels/{cadastral_number}", "/parcels"}


def test_small_cadastre_is_served_in_these_tests(filled: Database) -> None:
    with filled.reading() as connection:
        assert rows_of(connection, parcel) > 900


def test_question_survives_json() -> None:
    question = HolderQuestion(rnokpp="3347300028", limit=5)
    assert from_json(HolderQuestion, to_json(question)) == question


@pytest.fixture(scope="module")
def zeep_client(url: str) -> Iterator[Any]:
    zeep = pytest.importorskip("zeep", reason="zeep is not installed")
    loaded = zeep.Client(f"{url}/soap?wsdl", settings=zeep.Settings(strict=True, xml_huge_tree=False))
    yield loaded
    loaded.transport.session.close()


def zeep_headers(operation: str) -> dict[str, Any]:
    names = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode", "serviceCode", "serviceVersion")
    service = ServiceId(PROVIDER, operation, "v1").parts
    return {
        "client": {"objectType": "SUBSYSTEM", **dict(zip(names[:4], SNAP.parts, strict=True))},
        "service": {"objectType": "SERVICE", **dict(zip(names, service, strict=True))},
        "id": "zeep-1",
        "protocolVersion": "4.0",
    }


def test_zeep_reads_the_description(zeep_client: Any) -> None:
    binding = next(iter(zeep_client.wsdl.bindings.values()))
    assert sorted(binding._operations) == ["FindParcels", "GetParcel"]
    assert list(zeep_client.wsdl.services) == ["LandCadastre"]


def test_zeep_gets_a_fault_for_a_question_without_purpose(zeep_client: Any) -> None:
    import zeep

    with pytest.raises(zeep.exceptions.Fault) as caught:
        zeep_client.service.GetParcel("8000000000:90:999:0012", _soapheaders=zeep_headers("GetParcel"))
    assert caught.value.code == "Client.purpose_missing"
