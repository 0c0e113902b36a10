from __future__ import annotations

import pytest

from gateway.consumer.routing import routes_to
from gateway.xroad.faults import AccessRefused, ServiceFailed, XRoadFault
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.shared_parameters import SecurityServer
from gateway.xroad.identifiers import ClientId, SecurityServerId, SubsystemId
from tests.factories.globalconf import (
    PROVIDER,
    PROVIDER_MEMBER,
    PROVIDER_SERVER,
    SERVER,
    a_globalconf,
    a_security_server,
    a_shared_parameters,
)

SECOND = SecurityServerId(PROVIDER_MEMBER, "SS3")


def a_conf(*servers: SecurityServer) -> GlobalConf:
    return a_globalconf(a_shared_parameters(security_servers=servers))


def a_server(
    id: SecurityServerId = PROVIDER_SERVER, address: str | None = "127.0.3.1", maintenance: str | None = None
) -> SecurityServer:
    return a_security_server(id, (PROVIDER,), address=address, maintenance=maintenance)


def refusal(
    globalconf: GlobalConf, provider: ClientId = PROVIDER, target: SecurityServerId | None = None
) -> XRoadFault:
    with pytest.raises((AccessRefused, ServiceFailed)) as refused:
        routes_to(provider, target, globalconf)
    return refused.value


def test_every_server_of_the_provider_is_a_candidate() -> None:
    found = routes_to(PROVIDER, None, a_conf(a_server(), a_server(SECOND, "127.0.4.1")))
    assert {(route.server, route.address) for route in found} == {
        (PROVIDER_SERVER, "127.0.3.1"), (SECOND, "127.0.4.1"),
    }  # fmt: skip


def test_owner_is_reached_at_its_own_server() -> None:
    (route,) = routes_to(PROVIDER_MEMBER, None, a_conf(a_server()))
    assert route.server == PROVIDER_SERVER


def test_provider_that_no_server_has_is_unknown() -> None:
    stranger = SubsystemId(PROVIDER_MEMBER, "Service")  # letters count
    assert refusal(a_conf(a_server()), stranger).code == "unknown_member"


def test_server_without_an_address_cannot_be_reached() -> None:
    assert refusal(a_conf(a_server(address=None))).code == "unknown_member"


def test_named_server_is_the_only_candidate() -> None:
    globalconf = a_conf(a_server(), a_server(SECOND, "127.0.4.1"))
    (route,) = routes_to(PROVIDER, SECOND, globalconf)
    assert route.server == SECOND
    assert refusal(globalconf, target=SERVER).code == "invalid_security_server"


def test_server_in_maintenance_is_left_out() -> None:
    (route,) = routes_to(PROVIDER, None, a_conf(a_server(maintenance="back at 5"), a_server(SECOND, "127.0.4.1")))
    assert route.server == SECOND


def test_maintenance_of_all_is_told_with_its_message() -> None:
    fault = refusal(a_conf(a_server(maintenance=""), a_server(SECOND, "127.0.4.1", "back at 5")))
    assert (fault.code, fault.facts["message"]) == ("maintenance_mode", "back at 5")
