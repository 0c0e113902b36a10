"""The target of a request, however its sender writes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consumer.app import origin_form


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/r1/A/B?x=1", "/r1/A/B?x=1"),
        ("http://127.0.2.1:8080/wsdl?serviceCode=X", "/wsdl?serviceCode=X"),
        ("HTTPS://ss.example/restapi/a%2Fb", "/restapi/a%2Fb"),
        ("http://ss.example", "/"),
        ("http://ss.example?x=/y", "/?x=/y"),
        ("*", "*"),
        ("ftp://ss.example/r1", "ftp://ss.example/r1"),
    ],
)
def test_scheme_and_host_are_no_part_of_the_path(written: str, meant: str) -> None:
    assert origin_form(written) == meant


@given(st.text(alphabet="/?%2e.:abc"))
def test_what_follows_the_host_stays_as_it_was_written(rest: str) -> None:
    assert origin_form(f"http://ss.example/{rest}") == f"/{rest}"
