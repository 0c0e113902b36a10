from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.provider.access import authorise, check_provider_is_here, client_and_service
from gateway.serverconf.access import rule_path
from gateway.serverconf.model import (
    AccessRight,
    ClientStatus,
    ConnectionType,
    Endpoint,
    LocalClient,
    ServerConf,
    ServiceKind,
    ServiceRecord,
)
from gateway.xroad.faults import AccessRefused, MalformedMessage
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.rest.target import refuse_dot_segments
from tests.factories.globalconf import a_globalconf
from tests.factories.messages import (
    a_provider,
    a_rest_request,
    a_server,
    a_service,
    a_soap_message,
    a_subsystem,
    an_unproven_message,
)
from tests.properties import paths

PROVIDER, CLIENT, HERE = a_provider(), a_subsystem(), a_server()
PERSONS = a_service("persons")


class Proven:
    """The shape of a proven message; proving one is the business of another test."""

    def __init__(self, message: Any) -> None:
        self.signed = an_unproven_message(message)


def a_conf(endpoint: Endpoint | None = None, status: ClientStatus = ClientStatus.REGISTERED) -> ServerConf:
    rights = () if endpoint is None else (AccessRight(CLIENT, "persons", endpoint, 0),)
    return ServerConf(
        1,
        HERE,
        clients={PROVIDER: LocalClient(PROVIDER, status, ConnectionType.HTTP)},
        services={PERSONS: ServiceRecord(PERSONS, ServiceKind.REST, "http://x/", 60, True, 1)},
        rights={(PROVIDER, "persons"): rights},
    )


def allowed(path: str, endpoint: Endpoint | None, method: str = "GET") -> bool:
    message = Proven(a_rest_request(method, path, service=PERSONS, client=CLIENT))
    try:
        return authorise(message, a_conf(endpoint), a_globalconf()).client == CLIENT  # type: ignore[arg-type]
    except AccessRefused:
        return False


def is_carried(path: str) -> bool:
    """Dot segments are refused before access is asked."""
    try:
        refuse_dot_segments(path)
    except MalformedMessage:
        return False
    return True


def rule_of(path: str) -> str:
    return rule_path(path).replace("*", r"\*")


class TestPlace:
    def refusal(self, conf: ServerConf, *, target: Any = None, service: ServiceId = PERSONS) -> str:
        with pytest.raises(AccessRefused) as refused:
            check_provider_is_here(service, target, conf)
        return refused.value.code

    def test_registered_provider_is_here(self) -> None:
        check_provider_is_here(PERSONS, None, a_conf())
        check_provider_is_here(PERSONS, HERE, a_conf())

    def test_request_for_another_server_is_refused(self) -> None:
        assert self.refusal(a_conf(), target=a_server("SS9")) == "invalid_security_server"

    @pytest.mark.parametrize("status", [status for status in ClientStatus if status is not ClientStatus.REGISTERED])
    def test_provider_that_is_not_registered_is_unknown(self, status: ClientStatus) -> None:
        assert self.refusal(a_conf(status=status)) == "unknown_member"

    def test_provider_of_another_server_is_unknown(self) -> None:
        assert self.refusal(a_conf(), service=a_service("x", provider=CLIENT)) == "unknown_member"


class TestAuthorisation:
    def test_without_a_right_nothing_is_allowed(self) -> None:
        assert not allowed("/x", None)

    def test_right_to_the_whole_service_allows_every_path(self) -> None:
        assert allowed("", Endpoint(1))
        assert allowed("/a/b?c=d", Endpoint(1))

    def test_rule_is_held_against_the_decoded_path_without_the_query(self) -> None:
        rule = Endpoint(1, "GET", "/імена")
        assert allowed("/%D1%96%D0%BC%D0%B5%D0%BD%D0%B0?x=/y", rule)
        assert not allowed("/other?x=/%D1%96%D0%BC%D0%B5%D0%BD%D0%B0", rule)

    def test_escaped_slash_does_not_reach_into_a_deeper_rule(self) -> None:
        assert allowed("/a/b", Endpoint(1, "*", "/a/b"))
        assert not allowed("/a%2Fb", Endpoint(1, "*", "/a/b"))
        assert allowed("/a%2Fb", Endpoint(1, "*", "/*"))

    @given(st.data())
    def test_path_is_judged_alike_in_every_spelling_and_stays_as_it_was_written(self, data: st.DataObject) -> None:
        path = data.draw(paths.service_paths.filter(is_carried))
        other = data.draw(paths.spellings_of(path))
        rule = Endpoint(1, "*", data.draw(st.sampled_from(["/a/**", "/*", "/*/*", "/~**", rule_of(path)])))
        assert allowed(path, rule) is allowed(other, rule)
        assert a_rest_request("GET", other, service=PERSONS).service_path == other

    def test_method_counts(self) -> None:
        assert not allowed("/x", Endpoint(1, "POST", "**"))
        assert allowed("/x", Endpoint(1, "POST", "**"), method="POST")

    def test_authorised_request_says_where_to_call(self) -> None:
        message = Proven(a_rest_request(service=PERSONS, client=CLIENT))
        request = authorise(message, a_conf(Endpoint(1)), a_globalconf())  # type: ignore[arg-type]
        assert (request.client, request.service.url) == (CLIENT, "http://x/")


def test_both_kinds_of_message_name_client_and_service() -> None:
    soap = a_soap_message()
    assert client_and_service(soap) == (soap.headers.client, soap.headers.service, None)
    rest = a_rest_request(service=PERSONS, client=CLIENT)
    assert client_and_service(rest) == (CLIENT, PERSONS, None)
