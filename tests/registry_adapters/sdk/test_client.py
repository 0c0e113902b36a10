from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from lxml import etree

from gateway.runtime.clock import SystemClock
from gateway.runtime.database import open_database
from gateway.xroad.faults import MalformedMessage, RemoteFault, ServiceFailed
from gateway.xroad.soap.faults import build_soap_fault
from gateway.xroad.soap.message import SoapMessage, parse_soap
from gateway.xroad.soap.request_hash import insert_request_hash
from registry_adapters.demographic.model import PersonAnswer, PersonQuestion
from registry_adapters.demographic.registry import registry
from registry_adapters.sdk.access_log import AccessLog
from registry_adapters.sdk.client import Protocol, Reason, XRoadClient
from registry_adapters.sdk.fields_xml import to_xml
from registry_adapters.sdk.operations import Runner
from registry_adapters.sdk.registry import prepare
from registry_adapters.sdk.soap_service import answer_soap
from registry_adapters.settings import RegistrySettings
from tests.factories.registry import GET_PERSON, NAMESPACE, PROVIDER, SNAP

QUESTION = to_xml(PersonQuestion(unzr="19910824-00026"), "GetPerson", NAMESPACE)
REASON = Reason(user_id="clerk", issue="case-7", purposes=("P1", "P2"), legal_ground="закон")
Handler = Callable[[httpx.Request], httpx.Response]


def a_client(handler: Handler, **options: object) -> XRoadClient:
    return XRoadClient("http://server.example/", SNAP, transport=httpx.MockTransport(handler), **options)  # type: ignore[arg-type]


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    database = open_database(f"sqlite:///{tmp_path}/r.db")
    prepare(registry, database, RegistrySettings(persons=10))
    yield Runner(database, AccessLog(database), SystemClock())
    database.close()


@pytest.fixture
def security_server(runner: Runner) -> Handler:
    """Answers as a pair of security servers with the demographic registry behind them would."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = parse_soap(request.content, request.headers["content-type"])
        assert isinstance(asked, SoapMessage)
        raw = answer_soap(registry.soap, asked.raw, "text/xml", runner)
        return httpx.Response(200, content=insert_request_hash(raw, asked.digest), headers={"content-type": "text/xml"})

    return answer


def test_soap_answer_is_read_as_a_declared_record(security_server: Handler) -> None:
    with a_client(security_server) as client:
        answer = client.call_soap(GET_PERSON, QUESTION, reason=REASON)
    person = answer.read(PersonAnswer).person
    assert person is not None
    assert (person.surname, answer.headers.id) == ("Ткаченко", answer.message_id)


def test_reason_reaches_the_access_log(security_server: Handler, runner: Runner) -> None:
    with a_client(security_server) as client:
        client.call_soap(GET_PERSON, etree.tostring(QUESTION), reason=REASON, message_id="m-1")
    (look,) = runner.access_log.looks_at("1")
    assert (look["user_id"], look["issue"], look["message_id"]) == ("clerk", "case-7", "m-1")
    assert (look["purposes"], look["legal_ground"]) == ("P1,P2", "закон")


def test_answer_to_another_request_is_refused(security_server: Handler) -> None:
    def swap(request: httpx.Request) -> httpx.Response:
        other = request.content.replace(b"19910824-00026", b"19770824-00026")
        return security_server(httpx.Request("POST", request.url, content=other, headers=request.headers))

    with a_client(swap) as client, pytest.raises(MalformedMessage) as caught:
        client.call_soap(GET_PERSON, QUESTION)
    assert caught.value.code.endswith("inconsistent_response")


def test_soap_fault_is_an_exception_with_its_code() -> None:
    fault = build_soap_fault("server.serverproxy.access_denied", "no", "", "id-1")
    with (
        a_client(lambda _: httpx.Response(200, content=fault, headers={"content-type": "text/xml"})) as client,
        pytest.raises(RemoteFault) as caught,
    ):
        client.call_soap(GET_PERSON, QUESTION)
    assert (caught.value.code, caught.value.text, caught.value.detail) == (
        "server.serverproxy.access_denied",
        "no",
        "id-1",
    )
    assert caught.value.raw == fault


def test_silent_security_server_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with a_client(refuse) as client, pytest.raises(ServiceFailed) as caught:
        client.call_soap(GET_PERSON, QUESTION)
    assert caught.value.facts["url"] == "http://server.example"


def test_rest_request_names_the_service_in_its_path() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(404, json={"found": False}, headers={"x-road-id": "m-1"})

    with a_client(answer) as client:
        result = client.call_rest("GET", GET_PERSON, "/persons", query={"surname": "Шевчук"}, reason=REASON)
    (request,) = seen
    assert request.url.raw_path.startswith(b"/r1/UA-DEMO/GOV/10000002/DEMOGRAPHIC/GetPerson/persons?surname=%D0%A8")
    assert request.headers["x-road-client"] == str(SNAP)
    assert (request.headers["x-road-userid"], request.headers["x-road-issue"]) == ("clerk", "case-7")
    assert (request.headers["uxp-purpose-ids"], request.headers["legal-ground"]) == (
        "P1,P2",
        "%D0%B7%D0%B0%D0%BA%D0%BE%D0%BD",
    )
    assert (result.status, result.json(), result.message_id) == (404, {"found": False}, "m-1")


def test_uxp_request_names_the_service_in_a_header() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    with a_client(answer, protocol=Protocol.UXP) as client:
        client.call_rest("POST", GET_PERSON, "/x", json={"a": "ї"}, message_id="q-1")
    (request,) = seen
    assert request.url.path == "/restapi/x"
    assert (request.headers["uxp-client"], request.headers["uxp-service"]) == (str(SNAP), f"{PROVIDER}/GetPerson/v1")
    assert request.headers["uxp-queryid"] == "q-1"
    assert json.loads(request.content) == {"a": "ї"}


def test_rest_fault_of_a_security_server_is_an_exception() -> None:
    body = {"type": "server.clientproxy.unknown_member", "message": "who?", "detail": "id-2"}
    response = httpx.Response(500, json=body, headers={"X-Road-Error": "server.clientproxy.unknown_member"})
    with a_client(lambda _: response) as client, pytest.raises(RemoteFault) as caught:
        client.call_rest("GET", GET_PERSON)
    assert (caught.value.code, caught.value.text, caught.value.detail) == (body["type"], "who?", "id-2")


def test_evidence_is_asked_for_by_the_clients_own_identifier() -> None:
    seen: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, content=b"PK")

    with a_client(answer) as client:
        parts = (
            client.asic("m-1", requests_only=True, unique=True),
            client.signature("m-1"),
            client.verification_conf(),
        )
    assert parts == (b"PK", b"PK", b"PK")
    assert [url.path for url in seen] == ["/asic", "/signature", "/verificationconf"]
    assert dict(seen[0].params) == {
        "xRoadInstance": "UA-DEMO", "memberClass": "GOV", "memberCode": "10000001", "subsystemCode": "SNAP",
        "queryId": "m-1", "requestOnly": "", "unique": "",
    }  # fmt: skip


def test_evidence_that_is_not_to_be_had_is_an_exception() -> None:
    with (
        a_client(lambda _: httpx.Response(404, text="not found")) as client,
        pytest.raises(RemoteFault, match="http_404"),
    ):
        client.asic("m-1")


def test_answer_without_end_is_given_up() -> None:
    def drip() -> Iterator[bytes]:
        while True:
            yield b" " * 100
            time.sleep(0.01)

    slow = a_client(lambda _: httpx.Response(200, content=drip()), timeout_s=0.1)
    with slow as client, pytest.raises(ServiceFailed) as failed:
        client.call_rest("GET", GET_PERSON)
    assert isinstance(failed.value.__cause__, httpx.TimeoutException)


def test_answer_that_is_too_long_is_given_up() -> None:
    def flood() -> Iterator[bytes]:
        while True:
            yield b" " * 1024 * 1024

    with a_client(lambda _: httpx.Response(200, content=flood())) as client, pytest.raises(MalformedMessage):
        client.call_rest("GET", GET_PERSON)


def test_packed_answer_is_read() -> None:
    packed = httpx.Response(200, content=gzip.compress(b'{"found": true}'), headers={"content-encoding": "gzip"})
    with a_client(lambda _: packed) as client:
        assert client.call_rest("GET", GET_PERSON).json() == {"found": True}
