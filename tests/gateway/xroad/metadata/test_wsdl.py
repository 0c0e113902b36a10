from __future__ import annotations

import gc
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zeep
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.metadata.wsdl import (
    HEADER_PARTS,
    HIDDEN_ADDRESS,
    MAX_HEADERS,
    MAX_OPERATIONS,
    MAX_SCHEMAS,
    MAX_WSDL_BYTES,
    NS_WSDL,
    SOAP_BINDINGS,
    caller_address,
    hide_addresses,
    rewrite_for_callers,
)
from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD
from tests.factories.descriptions import PROVIDER_ADDRESS, SOAP11, SOAP12, a_wsdl
from tests.properties import descriptions

ADDRESS = "http://127.0.0.1:8080/"
W, S, X = f"{{{NS_WSDL}}}", f"{{{SOAP11}}}", "{http://www.w3.org/2001/XMLSchema}"
OWN_XROAD = (
    '<xsd:schema targetNamespace="http://x-road.eu/xsd/xroad.xsd" elementFormDefault="qualified">'
    + "".join(f'<xsd:element name="{part}" type="xsd:string"/>' for part in (*HEADER_PARTS, "ownExtra"))
    + "</xsd:schema>"
)


def rewritten(document: bytes, code: str = "Find", version: str | None = None) -> etree._Element:
    return etree.fromstring(rewrite_for_callers(document, code, version, ADDRESS))


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(MalformedMessage) as caught:
        call()
    return caught.value.code, caught.value.text_id


def names(root: etree._Element, path: str) -> list[str | None]:
    return [element.get("name") for element in root.iterfind(path)]


def headers_of(direction: etree._Element) -> list[tuple[str | None, str | None]]:
    return [(header.get("message"), header.get("part")) for header in direction.iterfind(f"{S}header")]


def test_hidden_addresses_are_all_that_changes_for_get_wsdl() -> None:
    document = a_wsdl("Find", "Get", soap=(SOAP11, SOAP12))
    hidden = hide_addresses(document)
    assert PROVIDER_ADDRESS.encode() not in hidden
    assert hidden.count(HIDDEN_ADDRESS.encode()) == 2
    assert b"<!-- kept -->" in hidden
    same = hidden.replace(HIDDEN_ADDRESS.encode(), PROVIDER_ADDRESS.encode())
    assert etree.canonicalize(same.decode().split("?>", 1)[1]) == etree.canonicalize(
        document.decode().split("?>", 1)[1]
    )


def test_description_is_reduced_to_the_operation_that_is_asked_for() -> None:
    root = rewritten(a_wsdl("Find", "Get", versions=("v1", "v2")), "Get", "v2")
    assert names(root, f"{W}portType/{W}operation") == ["Get"]
    assert names(root, f"{W}binding") == ["B0v2"]
    assert names(root, f"{W}binding/{W}operation") == ["Get"]
    assert names(root, f"{W}message") == ["requestheader", "Get", "GetResponse"]
    assert names(root, f"{W}service/{W}port") == ["P0v2"]


def test_address_is_the_one_the_caller_used() -> None:
    addresses = rewritten(a_wsdl()).iterfind(f".//{S}address")
    assert [address.get("location") for address in addresses] == [ADDRESS]


def test_soap_11_is_taken_where_both_are_offered_and_12_where_it_is_alone() -> None:
    assert names(rewritten(a_wsdl(soap=(SOAP12, SOAP11))), f"{W}binding") == ["B1"]
    assert names(rewritten(a_wsdl(soap=(SOAP12,))), f"{W}binding") == ["B0"]


def test_header_parts_stand_in_input_and_output() -> None:
    root = rewritten(a_wsdl())
    operation = root.find(f"{W}binding/{W}operation")
    expected = [("tns:requestheader", part) for part in HEADER_PARTS]
    assert headers_of(operation.find(f"{W}input")) == expected
    assert headers_of(operation.find(f"{W}output")) == expected
    parts = root.iterfind(f"{W}message[@name='requestheader']/{W}part")
    assert [(part.get("name"), part.get("element")) for part in parts] == [(p, f"x:{p}") for p in HEADER_PARTS]


def test_header_that_a_provider_declares_is_not_declared_twice() -> None:
    message = '<wsdl:message name="head">' + "".join(
        f'<wsdl:part name="{part}" element="x:{part}"/>' for part in (*HEADER_PARTS, "issue")
    )
    headers = "".join(
        f'<s:header message="tns:head" part="{part}" use="literal"/>' for part in (*HEADER_PARTS, "issue")
    )
    root = rewritten(a_wsdl(messages=message + "</wsdl:message>", headers=headers))
    direction = root.find(f"{W}binding/{W}operation/{W}input")
    assert headers_of(direction) == [("tns:head", part) for part in (*HEADER_PARTS, "issue")]
    assert names(root, f"{W}message") == ["head", "Find", "FindResponse"]


def test_missing_header_parts_are_added_to_those_of_the_provider() -> None:
    message = '<wsdl:message name="requestheader"><wsdl:part name="i" element="x:id"/></wsdl:message>'
    root = rewritten(a_wsdl(messages=message, headers='<s:header message="tns:requestheader" part="i" use="literal"/>'))
    bound = headers_of(root.find(f"{W}binding/{W}operation/{W}input"))
    assert bound == [
        *(("tns:requestheader1", part) for part in HEADER_PARTS if part != "id"),
        ("tns:requestheader", "i"),
    ]


def test_header_that_only_looks_like_xroads_does_not_count() -> None:
    message = '<wsdl:message name="head"><wsdl:part name="id" element="tns:id"/></wsdl:message>'
    root = rewritten(a_wsdl(messages=message, headers='<s:header message="tns:head" part="id" use="literal"/>'))
    bound = headers_of(root.find(f"{W}binding/{W}operation/{W}input"))
    assert ("tns:requestheader", "id") in bound


def test_schemas_stand_in_the_order_that_clients_count_in() -> None:
    own = OWN_XROAD + "<xsd:schema targetNamespace='urn:late'/>"
    schemas = rewritten(a_wsdl(schemas=own)).iterfind(f"{W}types/{X}schema")
    assert [schema.get("targetNamespace") for schema in schemas] == [
        "urn:registry", "urn:person", "urn:late", NS_IDENTIFIERS, NS_XROAD,
    ]  # fmt: skip


def test_schemas_of_the_provider_s_own_stay_with_what_only_they_have() -> None:
    root = rewritten(a_wsdl(schemas=OWN_XROAD))
    found = root.findall(f"{W}types/{X}schema[@targetNamespace='{NS_XROAD}']")
    assert len(found) == 1
    assert "ownExtra" in names(found[0], f"{X}element")


def test_what_a_provider_s_schema_lacks_is_added_beside_it() -> None:
    part = f'<xsd:schema targetNamespace="{NS_XROAD}"><xsd:element name="id" type="xsd:string"/></xsd:schema>'
    root = rewritten(a_wsdl(schemas=part))
    theirs, ours = root.findall(f"{W}types/{X}schema[@targetNamespace='{NS_XROAD}']")
    assert names(theirs, f"{X}element") == ["id"]
    assert "id" not in names(ours, f"{X}element")
    assert "userId" in names(ours, f"{X}element")


def test_xroads_own_schemas_are_not_fetched_from_elsewhere() -> None:
    own = (
        f'<xsd:schema targetNamespace="urn:late"><xsd:import namespace="{NS_XROAD}" schemaLocation="x.xsd"/>'
        f'<xsd:import namespace="urn:far" schemaLocation="far.xsd"/></xsd:schema>'
        f'<xsd:schema targetNamespace="{NS_XROAD}"><xsd:include schemaLocation="http://x-road.eu/xsd/xroad.xsd"/>'
        f"</xsd:schema>"
    )
    root = rewritten(a_wsdl(schemas=own))
    assert [e.get("schemaLocation") for e in root.iter(f"{X}import", f"{X}include")] == [None, None, "far.xsd", None]


def test_types_are_made_where_there_are_none() -> None:
    document = a_wsdl()
    start, end = document.index(b"<wsdl:types>"), document.index(b"</wsdl:types>") + len(b"</wsdl:types>")
    root = rewritten(document[:start] + document[end:])
    assert [child.tag for child in root][:2] == [f"{W}types", f"{W}message"]


def test_prefixes_of_others_keep_their_meaning() -> None:
    document = a_wsdl().replace(b"xmlns:tns=", b'xmlns:xroad="urn:taken" xmlns:tns=').replace(b"xmlns:x=", b"xmlns:q=")
    root = rewritten(document)
    for part in root.iterfind(f"{W}message[@name='requestheader']/{W}part"):
        prefix, _, local = part.get("element", "").partition(":")
        assert part.nsmap[prefix] == NS_XROAD
        assert local == part.get("name")
    client = zeep.Client(io.BytesIO(etree.tostring(root)))
    assert client.get_type("ns2:XRoadClientIdentifierType") is not None


def a_zeep_message(client: Any) -> etree._Element:
    caller = client.get_type("ns2:XRoadClientIdentifierType")(
        objectType="SUBSYSTEM", xRoadInstance="A", memberClass="B", memberCode="C", subsystemCode="D"
    )
    service = client.get_type("ns2:XRoadServiceIdentifierType")(
        objectType="SERVICE", xRoadInstance="A", memberClass="B", memberCode="C", serviceCode="Find"
    )
    headers = {"client": caller, "service": service, "userId": "u", "id": "1", "protocolVersion": "4.0"}
    message: etree._Element = client.create_message(client.service, "Find", q="x", _soapheaders=headers)
    return message


@pytest.mark.parametrize("schemas", ["", OWN_XROAD], ids=["none", "own"])
def test_zeep_finds_its_types_by_the_numbers_it_gives(schemas: str) -> None:
    client = zeep.Client(io.BytesIO(rewrite_for_callers(a_wsdl(schemas=schemas), "Find", None, ADDRESS)))
    assert client.wsdl.types.prefix_map["ns2"] == NS_IDENTIFIERS
    assert client.wsdl.types.prefix_map["ns3"] == NS_XROAD
    if not schemas:
        header = a_zeep_message(client)[0]
        assert [child.tag for child in header] == [f"{{{NS_XROAD}}}{part}" for part in HEADER_PARTS]


@pytest.mark.parametrize(
    ("document", "text_id"),
    [
        (b"<a/>", "metadata.not_wsdl"),
        (a_wsdl("Other"), "metadata.operation_missing"),
        (a_wsdl(versions=("v1",)), "metadata.operation_missing"),
        (a_wsdl().replace(SOAP11.encode(), b"urn:other"), "metadata.operation_missing"),
        (a_wsdl().replace(b' targetNamespace="urn:registry">\n<wsdl', b">\n<wsdl"), "metadata.no_target_namespace"),
        (
            a_wsdl().replace(b'targetNamespace="urn:registry">\n<wsdl', b'targetNamespace="a b">\n<wsdl'),
            "metadata.bad_namespace",
        ),
        (b"<!DOCTYPE a><a/>", "xml.doctype"),
        (b"<a", "xml.not_well_formed"),
        (b" " * (MAX_WSDL_BYTES + 1), "metadata.wsdl_too_large"),
    ],
)
def test_what_cannot_be_rewritten_is_refused(document: bytes, text_id: str) -> None:
    assert refusal(lambda: rewrite_for_callers(document, "Find", None, ADDRESS))[1] == text_id


def test_repetition_past_reason_is_refused() -> None:
    operation = a_wsdl()[a_wsdl().index(b'<wsdl:operation name="Find"><s:') :]
    operation = operation[: operation.index(b"</wsdl:operation>") + len(b"</wsdl:operation>")]
    many = a_wsdl().replace(operation, operation * (MAX_OPERATIONS + 1))
    assert refusal(lambda: rewrite_for_callers(many, "Find", None, ADDRESS))[1] == "metadata.too_many"
    headers = "".join(f'<s:header message="tns:m" part="{n}"/>' for n in range(MAX_HEADERS + 1))
    assert refusal(lambda: rewrite_for_callers(a_wsdl(headers=headers), "Find", None, ADDRESS))[1] == (
        "metadata.too_many"
    )
    schemas = f'<xsd:schema targetNamespace="{NS_XROAD}"/>' * (MAX_SCHEMAS + 1)
    assert refusal(lambda: rewrite_for_callers(a_wsdl(schemas=schemas), "Find", None, ADDRESS))[1] == (
        "metadata.too_many"
    )


@given(descriptions.wsdls())
def test_any_description_of_a_service_is_rewritten(described: descriptions.Described) -> None:
    answer = rewrite_for_callers(described.document, described.code, described.version, ADDRESS)
    root = etree.fromstring(answer)
    assert PROVIDER_ADDRESS.encode() not in answer
    assert set(names(root, f"{W}binding/{W}operation")) == {described.code}
    order = [schema.get("targetNamespace") for schema in root.iterfind(f"{W}types/{X}schema")]
    first = order.index(NS_IDENTIFIERS)
    assert set(order[first:]) == {NS_IDENTIFIERS, NS_XROAD}
    for soap in SOAP_BINDINGS:
        for direction in root.iter(f"{W}input", f"{W}output"):
            headers = [header.get("part") for header in direction.iterfind(f"{{{soap}}}header")]
            assert headers in ([], list(HEADER_PARTS))
    again = rewrite_for_callers(answer, described.code, described.version, ADDRESS)
    assert etree.canonicalize(again.decode(), strip_text=True) == etree.canonicalize(answer.decode(), strip_text=True)


@given(st.binary() | st.text().map(str.encode), st.text(), st.none() | st.text())
def test_any_bytes_are_rewritten_or_refused(data: bytes, code: str, version: str | None) -> None:
    for call in (hide_addresses, lambda d: rewrite_for_callers(d, code, version, ADDRESS)):
        try:
            call(data)
        except XRoadFault:
            continue


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Keep the garbage collector out of measured time: it looks at everything the other tests left."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    "piece",
    [
        '<wsdl:message name="m{0}"/>',
        '<wsdl:portType name="t{0}"/>',
        '<wsdl:binding name="b{0}"><s:binding/></wsdl:binding>',
        "<wsdl:service><wsdl:port/></wsdl:service>",
        "<!-- {0} -->",
        '<wsdl:message name="requestheader{0}"/>',
    ],
)
@pytest.mark.usefixtures("no_collector")
def test_time_grows_no_faster_than_the_description(piece: str) -> None:
    def took(count: int) -> float:
        pieces = "".join(piece.replace("{0}", str(number)) for number in range(count))
        document = a_wsdl().replace(b"</wsdl:definitions>", pieces.encode() + b"</wsdl:definitions>")
        document = document.replace(b"xmlns:p=", f'xmlns:s="{SOAP11}" xmlns:p='.encode())
        started = time.process_time()
        rewrite_for_callers(document, "Find", None, ADDRESS)
        return time.process_time() - started

    small = min(took(2_000) for _ in range(3))
    assert took(40_000) < 20 * small * 8  # one more power would make it 400 times


@pytest.mark.usefixtures("no_collector")
def test_time_grows_no_faster_than_the_prefixes() -> None:
    declared = " ".join(f'xmlns:n{number}="urn:{number}"' for number in range(20_000))
    headers = "".join(f'<s:header message="tns:m" part="{n}"/>' for n in range(MAX_HEADERS // 2))
    document = a_wsdl(headers=headers).replace(b"xmlns:p=", declared.encode() + b" xmlns:p=")
    started = time.process_time()
    rewrite_for_callers(document, "Find", None, ADDRESS)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("host", "is_tls", "address"),
    [
        ("127.0.0.1:8080", False, "http://127.0.0.1:8080/"),
        ("ss1.gov.ua", True, "https://ss1.gov.ua/"),
        ("[::1]:8443", True, "https://[::1]:8443/"),
    ],
)
def test_address_of_the_caller_is_read_from_its_host(host: str, is_tls: bool, address: str) -> None:
    assert caller_address(host, is_tls=is_tls) == address


@pytest.mark.parametrize("host", [None, "", "a b", 'x"/><a', "h/evil", "h:1:2", "\x00", "a@b"])
def test_host_that_is_none_is_refused(host: str | None) -> None:
    assert refusal(lambda: caller_address(host, is_tls=False)) == ("invalid_request", "metadata.host")
