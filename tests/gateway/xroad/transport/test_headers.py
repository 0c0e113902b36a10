from __future__ import annotations

import pytest

from gateway.xroad.faults import AccessRefused, MalformedMessage
from gateway.xroad.transport.headers import (
    build_request_headers,
    build_response_headers,
    check_hash_algorithm,
    check_proxy_version,
)
from tests.factories.messages import a_rest_request, a_rest_response, a_soap_message, a_soap_response


def test_soap_request_headers_stand_in_the_order_of_the_reference() -> None:
    message = a_soap_message(soap_action='"urn:x"')
    assert build_request_headers(
        message, "multipart/mixed", original_content_type="text/xml", request_id="r-1", proxy_version="7.8.0"
    ) == (
        ("x-hash-algorithm", "SHA-512"),
        ("x-original-content-type", "text/xml"),
        ("x-road-request-id", "r-1"),
        ("x-proxy-version", "7.8.0"),
        ("x-original-soapaction", '"urn:x"'),
        ("content-type", "multipart/mixed"),
    )


def test_rest_request_says_so_and_has_an_empty_original_type_without_one() -> None:
    headers = build_request_headers(
        a_rest_request(), "multipart/mixed", original_content_type=None, request_id="r-1", proxy_version="7.8.0"
    )
    assert headers[0] == ("x-road-message-type", "REST")
    assert ("x-original-content-type", "") in headers
    assert "x-original-soapaction" not in dict(headers)


def test_answer_names_its_original_type_for_soap_only() -> None:
    package = a_soap_response(package_type="multipart/related; boundary=X")
    assert dict(build_response_headers(package, "m"))["x-original-content-type"] == "multipart/related; boundary=X"
    for message in (a_rest_response(), None):
        assert build_response_headers(message, "m") == (("content-type", "m"), ("x-hash-algorithm", "SHA-512"))


def test_response_header_names_are_lower_case() -> None:
    assert all(name == name.lower() for name, _ in build_response_headers(a_soap_response(), "m"))


@pytest.mark.parametrize("value", ["SHA-512", "sha-512"])
def test_sha512_is_accepted(value: str) -> None:
    check_hash_algorithm(value)


@pytest.mark.parametrize("value", [None, "", "SHA-256", "SHA-1", "MD5", "x" * 1000])
def test_other_hash_algorithms_are_refused(value: str | None) -> None:
    with pytest.raises(MalformedMessage) as caught:
        check_hash_algorithm(value)
    assert caught.value.code == "internal_error"


@pytest.mark.parametrize("value", ["7.6.0", "7.6.1", "7.10.0", "8.0.0-beta+x"])
def test_recent_consumer_is_accepted(value: str) -> None:
    check_proxy_version(value, "7.6.0")


@pytest.mark.parametrize("value", [None, "", "7.5.9", "7", "7.6", "x.y.z", "7.6.0x", "٧.٦.٠"])
def test_older_or_unreadable_consumer_is_refused(value: str | None) -> None:
    with pytest.raises(AccessRefused) as caught:
        check_proxy_version(value, "7.6.0")
    assert caught.value.code == "client_proxy_version_not_supported"


def test_minimum_that_is_no_version_is_our_own_mistake() -> None:
    with pytest.raises(RuntimeError):
        check_proxy_version("7.6.0", "new")
