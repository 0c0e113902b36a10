from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from lxml import etree

from gateway.provider.access import BuiltInRequest, authorise
from gateway.provider.metaservices import MAX_DESCRIPTION_BYTES, MetaServices, is_built_in
from gateway.runtime.fetch import CheckCertificate, Fetched, FetchError
from gateway.runtime.texts import render
from gateway.serverconf.model import (
    AccessRight,
    ClientStatus,
    ConnectionType,
    Endpoint,
    LocalClient,
    ServerConf,
    ServiceKind,
    ServiceRecord,
    Subject,
)
from gateway.serverconf.openapi_servers import hide_servers
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.metadata.soap import wsdl_of
from gateway.xroad.metadata.wsdl import HIDDEN_ADDRESS
from gateway.xroad.rest.message import RestRequest, check_rest_consistency
from gateway.xroad.soap.message import SoapMessage, check_consistency
from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD
from tests.factories.descriptions import PROVIDER_ADDRESS, a_wsdl
from tests.factories.globalconf import a_globalconf
from tests.factories.messages import (
    a_provider,
    a_rest_request,
    a_server,
    a_service,
    a_soap_message,
    a_subsystem,
    an_unproven_message,
    soap_headers,
)

PROVIDER, CLIENT = a_provider(), a_subsystem()
FIND, CLOSED, PETS, PLAIN = a_service("Find", version="v1"), a_service("Closed"), a_service("pets"), a_service("plain")
ELSEWHERE = ServiceId(a_subsystem("OTHER"), "Find")
WSDL_URL, OPENAPI_URL = "https://registry.local/wsdl", "http://registry.local/openapi.json"
OPENAPI = b'{"openapi":"3.0.0","servers":[{"url":"http://registry.local/v1"}]}'
CERTIFICATE = b"certificate of the registry"
READ, WRITE, BASE = Endpoint(2, "GET", "/pets/*"), Endpoint(3, "POST", "/pets"), Endpoint(1)


def a_record(service: ServiceId, kind: ServiceKind, description: int, notice: str | None = None) -> ServiceRecord:
    return ServiceRecord(service, kind, "http://registry.local/", 60, True, description, disabled_notice=notice)


def a_conf(*rights: tuple[Subject, str, Endpoint]) -> ServerConf:
    """Two SOAP services, one of them switched off, an OpenAPI service with endpoints and a plain REST one."""
    records = [
        a_record(FIND, ServiceKind.WSDL, 1),
        a_record(CLOSED, ServiceKind.WSDL, 2, notice="closed"),
        a_record(PETS, ServiceKind.OPENAPI3, 3),
        a_record(PLAIN, ServiceKind.REST, 4),
        a_record(ELSEWHERE, ServiceKind.WSDL, 5),
    ]
    given: dict[Any, tuple[AccessRight, ...]] = {}
    for subject, code, endpoint in rights:
        given[PROVIDER, code] = (*given.get((PROVIDER, code), ()), AccessRight(subject, code, endpoint, 0))
    return ServerConf(
        1,
        a_server(),
        clients={
            PROVIDER: LocalClient(PROVIDER, ClientStatus.REGISTERED, ConnectionType.HTTP, frozenset({CERTIFICATE}))
        },
        services={record.id: record for record in records},
        description_urls={1: WSDL_URL, 2: WSDL_URL, 3: OPENAPI_URL, 4: "http://registry.local/", 5: WSDL_URL},
        endpoints={(PROVIDER, "pets"): (BASE, READ, WRITE), (PROVIDER, "plain"): (BASE,)},
        rights=given,
    )


@dataclass
class Web:
    """The providers' web servers; each address answers with a status, headers and a document, or not at all."""

    documents: Mapping[str, tuple[int, Mapping[str, str], bytes]] = field(default_factory=dict)
    certificate: bytes = CERTIFICATE
    is_slow: bool = False

    async def get(
        self, url: str, *, max_bytes: int | None = None, check_certificate: CheckCertificate | None = None
    ) -> Fetched:
        if self.is_slow:
            await asyncio.Event().wait()
        if url not in self.documents:
            raise FetchError(url, "connection refused")
        if check_certificate is not None:
            check_certificate(self.certificate)
        status, headers, content = self.documents[url]
        if max_bytes is not None and len(content) > max_bytes:
            raise FetchError(url, f"the answer is larger than {max_bytes} bytes")
        return Fetched(url, status, headers, content)


class Registrations:
    def __init__(self, conf: ServerConf) -> None:
        self._conf = conf

    def current(self) -> ServerConf:
        return self._conf


def serving(
    document: bytes = b"", *, status: int = 200, url: str = WSDL_URL, conf: ServerConf | None = None, **web: Any
) -> MetaServices:
    headers = {"content-type": "application/json"} if url == OPENAPI_URL else {}
    documents = {url: (status, headers, document)} if document or status != 200 else {}
    return MetaServices(Registrations(conf or a_conf()), Web(documents, **web), hide_servers)


def by_soap(code: str, inner: str = "") -> SoapMessage:
    headers = soap_headers(client=CLIENT, service=a_service(code))
    return a_soap_message(headers, body=f'<x:{code} xmlns:x="{NS_XROAD}">{inner}</x:{code}>'.encode())


def get_wsdl(code: str, version: str | None = None) -> SoapMessage:
    told = "" if version is None else f"<x:serviceVersion>{version}</x:serviceVersion>"
    return by_soap("getWsdl", f"<x:serviceCode>{code}</x:serviceCode>{told}")


def by_rest(code: str, path: str = "") -> RestRequest:
    return a_rest_request("GET", path, service=a_service(code), client=CLIENT)


async def codes(meta: MetaServices, code: str) -> list[tuple[str | None, str | None]]:
    request = by_soap(code)
    answer = await meta.answer_soap(request, a_globalconf())
    check_consistency(request, answer)
    listed = etree.fromstring(answer.raw).iterfind(f".//{{{NS_XROAD}}}{code}Response/{{{NS_XROAD}}}service")
    names = [f"{{{NS_IDENTIFIERS}}}{name}" for name in ("serviceCode", "serviceVersion")]
    return [(service.findtext(names[0]), service.findtext(names[1])) for service in listed]


async def services(meta: MetaServices, code: str) -> list[tuple[str, str, list[str]]]:
    request = by_rest(code)
    answer = await meta.answer_rest(request, a_globalconf())
    check_rest_consistency(request, answer)
    assert ("Content-Type", "application/json") in answer.headers
    assert answer.body is not None
    listed = json.loads(b"".join(answer.body.chunks()))["service"]
    return [(s["service_code"], s["service_type"], [e["path"] for e in s["endpoint_list"]]) for s in listed]


async def refusal(call: Any) -> tuple[str, str]:
    with pytest.raises(XRoadFault) as caught:
        await call
    return caught.value.code, render(caught.value.text_id, caught.value.facts)


async def test_soap_services_are_listed_switched_off_ones_too() -> None:
    assert await codes(serving(), "listMethods") == [("Find", "v1"), ("Closed", None)]


async def test_allowed_soap_services_are_those_with_a_right() -> None:
    conf = a_conf((CLIENT, "Closed", BASE), (PROVIDER, "Find", BASE), (CLIENT, "pets", BASE))
    assert await codes(serving(conf=conf), "allowedMethods") == [("Closed", None)]
    assert await codes(serving(), "allowedMethods") == []


async def test_rest_services_are_listed_with_their_own_endpoints() -> None:
    assert await services(serving(), "listMethods") == [
        ("pets", "OPENAPI", ["/pets/*", "/pets"]),
        ("plain", "REST", []),
    ]


@pytest.mark.parametrize(
    ("endpoint", "paths"),
    [
        (BASE, ["/pets/*", "/pets"]),
        (READ, ["/pets/*"]),
        (WRITE, ["/pets"]),
        (Endpoint(9, "*", "/**"), ["/pets/*", "/pets"]),
        (Endpoint(9, "DELETE", "/x"), []),
    ],
)
async def test_allowed_rest_services_show_the_endpoints_that_a_right_covers(
    endpoint: Endpoint, paths: list[str]
) -> None:
    conf = a_conf((CLIENT, "pets", endpoint))
    assert await services(serving(conf=conf), "allowedMethods") == [("pets", "OPENAPI", paths)]


async def test_wsdl_comes_without_the_provider_s_address() -> None:
    request = get_wsdl("Find", "v1")
    answer = await serving(a_wsdl(versions=("v1",))).answer_soap(request, a_globalconf())
    check_consistency(request, answer)
    wsdl = wsdl_of(answer)
    assert HIDDEN_ADDRESS.encode() in wsdl
    assert PROVIDER_ADDRESS.encode() not in wsdl


@pytest.mark.parametrize(
    ("code", "version", "refused"),
    [
        ("pets", None, ("service_type", "Service is a REST service and does not have a WSDL")),
        ("Find", None, ("unknown_service", f"Could not find wsdl URL for service SERVICE:{PROVIDER}/Find")),
        ("x", "v1", ("unknown_service", f"Could not find wsdl URL for service SERVICE:{PROVIDER}/x/v1")),
        ("", None, ("invalid_request", "Missing serviceCode in message body")),
    ],
)
async def test_wsdl_that_does_not_exist_is_refused_in_known_words(
    code: str, version: str | None, refused: tuple[str, str]
) -> None:
    assert await refusal(serving().answer_soap(get_wsdl(code, version), a_globalconf())) == refused


@pytest.mark.parametrize(
    ("meta", "refused"),
    [
        (serving(b"x", status=404), ("http_error", "Received HTTP error: 404 - Not Found")),
        (serving(b"x", status=799), ("http_error", "Received HTTP error: 799 - -")),
        (serving(b"<html/>"), "invalid_response"),
        (serving(b"{}"), "invalid_xml"),
        (serving(), "network_error"),
        (serving(a_wsdl(), certificate=b"another"), "ssl_authentication_failed"),
        (serving(b" " * (MAX_DESCRIPTION_BYTES + 1)), "network_error"),
    ],
)
async def test_wsdl_that_cannot_be_fetched_is_a_named_fault(meta: MetaServices, refused: str | tuple[str, str]) -> None:
    found = await refusal(meta.answer_soap(get_wsdl("Find", "v1"), a_globalconf()))
    assert refused in (found, found[0])


async def test_description_that_does_not_arrive_is_given_up() -> None:
    meta = replace(serving(is_slow=True), download_within_s=0.01)
    found = await refusal(meta.answer_soap(get_wsdl("Find", "v1"), a_globalconf()))
    assert found[0] == "network_error"
    assert "did not arrive within 0.01 s" in found[1]


async def test_certificate_is_asked_for_only_where_the_service_says_so() -> None:
    conf = a_conf()
    trusting = replace(conf, services={FIND: replace(conf.services[FIND], verify_tls=False)})
    meta = serving(a_wsdl(versions=("v1",)), certificate=b"another", conf=trusting)
    assert (await meta.answer_soap(get_wsdl("Find", "v1"), a_globalconf())).attachments


async def test_openapi_comes_with_the_provider_s_type_and_without_its_address() -> None:
    request = by_rest("getOpenAPI", "?serviceCode=pets")
    answer = await serving(OPENAPI, url=OPENAPI_URL).answer_rest(request, a_globalconf())
    check_rest_consistency(request, answer)
    assert answer.body is not None
    assert json.loads(b"".join(answer.body.chunks())) == {"openapi": "3.0.0", "servers": [{"url": "/v1"}]}
    assert ("Content-Type", "application/json") in answer.headers


async def test_openapi_without_a_type_is_plain_text() -> None:
    web = Web({OPENAPI_URL: (200, {}, OPENAPI)})
    answer = await MetaServices(Registrations(a_conf()), web, hide_servers).answer_rest(
        by_rest("getOpenAPI", "?serviceCode=pets"), a_globalconf()
    )
    assert ("Content-Type", "text/plain") in answer.headers


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("", ("invalid_request", "Missing serviceCode in message body")),
        ("?serviceCode=plain", ("internal_error", "Invalid service type: REST")),
        ("?serviceCode=Closed", ("internal_error", "Invalid service type: WSDL")),
        ("?serviceCode=x", ("internal_error", f"Service not found: SERVICE:{PROVIDER}/x")),
    ],
)
async def test_openapi_that_does_not_exist_is_refused_in_known_words(query: str, refused: tuple[str, str]) -> None:
    assert await refusal(serving().answer_rest(by_rest("getOpenAPI", query), a_globalconf())) == refused


@pytest.mark.parametrize(
    ("meta", "text"),
    [
        (
            serving(b"x", status=503, url=OPENAPI_URL),
            f"Failed reading service description from {OPENAPI_URL}. Status: 503 Reason: Service Unavailable",
        ),
        (serving(b"swagger: 2.0", url=OPENAPI_URL), f"Failed reading service description from {OPENAPI_URL}. "),
        (serving(url=OPENAPI_URL), f"Failed reading service description from {OPENAPI_URL}. connection refused."),
    ],
)
async def test_openapi_that_cannot_be_read_is_said_in_the_words_that_tools_look_for(
    meta: MetaServices, text: str
) -> None:
    found = await refusal(meta.answer_rest(by_rest("getOpenAPI", "?serviceCode=pets"), a_globalconf()))
    assert found[1].startswith(text)


class Proven:
    """The shape of a proven message; proving one is the business of another test."""

    def __init__(self, message: Any) -> None:
        self.signed = an_unproven_message(message)


@pytest.mark.parametrize(
    "message",
    [by_soap("listMethods"), by_soap("allowedMethods"), by_soap("getWsdl"), by_rest("listMethods"),
     by_rest("allowedMethods", "/x"), by_rest("getOpenAPI")],
)  # fmt: skip
def test_built_in_services_need_no_right(message: SoapMessage | RestRequest) -> None:
    request = authorise(Proven(message), a_conf(), a_globalconf())  # type: ignore[arg-type]
    assert isinstance(request, BuiltInRequest)
    assert request.client == CLIENT


@pytest.mark.parametrize(
    "message",
    [by_soap("getOpenAPI"), by_soap("Find"), by_rest("getWsdl"),
     a_rest_request("POST", "", service=a_service("listMethods"), client=CLIENT)],
)  # fmt: skip
def test_other_codes_and_methods_are_services_like_others(message: SoapMessage | RestRequest) -> None:
    assert not is_built_in(message)
