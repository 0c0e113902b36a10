from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.metadata.rest import ListedService, build_service_list, hide_server, wanted_service_code
from tests.factories.messages import a_member, a_service


def test_service_list_has_the_names_of_the_reference_s_examples() -> None:
    pets = ListedService(a_service("pets"), "OPENAPI", (("GET", "/pet/*"),))
    plain = ListedService(a_service("пошук", provider=a_member()), "REST", ())
    assert json.loads(build_service_list([pets, plain])) == {
        "service": [
            {
                "object_type": "SERVICE",
                "service_type": "OPENAPI",
                "xroad_instance": "UA-DEMO",
                "member_class": "GOV",
                "member_code": "10000002",
                "subsystem_code": "DEMOGRAPHIC",
                "service_code": "pets",
                "endpoint_list": [{"method": "GET", "path": "/pet/*"}],
            },
            {
                "object_type": "SERVICE",
                "service_type": "REST",
                "xroad_instance": "UA-DEMO",
                "member_class": "GOV",
                "member_code": "10000001",
                "service_code": "пошук",
                "endpoint_list": [],
            },
        ]
    }


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("serviceCode=pets", "pets"),
        ("SERVICECODE=pets", "pets"),
        ("a=b&serviceCode=first&serviceCode=p%20ets", "p ets"),
        ("serviceCode=%D0%B0", "а"),
    ],
)
def test_service_code_is_read_from_the_query(query: str, code: str) -> None:
    assert wanted_service_code(query) == code


@pytest.mark.parametrize("query", [None, "", "serviceCode=", "serviceCode=%20", "code=x"])
def test_query_without_a_service_code_is_refused(query: str | None) -> None:
    with pytest.raises(MalformedMessage) as caught:
        wanted_service_code(query)
    assert caught.value.code == "invalid_request"


@given(st.text())
def test_any_query_has_a_code_or_is_refused(query: str) -> None:
    try:
        assert wanted_service_code(query)
    except MalformedMessage:
        return


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://registry.local:8443/a/b?x=1", "/a/b"),
        ("http://registry.local", ""),
        ("/v1", "/v1"),
        ("https://{host}/v1", "https://{host}/v1"),
        ("", ""),
    ],
)
def test_address_is_shown_as_its_path_unless_it_is_a_template(url: str, shown: str) -> None:
    assert hide_server(url) == shown


def test_address_that_cannot_be_taken_apart_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        hide_server("http://[::1")
    assert caught.value.code == "internal_error"
