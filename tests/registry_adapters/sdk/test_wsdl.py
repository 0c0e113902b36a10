from __future__ import annotations

import pytest
from lxml import etree

from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD
from registry_adapters.demographic.model import MatchedBy, PersonAnswer
from registry_adapters.demographic.registry import registry
from registry_adapters.sdk.fields_xml import to_xml
from registry_adapters.sdk.matching import Confidence
from registry_adapters.sdk.wsdl import NS_WSDL, NS_WSDL_SOAP, NS_XSD, build_wsdl
from tests.factories.registry import GET_PERSON, NAMESPACE, a_question, persons_told

NS = {"w": NS_WSDL, "s": NS_WSDL_SOAP, "x": NS_XSD, "xrd": NS_XROAD}
ADDRESS = "http://registry.example/soap"


@pytest.fixture(scope="module")
def wsdl() -> etree._Element:
    return etree.fromstring(build_wsdl(registry.soap, ADDRESS))


@pytest.fixture(scope="module")
def schema(wsdl: etree._Element) -> etree.XMLSchema:
    (own,) = wsdl.xpath(f"//x:schema[@targetNamespace='{NAMESPACE}']", namespaces=NS)
    return etree.XMLSchema(etree.fromstring(etree.tostring(own)))


def test_description_needs_no_network(wsdl: etree._Element) -> None:
    assert wsdl.xpath("//@schemaLocation") == []
    assert wsdl.xpath("//w:import", namespaces=NS) == []


def test_each_operation_names_its_version(wsdl: etree._Element) -> None:
    names = wsdl.xpath("//w:binding/w:operation/@name", namespaces=NS)
    versions = wsdl.xpath("//w:binding/w:operation/xrd:version/text()", namespaces=NS)
    assert names == [GET_PERSON.service_code, "GetResidents"]
    assert versions == [GET_PERSON.service_version] * 2


def test_xroad_header_is_bound_to_input_and_output(wsdl: etree._Element) -> None:
    for direction in ("input", "output"):
        parts = wsdl.xpath(f"//w:binding/w:operation[1]/w:{direction}/s:header/@part", namespaces=NS)
        assert parts == ["client", "service", "id", "userId", "issue", "protocolVersion"]


def test_every_header_part_has_an_element(wsdl: etree._Element) -> None:
    declared = wsdl.xpath(f"//x:schema[@targetNamespace='{NS_XROAD}']/x:element/@name", namespaces=NS)
    parts = wsdl.xpath("//w:message[@name='requestHeader']/w:part/@name", namespaces=NS)
    assert set(parts) <= set(declared)


def test_identifiers_schema_describes_the_header_we_send(wsdl: etree._Element) -> None:
    (own,) = wsdl.xpath(f"//x:schema[@targetNamespace='{NS_IDENTIFIERS}']", namespaces=NS)
    etree.XMLSchema(etree.fromstring(etree.tostring(own)))


def test_address_is_where_the_service_answers(wsdl: etree._Element) -> None:
    assert wsdl.xpath("//s:address/@location", namespaces=NS) == [ADDRESS]


def test_question_is_valid_by_the_schema(schema: etree.XMLSchema) -> None:
    assert schema.validate(etree.fromstring(a_question(unzr="19910824-00026")))
    assert not schema.validate(etree.fromstring(a_question(unzr="19910824-00026-too-long")))


def test_answers_are_valid_by_the_schema(schema: etree.XMLSchema) -> None:
    for person in persons_told():
        answer = PersonAnswer(True, MatchedBy.UNZR, 1, False, Confidence.EXACT, ("unzr_date",), person)
        written = etree.fromstring(etree.tostring(to_xml(answer, "GetPersonResponse", NAMESPACE)))
        assert schema.validate(written), schema.error_log
