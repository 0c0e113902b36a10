from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.consumer.catalogue import (
    LIST_CLIENTS,
    LIST_SERVER_CLIENTS,
    WSDL,
    Catalogue,
    read_answer,
    read_query,
    read_service,
    status_of,
)
from gateway.exchange.faults import FaultStyle
from gateway.exchange.requests import InboundRequest, OutboundResponse
from gateway.runtime.clock import SystemClock
from gateway.serverconf.model import ClientStatus, ConnectionType, LocalClient, ServerConf
from gateway.xroad.faults import (
    AccessRefused,
    ConfigurationUnusable,
    MalformedMessage,
    Party,
    RemoteFault,
    ServiceFailed,
    XRoadFault,
)
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.soap.faults import build_soap_fault
from gateway.xroad.xml import NS_XROAD
from tests.factories.globalconf import CLIENT, INSTANCE, OWNER, SERVER, a_globalconf
from tests.factories.messages import a_member, a_subsystem

QUERY = "xRoadInstance=UA-DEMO&memberClass=GOV&memberCode=10000001"


class Conf:
    """Registrations and configuration of a small server; `is_there` tells whether a configuration was ever fetched."""

    def __init__(self, *, is_there: bool = True, initialised: bool = True) -> None:
        statuses = {OWNER: ClientStatus.REGISTERED, CLIENT: ClientStatus.REGISTERED, a_subsystem(): ClientStatus.SAVED}
        clients = {one: LocalClient(one, status, ConnectionType.HTTP) for one, status in statuses.items()}
        self._conf = ServerConf(1, SERVER if initialised else None, clients=dict(reversed(clients.items())))
        self._is_there = is_there

    def current(self) -> ServerConf:
        return self._conf

    def latest(self) -> GlobalConf:
        if not self._is_there:
            raise ConfigurationUnusable("global_conf_outdated", "configuration.none")
        return a_globalconf()


class Deps:
    """As much of ConsumerDeps as lists touch."""

    style = FaultStyle()
    clock = SystemClock()

    def __init__(self, conf: Conf) -> None:
        self.registrations = conf


async def ask(path: str, query: str = "", conf: Conf | None = None, **headers: str) -> OutboundResponse:
    conf = conf or Conf()
    sent = tuple(headers.items())
    request = InboundRequest("GET", f"{path}?{query}", sent, None, None, False, "id")  # type: ignore[arg-type]
    return await Catalogue(Deps(conf), conf).answer(path, request)  # type: ignore[arg-type]


def content_type(answer: OutboundResponse) -> str:
    return dict(answer.headers)["Content-Type"]


def ids_in(answer: OutboundResponse) -> list[tuple[str, ...]]:
    assert isinstance(answer.body, bytes)
    members = json.loads(answer.body)["member"]
    return [tuple(part for name, part in one["id"].items() if name != "object_type") for one in members]


def test_catalogue_takes_only_gets_of_its_paths() -> None:
    catalogue = Catalogue(Deps(Conf()), Conf())  # type: ignore[arg-type]
    assert [catalogue.takes("GET", path) for path in (LIST_CLIENTS, LIST_SERVER_CLIENTS, WSDL, "/")] == [
        True, True, True, False,
    ]  # fmt: skip
    assert not catalogue.takes("POST", WSDL)


async def test_clients_come_as_xml_unless_json_is_accepted() -> None:
    answer = await ask(LIST_CLIENTS)
    assert (answer.status, content_type(answer)) == (200, "text/xml; charset=UTF-8")
    assert isinstance(answer.body, bytes)
    assert etree.fromstring(answer.body).tag == f"{{{NS_XROAD}}}clientList"
    answer = await ask(LIST_CLIENTS, accept="application/json")
    assert content_type(answer) == "application/json; charset=utf-8"
    assert CLIENT.parts in ids_in(answer)


@pytest.mark.parametrize("query", ["", "xRoadInstance=", f"xRoadInstance={INSTANCE}"])
async def test_own_instance_is_listed_unless_another_is_named(query: str) -> None:
    assert CLIENT.parts in ids_in(await ask(LIST_CLIENTS, query, accept="application/json"))


async def test_unknown_instance_is_not_found_in_the_caller_s_language() -> None:
    answer = await ask(LIST_CLIENTS, "xRoadInstance=NOWHERE", **{"accept-language": "uk"})
    assert (answer.status, content_type(answer)) == (404, "text/plain; charset=utf-8")
    assert isinstance(answer.body, bytes)
    assert "NOWHERE тут невідомий" in answer.body.decode()


async def test_registered_clients_of_the_server_are_listed_the_owner_first() -> None:
    answer = await ask(LIST_SERVER_CLIENTS, accept="application/json")
    assert ids_in(answer) == [OWNER.parts, CLIENT.parts]


@pytest.mark.parametrize("path", [LIST_CLIENTS, LIST_SERVER_CLIENTS])
async def test_server_without_a_configuration_says_so(path: str) -> None:
    assert (await ask(path, conf=Conf(is_there=False))).status == 500


@pytest.mark.parametrize("path", [LIST_SERVER_CLIENTS, WSDL])
async def test_server_without_an_owner_says_so(path: str) -> None:
    answer = await ask(path, f"{QUERY}&serviceCode=a", conf=Conf(initialised=False), host="h")
    assert answer.status in (400, 500)
    assert isinstance(answer.body, bytes)
    assert b"has no owner yet" in answer.body


@pytest.mark.parametrize(
    ("query", "service"),
    [
        (f"{QUERY}&serviceCode=a", ServiceId(a_member(), "a")),
        (f"{QUERY}&subsystemCode=&serviceCode=a&version=", ServiceId(a_member(), "a")),
        (f"{QUERY}&subsystemCode=SNAP&serviceCode=a&serviceVersion=v1", ServiceId(a_subsystem(), "a", "v1")),
        (f"{QUERY}&subsystemCode=SNAP&serviceCode=a&version=v1", ServiceId(a_subsystem(), "a", "v1")),
        (f"{QUERY}&serviceCode=a&version=v1&serviceVersion=v1", ServiceId(a_member(), "a", "v1")),
        (f"{QUERY}&serviceCode=%D0%B0%2F", ServiceId(a_member(), "а/")),
    ],
)
def test_service_is_read_from_either_form_of_the_query(query: str, service: ServiceId) -> None:
    assert read_service(read_query(query)) == service


@pytest.mark.parametrize(
    ("query", "text_id"),
    [
        (QUERY, "catalogue.missing_parameter"),
        ("serviceCode=a", "catalogue.missing_parameter"),
        (f"{QUERY}&serviceCode=%20", "catalogue.missing_parameter"),
        (f"{QUERY}&serviceCode=a&version=1&serviceVersion=2", "catalogue.two_versions"),
    ],
)
async def test_query_that_names_no_service_is_refused(query: str, text_id: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read_service(read_query(query))
    assert caught.value.text_id == text_id
    assert (await ask(WSDL, query, host="h")).status == 400


async def test_caller_without_an_address_is_refused() -> None:
    assert (await ask(WSDL, f"{QUERY}&serviceCode=a")).status == 400
    assert (await ask(WSDL, f"{QUERY}&serviceCode=a", host="a b")).status == 400


@given(st.text())
def test_any_query_names_a_service_or_is_refused(query: str) -> None:
    try:
        assert isinstance(read_service(read_query(query)), ServiceId)
    except XRoadFault:
        return


def ours(fault: XRoadFault, party: Party | None = None) -> XRoadFault:
    fault.party = party
    return fault


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ours(MalformedMessage("invalid_request", "x.y"), Party.CLIENT), 400),
        (ours(MalformedMessage("invalid_response", "x.y"), Party.SERVICE), 500),
        (AccessRefused("unknown_member", "x.y"), 404),
        (ServiceFailed("network_error", "x.y"), 500),
        (RemoteFault("server.serverproxy.unknown_service", "", "", b""), 404),
        (RemoteFault("Server.ServerProxy.UnknownService", "", "", b""), 404),
        (RemoteFault("Server.ServerProxy.HttpError", "", "", b""), 502),
        (RemoteFault("", "", "", b""), 502),
        (ZeroDivisionError(), 500),
    ],
)
def test_status_says_what_went_wrong(failure: Exception, status: int) -> None:
    assert status_of(failure) == status


def test_fault_in_an_answer_is_the_other_side_s() -> None:
    raw = build_soap_fault("server.serverproxy.x", "text")
    answer: Any = OutboundResponse(200, (("content-type", "text/xml"),), iter([raw[:9], raw[9:]]))
    with pytest.raises(RemoteFault) as caught:
        read_answer(answer)
    assert caught.value.code == "server.serverproxy.x"
