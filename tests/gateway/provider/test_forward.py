from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.provider.forward import join_path, parse_url
from gateway.serverconf.model import ServiceKind, ServiceRecord
from gateway.xroad.faults import ServiceFailed
from tests.factories.messages import a_service


def a_record(url: str) -> ServiceRecord:
    return ServiceRecord(a_service("persons"), ServiceKind.REST, url, 60, True, 1)


PIECES = st.lists(st.sampled_from(["/", "a", "%2F", "%2f", "%41", "..", ";", "%25", "+", "~", "//"]), max_size=10)
service_paths = PIECES.map("".join).map(lambda path: f"/{path}" if path else "")


@given(st.sampled_from(["", "/", "/base", "/base/", "/b%2Fc/"]), service_paths, st.none() | PIECES.map("".join))
def test_service_path_and_query_go_on_byte_for_byte(base: str, service_path: str, query: str | None) -> None:
    target = join_path(base, service_path, query)
    path, question, said = target.partition("?")
    assert path.startswith("/")
    assert path.endswith(service_path)
    assert (said if question else None) == query


@pytest.mark.parametrize(
    ("base", "service_path", "query", "target"),
    [
        ("", "", None, "/"),
        ("", "/x", None, "/x"),
        ("/", "/x", None, "/x"),
        ("/base", "/x", None, "/base/x"),
        ("/base/", "/x", None, "/base/x"),
        ("/base/", "", None, "/base/"),
        ("/base", "", None, "/base"),
        ("/base", "/", "", "/base/?"),
        ("/base", "//x", "a=1?2", "/base//x?a=1?2"),
        ("/base", "/a%2Fb", "q=%20", "/base/a%2Fb?q=%20"),
    ],
)
def test_one_slash_stands_at_the_seam(base: str, service_path: str, query: str | None, target: str) -> None:
    assert join_path(base, service_path, query) == target


@pytest.mark.parametrize(
    ("url", "host", "port", "is_tls", "path", "authority"),
    [
        ("http://registry.test", "registry.test", 80, False, "", "registry.test"),
        ("https://registry.test/a/?k=v", "registry.test", 443, True, "/a/?k=v", "registry.test"),
        ("http://registry.test:8090/a%2Fb", "registry.test", 8090, False, "/a%2Fb", "registry.test:8090"),
        ("https://[::1]:8443/", "::1", 8443, True, "/", "[::1]:8443"),
    ],
)
def test_address_is_taken_apart(url: str, host: str, port: int, is_tls: bool, path: str, authority: str) -> None:
    address = parse_url(a_record(url))
    assert (address.host, address.port, address.is_tls, address.path) == (host, port, is_tls, path)
    assert address.authority == authority


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "service_missing_url"),
        ("ftp://x/", "service_malformed_url"),
        ("http://", "service_malformed_url"),
        ("http://x:port/", "service_malformed_url"),
        ("registry.test/x", "service_malformed_url"),
    ],
)
def test_unusable_address_is_the_services_failure(url: str, code: str) -> None:
    with pytest.raises(ServiceFailed) as failed:
        parse_url(a_record(url))
    assert failed.value.code == code
