from __future__ import annotations

from typing import Any

import pytest

from gateway.xroad.soap.headers import RepresentedParty, SoapHeaders
from registry_adapters.sdk.context import Dialect, context_of_http, context_of_soap
from registry_adapters.sdk.errors import RequestError
from tests.factories.registry import GET_PERSON, PROVIDER, SNAP


def soap_headers(**changed: Any) -> SoapHeaders:
    return SoapHeaders(SNAP, GET_PERSON, "m-1", **changed)


def test_soap_header_becomes_plain_facts() -> None:
    headers = soap_headers(user_id="clerk", issue="case-7", represented_party=RepresentedParty("COM", "123"))
    context = context_of_soap(headers, {"purposeIds": "P1, P2", "legalGround": "закон 5203-VI, ст. 9"})
    assert (context.dialect, context.client, context.service) == (Dialect.SOAP, SNAP, GET_PERSON)
    assert (context.user_id, context.issue, context.represented_party) == ("clerk", "case-7", "COM/123")
    assert (context.purposes, context.legal_ground) == (("P1", "P2"), "закон 5203-VI, ст. 9")


def test_xroad_headers_become_plain_facts() -> None:
    context = context_of_http(
        {"x-road-client": str(SNAP), "x-road-id": "m-1", "x-road-userid": "clerk", "x-road-request-id": "r-1",
         "uxp-purpose-ids": "P1", "legal-ground": "%D0%B7%D0%B0%D0%BA%D0%BE%D0%BD"}, {},
    )  # fmt: skip
    assert (context.dialect, context.client, context.message_id) == (Dialect.REST, SNAP, "m-1")
    assert (context.user_id, context.request_id, context.purposes) == ("clerk", "r-1", ("P1",))
    assert context.legal_ground == "закон"


def test_uxp_headers_become_the_same_facts() -> None:
    context = context_of_http(
        {"uxp-client": str(SNAP), "uxp-service": f"{PROVIDER}/persons/1", "uxp-queryid": "q-1",
         "uxp-transaction-id": "t-1", "uxp-userid": "clerk"}, {},
    )  # fmt: skip
    assert (context.dialect, context.message_id, context.request_id) == (Dialect.UXP, "q-1", "t-1")
    assert str(context.service) == f"{PROVIDER}/persons/1"


def test_uxp_ids_may_come_in_the_query() -> None:
    context = context_of_http({"uxp-client": str(SNAP)}, {"queryId": "q-2", "userId": "clerk"})
    assert (context.message_id, context.user_id) == ("q-2", "clerk")


def test_user_written_in_utf_8_is_read_as_such() -> None:
    headers = {"x-road-client": str(SNAP), "x-road-userid": "Олена".encode().decode("latin-1")}
    assert context_of_http(headers, {}).user_id == "Олена"


def test_percent_signs_of_an_opaque_user_id_stay() -> None:
    assert context_of_http({"x-road-client": str(SNAP), "x-road-userid": "a%41"}, {}).user_id == "a%41"


def test_request_without_client_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        context_of_http({"x-road-id": "m-1"}, {})
    assert caught.value.name == "client_missing"


@pytest.mark.parametrize("value", ["x" * 256, "a\x00b"])
def test_fact_that_no_log_could_hold_is_refused(value: str) -> None:
    with pytest.raises(RequestError) as caught:
        context_of_soap(soap_headers(user_id=value), {})
    assert caught.value.name == "header_invalid"


def test_two_headers_that_name_different_clients_are_refused() -> None:
    headers = {"x-road-client": "UA-DEMO/GOV/10000001/SNAP", "uxp-client": "UA-DEMO/GOV/10000002/DEMOGRAPHIC"}
    with pytest.raises(RequestError):
        context_of_http(headers, {})
    assert (
        str(context_of_http({**headers, "uxp-client": headers["x-road-client"]}, {}).client) == headers["x-road-client"]
    )
