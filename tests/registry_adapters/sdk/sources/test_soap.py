from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree

from gateway.xroad.soap.faults import build_soap_fault
from gateway.xroad.xml import NS_SOAP11
from registry_adapters.sdk.errors import RequestError, UnavailableError
from registry_adapters.sdk.sources.soap import SoapApi

NAMESPACE = "urn:kennels"


def an_envelope(body: str) -> bytes:
    return f'<s:Envelope xmlns:s="{NS_SOAP11}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


@pytest.fixture
def api(service: Any) -> Iterator[SoapApi]:
    made = SoapApi(f"{service.url}/ws", NAMESPACE, action="urn:get", timeout_s=2, max_bytes=2000)
    yield made
    made.close()


def test_question_is_an_element_of_the_namespace(service: Any, api: SoapApi) -> None:
    service.content = an_envelope("<r/>")
    api.call("GetKennel", {"number": 7, "open": True, "missing": None, "owner": {"name": "А & Б"}, "tag": ["a", "b"]})
    method, path, headers, body = service.asked[0]
    assert (method, path, headers["soapaction"], headers["content-type"]) == (
        "POST", "/ws", '"urn:get"', "text/xml; charset=UTF-8",
    )  # fmt: skip
    asked = etree.fromstring(body).find(f"{{{NS_SOAP11}}}Body/{{{NAMESPACE}}}GetKennel")
    assert asked is not None
    flat = [(etree.QName(one).localname, one.text) for one in asked.iter(f"{{{NAMESPACE}}}*")][1:]
    assert flat == [("number", "7"), ("open", "true"), ("owner", None), ("name", "А & Б"), ("tag", "a"), ("tag", "b")]


def test_inner_elements_have_no_namespace_where_the_service_wants_none(service: Any) -> None:
    service.content = an_envelope("<r/>")
    api = SoapApi(service.url, NAMESPACE, qualified=False)
    api.call("GetKennel", {"number": "7"})
    api.close()
    assert etree.fromstring(service.asked[0][3]).find(".//number") is not None


def test_answer_is_plain_data(service: Any, api: SoapApi) -> None:
    service.content = an_envelope(
        '<k:R xmlns:k="urn:kennels" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><k:kennel><k:number>1</k:number>'
        '<k:tag>a</k:tag><k:tag>b</k:tag><k:tag>c</k:tag><k:note xsi:nil="true"/><!-- x --></k:kennel></k:R>'
    )
    assert api.call("GetKennel", {}) == {"kennel": {"number": "1", "tag": ["a", "b", "c"], "note": None}}


def test_fault_that_means_nothing_found_is_none(service: Any, api: SoapApi) -> None:
    service.status, service.content = 500, build_soap_fault("Client.NotFound", "no such kennel")
    assert api.call("GetKennel", {}, nothing=("Client.NotFound",)) is None
    with pytest.raises(RequestError, match=r"source_refused status=Client\.NotFound"):
        api.call("GetKennel", {})


def test_fault_of_the_service_is_unavailability(service: Any, api: SoapApi) -> None:
    service.status, service.content = 500, build_soap_fault("soap:Server", "table KENNEL is locked")
    with pytest.raises(UnavailableError, match="source_unavailable") as caught:
        api.call("GetKennel", {})
    assert "KENNEL" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html/>",
        b"not xml",
        f'<s:Envelope xmlns:s="{NS_SOAP11}"><s:Body/></s:Envelope>'.encode(),
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        an_envelope("<r>" + "x" * 2000 + "</r>"),
    ],
)
def test_answer_that_is_no_envelope_is_unusable(service: Any, api: SoapApi, content: bytes) -> None:
    service.content = content
    with pytest.raises(UnavailableError, match="source_unusable"):
        api.call("GetKennel", {})
