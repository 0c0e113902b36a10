"""What security servers tell about clients and services, through two real ones."""

from __future__ import annotations

import asyncio
import json
import re
from email.parser import BytesParser
from typing import Any

import httpx
import pytest
import zeep
from lxml import etree

from gateway.xroad.identifiers import MemberId, ServiceId, SubsystemId
from gateway.xroad.metadata.wsdl import HIDDEN_ADDRESS
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD
from tests.landscape import kinds_of
from tests.scenarios.asking import (
    ASK,
    DEMOGRAPHIC,
    GET_PERSON,
    INSTANCE,
    OWNER,
    PERSON,
    SNAP,
    SOAP_TYPE,
    STANDIN,
    new_id,
)
from tests.scenarios.scene import Scene
from tests.scenarios.wire import http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

NAMES = {"xrd": NS_XROAD, "id": NS_IDENTIFIERS}
SERVICE_PARTS = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode", "serviceCode", "serviceVersion")


def a_question(service: str, provider: SubsystemId = STANDIN, *, inner: str = "", query_id: str | None = None) -> bytes:
    headers = SoapHeaders(SNAP, ServiceId(provider, service), query_id or new_id())
    return build_envelope(headers, f"<xrd:{service}>{inner}</xrd:{service}>".encode())


def codes_in(content: bytes) -> list[tuple[str | None, str | None]]:
    services = etree.fromstring(content).iterfind(".//xrd:service", NAMES)
    return [
        (s.findtext("id:serviceCode", None, NAMES), s.findtext("id:serviceVersion", None, NAMES))
        for s in services
        if s.getparent().tag.endswith("MethodsResponse")
    ]


async def get(scene: Scene, path: str, *, tls: bool = False, **headers: str) -> httpx.Response:
    gateway = scene.federation.consumer
    async with httpx.AsyncClient(
        base_url=scene.federation.url_of(gateway, tls=tls), trust_env=False, verify=False, timeout=30
    ) as http:
        return await http.get(path, headers=headers)


def wsdl_path(service: ServiceId, **parameters: str) -> str:
    named = dict(zip(SERVICE_PARTS, service.parts, strict=False)) | parameters
    return "/wsdl?" + "&".join(f"{name}={value}" for name, value in named.items())


async def test_methods_are_listed_and_the_allowed_ones_are_fewer(scene: Scene) -> None:
    before = len(scene.stand_in.server.requests)
    listed = await scene.caller.soap(a_question("listMethods"))
    assert codes_in(listed.content) == [("ask", "v1"), ("askSecretly", "v1")]
    allowed = await scene.caller.soap(a_question("allowedMethods"))
    assert codes_in(allowed.content) == [("ask", "v1")]
    assert len(scene.stand_in.server.requests) == before  # no information system hears of it


async def test_answers_are_signed_and_recorded_on_both_sides(scene: Scene) -> None:
    soap_id, rest_id = new_id(), new_id()
    inner = "<xrd:serviceCode>ask</xrd:serviceCode><xrd:serviceVersion>v1</xrd:serviceVersion>"
    await scene.caller.soap(a_question("getWsdl", inner=inner, query_id=soap_id))
    await scene.caller.rest(service=ServiceId(STANDIN, "listMethods"), query_id=rest_id)
    for gateway in (scene.federation.consumer, scene.federation.provider):
        assert kinds_of(gateway, soap_id) == ["request", "response"]
        assert kinds_of(gateway, rest_id) == ["request", "response"]


async def test_client_without_any_right_may_ask(scene: Scene) -> None:
    headers = SoapHeaders(STANDIN, ServiceId(DEMOGRAPHIC, "listMethods"), new_id())
    reply = await scene.owner.soap(build_envelope(headers, b"<xrd:listMethods/>"))
    assert codes_in(reply.content) == [("GetPerson", "v1"), ("GetResidents", "v1")]
    headers = SoapHeaders(STANDIN, ServiceId(DEMOGRAPHIC, "allowedMethods"), new_id())
    reply = await scene.owner.soap(build_envelope(headers, b"<xrd:allowedMethods/>"))
    assert codes_in(reply.content) == []


async def test_rest_services_are_listed_with_their_endpoints(scene: Scene) -> None:
    reply = await scene.caller.rest(service=ServiceId(DEMOGRAPHIC, "listMethods"))
    assert reply.headers["content-type"] == "application/json"
    (persons,) = json.loads(reply.content)["service"]
    assert persons["service_code"] == "persons"
    assert persons["service_type"] == "OPENAPI"
    assert persons["xroad_instance"] == INSTANCE
    assert {"method": "GET", "path": "/persons"} in persons["endpoint_list"]


async def test_allowed_rest_services_are_those_with_a_right(scene: Scene) -> None:
    listed = json.loads((await scene.caller.rest(service=ServiceId(STANDIN, "listMethods"))).content)
    allowed = json.loads((await scene.caller.rest(service=ServiceId(STANDIN, "allowedMethods"))).content)
    assert [s["service_code"] for s in listed["service"]] == ["things", "closed"]
    assert [s["service_code"] for s in allowed["service"]] == ["things"]
    assert allowed["service"][0]["endpoint_list"] == []


async def test_wsdl_comes_attached_in_the_lines_that_tools_look_for(scene: Scene) -> None:
    inner = "<xrd:serviceCode>ask</xrd:serviceCode><xrd:serviceVersion>v1</xrd:serviceVersion>"
    reply = await scene.caller.soap(a_question("getWsdl", inner=inner))
    found = re.search(
        rb"--xroad.+content-type:text/xml.+<SOAP-ENV:Envelope.+</SOAP-ENV:Envelope>"
        rb".+--xroad.+content-type:text/xml.*?\r\n\r\n(.+)\r\n--xroad.+",
        reply.content,
        re.DOTALL,
    )
    assert found is not None, reply.content
    addresses = etree.fromstring(found[1]).iterfind(".//{http://schemas.xmlsoap.org/wsdl/soap/}address")
    assert [a.get("location") for a in addresses] == [HIDDEN_ADDRESS]
    message = BytesParser().parsebytes(
        b"Content-Type: " + reply.headers["content-type"].encode() + b"\r\n\r\n" + reply.content
    )
    soap, wsdl = message.get_payload()  # type: ignore[misc]
    assert isinstance(soap, type(message))
    assert re.fullmatch(r"<wsdl=[0-9a-f-]{36}@x-road\.eu>", wsdl["Content-ID"])  # type: ignore[call-overload]
    assert wsdl["Content-Transfer-Encoding"] == "binary"  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("inner", "code", "text"),
    [
        ("", "invalid_request", "Missing serviceCode in message body"),
        (
            "<xrd:serviceCode>things</xrd:serviceCode>",
            "service_type",
            "Service is a REST service and does not have a WSDL",
        ),
        (
            "<xrd:serviceCode>nothing</xrd:serviceCode>",
            "unknown_service",
            f"Could not find wsdl URL for service SERVICE:{STANDIN}/nothing",
        ),
    ],
)
async def test_wsdl_that_cannot_be_had_is_a_fault_in_known_words(
    scene: Scene, inner: str, code: str, text: str
) -> None:
    reply = await scene.caller.soap(a_question("getWsdl", inner=inner))
    assert (reply.code, reply.text) == (f"server.serverproxy.{code}", text)


async def test_wsdl_that_the_provider_does_not_give_is_a_fault(scene: Scene) -> None:
    inner = "<xrd:serviceCode>ask</xrd:serviceCode><xrd:serviceVersion>v1</xrd:serviceVersion>"
    with scene.stand_in.answering(http_answer(b"gone", "text/plain", status="404 Not Found")):
        reply = await scene.caller.soap(a_question("getWsdl", inner=inner))
    assert (reply.code, reply.text) == ("server.serverproxy.http_error", "Received HTTP error: 404 - Not Found")
    with scene.stand_in.answering(http_answer(b"<html/>", "text/html")):
        reply = await scene.caller.soap(a_question("getWsdl", inner=inner))
    assert reply.code == "server.serverproxy.invalid_response"


async def test_openapi_comes_without_the_address_of_the_service(scene: Scene) -> None:
    reply = await scene.caller.rest("?serviceCode=persons", service=ServiceId(DEMOGRAPHIC, "getOpenAPI"))
    assert reply.status == 200
    document = json.loads(reply.content)
    assert document["openapi"].startswith("3.")
    assert all("://" not in server["url"] for server in document.get("servers", []))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "Missing serviceCode in message body"),
        ("?serviceCode=things", "Invalid service type: REST"),
        ("?serviceCode=ask", f"Service not found: SERVICE:{STANDIN}/ask"),
    ],
)
async def test_openapi_that_cannot_be_had_is_a_fault_in_known_words(scene: Scene, query: str, text: str) -> None:
    reply = await scene.caller.rest(query, service=ServiceId(STANDIN, "getOpenAPI"))
    assert reply.text == text
    assert reply.status == 500


async def test_a_built_in_code_with_another_method_is_an_unknown_service(scene: Scene) -> None:
    reply = await scene.caller.rest(service=ServiceId(STANDIN, "listMethods"), method="POST", content=b"x")
    assert reply.code == "server.serverproxy.unknown_service"


async def test_clients_are_listed_as_xml_and_as_json(scene: Scene) -> None:
    answer = await get(scene, "/listClients")
    assert answer.headers["content-type"] == "text/xml; charset=UTF-8"
    root = etree.fromstring(answer.content)
    kinds = [e.get(f"{{{NS_IDENTIFIERS}}}objectType") for e in root.iterfind("xrd:member/xrd:id", NAMES)]
    assert kinds[:2] == ["MEMBER", "SUBSYSTEM"]
    answer = await get(scene, "/listClients", Accept="text/xml;q=1.0, application/json;q=0.9")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert len(answer.json()["member"]) == len(kinds)
    assert (await get(scene, f"/listClients?xRoadInstance={INSTANCE}")).status_code == 200
    assert (await get(scene, "/listClients?xRoadInstance=NOWHERE")).status_code == 404


async def test_clients_of_the_server_begin_with_its_owner(scene: Scene) -> None:
    root = etree.fromstring((await get(scene, "/listSecurityServerClients")).content)
    codes = [[part.text for part in identifier] for identifier in root.iterfind("xrd:member/xrd:id", NAMES)]
    assert codes[0] == list(OWNER.parts)
    assert list(SNAP.parts) in codes
    assert list(STANDIN.parts) not in codes


async def test_wsdl_for_callers_names_the_address_they_used(scene: Scene) -> None:
    for parameter in ("serviceVersion", "version"):
        path = wsdl_path(ServiceId(ASK.provider, ASK.service_code), **{parameter: "v1"})
        answer = await get(scene, path)
        assert answer.headers["content-type"] == "text/xml; charset=UTF-8"
        address = etree.fromstring(answer.content).find(".//{http://schemas.xmlsoap.org/wsdl/soap/}address")
        assert address.get("location") == f"{scene.federation.url_of(scene.federation.consumer)}/"
    answer = await get(scene, path, tls=True)
    address = etree.fromstring(answer.content).find(".//{http://schemas.xmlsoap.org/wsdl/soap/}address")
    assert address.get("location") == f"{scene.federation.url_of(scene.federation.consumer, tls=True)}/"


async def test_wsdl_that_is_not_there_is_said_with_a_status(scene: Scene) -> None:
    assert (await get(scene, "/wsdl?xRoadInstance=UA-DEMO")).status_code == 400
    assert (await get(scene, wsdl_path(ASK, version="v2"))).status_code == 400
    assert (await get(scene, wsdl_path(ServiceId(STANDIN, "nothing")))).status_code == 404
    elsewhere = ServiceId(SubsystemId(MemberId(INSTANCE, "GOV", "99999999"), "X"), "ask")
    assert (await get(scene, wsdl_path(elsewhere))).status_code == 404
    assert (await get(scene, wsdl_path(ServiceId(STANDIN, "things")))).status_code == 404
    with scene.stand_in.answering(http_answer(b"gone", "text/plain", status="404 Not Found")):
        answer = await get(scene, wsdl_path(ASK))
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/plain; charset=utf-8")


def ask_by_zeep(url: str) -> Any:
    """Ask as deployed clients do: types by the prefixes that the library counts, header parts by name."""
    client = zeep.Client(url)
    prefix = next(p for p, namespace in client.wsdl.types.prefix_map.items() if namespace == NS_IDENTIFIERS)
    assert int(prefix.removeprefix("ns")) == len(client.wsdl.types.prefix_map) - 3  # behind it only xroad
    parts = dict(zip(SERVICE_PARTS, SNAP.parts, strict=False))
    caller = client.get_type(f"{prefix}:XRoadClientIdentifierType")(objectType="SUBSYSTEM", **parts)
    parts = dict(zip(SERVICE_PARTS, GET_PERSON.parts, strict=True))
    service = client.get_type(f"{prefix}:XRoadServiceIdentifierType")(objectType="SERVICE", **parts)
    headers = {"client": caller, "service": service, "userId": "clerk", "id": new_id(), "protocolVersion": "4.0"}
    try:
        return client.service.GetPerson(unzr=PERSON, _soapheaders=headers)
    finally:
        client.transport.session.close()


async def test_zeep_calls_a_service_by_the_description_alone(scene: Scene) -> None:
    url = scene.federation.url_of(scene.federation.consumer) + wsdl_path(GET_PERSON)
    answer = await asyncio.to_thread(ask_by_zeep, url)
    assert answer.body.found is True
    assert answer.header.service.serviceCode == "GetPerson"


async def test_post_to_a_path_of_the_catalogue_is_soap(scene: Scene) -> None:
    gateway = scene.federation.consumer
    async with httpx.AsyncClient(base_url=scene.federation.url_of(gateway), trust_env=False) as http:
        answer = await http.post("/wsdl", content=a_question("listMethods"), headers={"Content-Type": SOAP_TYPE})
    assert codes_in(answer.content)
