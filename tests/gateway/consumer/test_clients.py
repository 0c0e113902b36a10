from __future__ import annotations

import pytest

from gateway.consumer.clients import authenticate
from gateway.exchange.requests import InboundRequest
from gateway.serverconf.model import ClientStatus, ConnectionType, LocalClient, ServerConf
from gateway.xroad.faults import AccessRefused
from tests.factories.globalconf import CLIENT, OWNER, SERVER

SYSTEM, INTERNAL = b"certificate of the information system", b"our internal certificate"


def a_conf(kind: ConnectionType, status: ClientStatus = ClientStatus.REGISTERED) -> ServerConf:
    return ServerConf(1, SERVER, clients={CLIENT: LocalClient(CLIENT, status, kind, frozenset({SYSTEM}))})


def a_call(*, is_tls: bool = False, certificate: bytes | None = None) -> InboundRequest:
    return InboundRequest("POST", "/", (), None, certificate, is_tls, "id")  # type: ignore[arg-type]


HTTP, NO_AUTH, HTTPS = ConnectionType.HTTP, ConnectionType.HTTPS_NO_AUTH, ConnectionType.HTTPS
PLAIN, TLS = a_call(), a_call(is_tls=True)
KNOWN, OTHER = a_call(is_tls=True, certificate=SYSTEM), a_call(is_tls=True, certificate=b"other")
OURSELVES = a_call(is_tls=True, certificate=INTERNAL)


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (HTTP, PLAIN), (HTTP, TLS), (HTTP, OTHER), (NO_AUTH, TLS), (NO_AUTH, OTHER), (HTTPS, KNOWN), (HTTPS, OURSELVES),
    ],
)  # fmt: skip
def test_connection_that_the_client_asks_for_passes(kind: ConnectionType, call: InboundRequest) -> None:
    assert authenticate(CLIENT, call, a_conf(kind), INTERNAL).id == CLIENT


@pytest.mark.parametrize(
    ("kind", "call", "text_id"),
    [
        (NO_AUTH, PLAIN, "clients.plaintext"),
        (HTTPS, PLAIN, "clients.plaintext"),
        (HTTPS, TLS, "clients.no_certificate"),
        (HTTPS, OTHER, "clients.other_certificate"),
    ],
)
def test_any_other_connection_is_refused(kind: ConnectionType, call: InboundRequest, text_id: str) -> None:
    with pytest.raises(AccessRefused) as refused:
        authenticate(CLIENT, call, a_conf(kind), INTERNAL)
    assert (refused.value.code, refused.value.text_id) == ("ssl_authentication_failed", text_id)


def test_without_an_internal_certificate_nobody_passes_as_ourselves() -> None:
    with pytest.raises(AccessRefused):
        authenticate(CLIENT, TLS, a_conf(HTTPS), None)


@pytest.mark.parametrize("status", [status for status in ClientStatus if status is not ClientStatus.REGISTERED])
def test_client_that_is_not_registered_is_unknown(status: ClientStatus) -> None:
    with pytest.raises(AccessRefused) as refused:
        authenticate(CLIENT, PLAIN, a_conf(HTTP, status), None)
    assert (refused.value.code, refused.value.facts["status"]) == ("unknown_member", status.value)


def test_member_does_not_stand_for_its_subsystem() -> None:
    with pytest.raises(AccessRefused) as refused:
        authenticate(OWNER, PLAIN, a_conf(HTTP), None)
    assert refused.value.code == "unknown_member"
