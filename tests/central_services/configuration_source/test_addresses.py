"""The addresses that are published."""

from __future__ import annotations

import pytest

from central_services.configuration_source.addresses import host_of, is_address, source_address, source_urls
from central_services.configuration_source.model import SourceType


@pytest.mark.parametrize(
    ("address", "port", "published"),
    [
        ("cs.example", 80, "cs.example"),
        ("cs.example", 8880, "cs.example:8880"),
        ("127.0.1.1:8880", 80, "127.0.1.1:8880"),
        ("[::1]", 8880, "[::1]:8880"),
    ],
)
def test_a_port_is_said_where_it_is_not_the_usual_one(address: str, port: int, published: str) -> None:
    assert source_address(address, port) == published


@pytest.mark.parametrize(
    ("address", "host"), [("cs.example", "cs.example"), ("127.0.1.1:8880", "127.0.1.1"), ("[::1]:80", "[::1]")]
)
def test_services_on_other_ports_take_the_host_alone(address: str, host: str) -> None:
    assert host_of(address) == host


def test_an_anchor_lists_http_first_and_https_where_it_is_served() -> None:
    internal = source_urls("cs.example", SourceType.INTERNAL, 80, None)
    both = source_urls("cs.example:8880", SourceType.EXTERNAL, 80, 8443)
    assert internal == ("http://cs.example/internalconf",)
    assert both == ("http://cs.example:8880/externalconf", "https://cs.example:8443/externalconf")
    assert source_urls("cs.example", SourceType.INTERNAL, 80, 443)[1] == "https://cs.example/internalconf"


@pytest.mark.parametrize(
    "text", ["", "http://cs.example", "cs.example/path", "cs example", "a@b", "cs:0", "cs:99999", "cs?x", ":80"]
)
def test_an_address_is_a_host_and_perhaps_a_port(text: str) -> None:
    assert not is_address(text)
