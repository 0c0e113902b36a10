from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.bodies import BytesBody
from gateway.xroad.digests import digest_of
from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.identifiers import ClientId, ServiceId, encode_path
from gateway.xroad.rest.message import (
    METHODS,
    RestRequest,
    RestResponse,
    build_rest_request,
    build_rest_response,
    check_rest_consistency,
    parse_rest_message,
    parse_rest_request,
    parse_rest_response,
    rest_request_hash,
)
from gateway.xroad.soap.headers import RepresentedParty
from tests.factories.messages import (
    REQUEST_ID,
    a_member,
    a_rest_request,
    a_rest_response,
    a_server,
    a_service,
    a_subsystem,
)
from tests.properties import identifiers

TARGET = "/r1/UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons"
CLIENT = ("X-Road-Client", "UA-DEMO/GOV/10000001/SNAP")
RESPONSE = (
    b"200\r\nOK\r\nx-road-id:m-1\r\nx-road-client:UA-DEMO/GOV/10000001/SNAP\r\n"
    b"x-road-service:UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons\r\nx-road-request-id:r-1\r\nx-road-request-hash:AAAA\r\n"
)


def built(*headers: tuple[str, str], method: str = "GET", target: str = TARGET) -> RestRequest:
    return build_rest_request(method, target, headers, request_id="r-1", new_id="new-1")


def code_of(*headers: tuple[str, str], method: str = "GET", target: str = TARGET) -> str:
    with pytest.raises(MalformedMessage) as caught:
        built(*headers, method=method, target=target)
    return caught.value.code


def test_request_part_is_lines_without_an_empty_one_at_the_end() -> None:
    request = built(
        ("X-Road-Id", "m-1"), CLIENT, ("aCCept", "a/b;q=1"), ("Accept", " c "), target=TARGET + "/x%20y?q=1"
    )
    assert request.raw == (
        b"GET\r\n/r1/UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons/x%20y?q=1\r\nX-Road-Id:m-1\r\n"
        b"X-Road-Client:UA-DEMO/GOV/10000001/SNAP\r\naCCept:a/b;q=1\r\nAccept: c \r\nx-road-request-id:r-1\r\n"
    )
    assert (request.service_path, request.query, request.id, request.request_id) == ("/x%20y", "q=1", "m-1", "r-1")


def test_absent_id_is_made_and_stands_last() -> None:
    request = built(CLIENT)
    assert request.raw.endswith(b"x-road-request-id:r-1\r\nx-road-id:new-1\r\n")
    assert request.id == "new-1"


def test_blank_id_counts_as_absent() -> None:
    assert built(CLIENT, ("X-Road-Id", " ")).raw.count(b"oad-id:") == 1


@pytest.mark.parametrize(
    "name",
    [
        "Transfer-Encoding",
        "keep-alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Upgrade",
        "Connection",
        "User-Agent",
        "Host",
        "Content-Length",
        "Server",
        "Expect",
        "X-Road-Request-Hash",
    ],
)
def test_header_of_the_connection_does_not_travel(name: str) -> None:
    assert all(key.lower() != name.lower() for key, _ in built(CLIENT, (name, "x")).headers)


def test_forged_request_id_is_replaced() -> None:
    assert built(CLIENT, ("X-Road-Request-Id", "forged")).request_id == "r-1"


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "Date", "Cache-Control", "X-Road-Service", "X-Road-Error"])
def test_everything_else_travels(name: str) -> None:
    assert (name, "x") in built(CLIENT, (name, "x")).headers


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_is_carried(method: str) -> None:
    assert built(CLIENT, method=method).raw.startswith(method.encode())


@pytest.mark.parametrize("method", ["get", "CONNECT", "", "GET\r\n", "ЇЖ"])
def test_other_methods_are_refused(method: str) -> None:
    assert code_of(CLIENT, method=method) in ("invalid_http_method", "internal_error")


def test_client_must_be_named() -> None:
    assert code_of() == "invalid_client_identifier"


@pytest.mark.parametrize("value", ["", "UA", "UA/GOV", "UA/GOV/1/2/3", "UA/GOV/ї", "UA//1", "UA/GOV/%zz"])
def test_client_that_is_none_is_refused_as_the_reference_does(value: str) -> None:
    assert code_of(("X-Road-Client", value)) == "internal_error"


@pytest.mark.parametrize(
    "header",
    [
        ("Uxp-Client", "UA-DEMO/GOV/10000001/OTHER"),
        ("UXP-CLIENT", "UA-DEMO/GOV/10000001"),
        ("uxp-client", ""),
        ("Uxp-Service", "UA-DEMO/GOV/10000002/DEMOGRAPHIC/other"),
        ("Uxp-Service", "UA-DEMO/GOV/10000002/DEMOGRAPHIC"),
    ],
)
def test_header_of_the_older_dialect_may_not_name_somebody_else(header: tuple[str, str]) -> None:
    assert code_of(CLIENT, header) == "internal_error"


def test_header_of_the_older_dialect_may_say_the_same() -> None:
    same = (("Uxp-Client", CLIENT[1]), ("Uxp-Service", "UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons/1"))
    assert built(CLIENT, *same).headers[1:3] == same


@given(identifiers.clients)
def test_client_is_compared_decoded(client: ClientId) -> None:
    assert built(("X-Road-Client", encode_path(client))).client == client


@pytest.mark.parametrize("name", ["X-Road-Client", "X-Road-Id", "X-Road-UserId", "X-Road-Security-Server"])
def test_header_that_contradicts_itself_is_refused(name: str) -> None:
    first = "UA/GOV/1/A"
    assert code_of(("X-Road-Client", first), (name, first), (name.lower(), "UA/GOV/1/B")) == "internal_error"


def test_header_that_repeats_itself_passes() -> None:
    assert built(CLIENT, CLIENT).client == a_subsystem()


def test_extensions_are_read() -> None:
    request = built(
        CLIENT,
        ("X-Road-UserId", "UA1"),
        ("X-Road-Issue", "case 7"),
        ("X-Road-Represented-Party", "COM/%D0%84"),
        ("X-Road-Security-Server", "UA-DEMO/GOV/10000001/SS1"),
    )
    assert (request.user_id, request.issue) == ("UA1", "case 7")
    assert request.represented_party == RepresentedParty("COM", "Є")
    assert request.security_server == a_server()


def test_represented_party_may_lack_a_class() -> None:
    assert built(CLIENT, ("X-Road-Represented-Party", "12")).represented_party == RepresentedParty(None, "12")


@pytest.mark.parametrize(
    "header",
    [
        ("X-Road-Represented-Party", "a/b/c"),
        ("X-Road-Represented-Party", ""),
        ("X-Road-Security-Server", "UA/GOV/1"),
        ("X-Road-Security-Server", "UA/GOV/1/2/3"),
        ("bad name", "x"),
        ("", "x"),
        ("A", "x\r\nB: y"),
        ("A", "\x00"),
        ("A", "\ud800"),
    ],
)
def test_header_that_cannot_be_carried_is_refused(header: tuple[str, str]) -> None:
    assert code_of(CLIENT, header) == "internal_error"


def test_raw_utf8_in_the_target_is_refused() -> None:
    assert code_of(CLIENT, target=TARGET + "/ї") == "internal_error"


@given(
    st.sampled_from(sorted(METHODS)),
    identifiers.rest_services.filter(lambda service: "." not in str(service)),
    st.lists(
        st.tuples(
            st.sampled_from(["A", "x-B"]), st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")))
        )
    ),
)
def test_request_that_was_built_is_read_back(method: str, service: ServiceId, headers: list[tuple[str, str]]) -> None:
    made = built(CLIENT, *headers, method=method, target=f"/r1/{encode_path(service)}/p?q")
    assert parse_rest_request(made.raw) == made


@given(st.binary() | st.binary(max_size=40).map(lambda junk: a_rest_request().raw + junk))
def test_any_bytes_are_a_message_or_refused(raw: bytes) -> None:
    for parse in (parse_rest_request, parse_rest_response, parse_rest_message):
        with contextlib.suppress(XRoadFault):
            assert parse(raw).raw is raw


@pytest.mark.parametrize("line_break", [b"\r", b"\n", b"\r\n"])
def test_any_line_break_ends_a_line(line_break: bytes) -> None:
    raw = a_rest_request().raw.replace(b"\r\n", line_break)
    assert parse_rest_request(raw).headers == a_rest_request().headers


def test_last_line_break_may_be_missing() -> None:
    assert parse_rest_request(a_rest_request().raw[:-2]).headers == a_rest_request().headers


def test_unicode_line_separators_are_part_of_a_value() -> None:
    raw = a_rest_request().raw + "A:x\u2028y\u0085z\r\n".encode()
    assert parse_rest_request(raw).headers[-1] == ("A", "x\u2028y\u0085z")


@pytest.mark.parametrize(
    "extra",
    [b"\r\n", b"no colon\r\n", b"Host:x\r\n", b"EXPECT:x\r\n", b":x\r\n", b" A:x\r\n", b"A:\x01\r\n", b"A:\xff\r\n"],
)
def test_received_part_with_a_bad_header_is_refused(extra: bytes) -> None:
    for raw, parse in ((a_rest_request().raw, parse_rest_request), (RESPONSE, parse_rest_response)):
        with pytest.raises(MalformedMessage) as caught:
            parse(raw + extra)
        assert caught.value.code == "internal_error"


@pytest.mark.parametrize("name", ["x-road-id", "x-road-request-id"])
def test_received_request_needs_its_ids(name: str) -> None:
    raw = b"".join(line for line in a_rest_request().raw.splitlines(True) if not line.startswith(name.encode()))
    with pytest.raises(MalformedMessage):
        parse_rest_request(raw)


def test_response_part_has_ours_in_order_behind_the_services_own() -> None:
    request = a_rest_request()
    response = build_rest_response(
        request,
        404,
        "",
        [
            ("Server", "x"),
            ("Content-Type", "a/b"),
            ("X-Road-Id", "forged"),
            ("X-Road-Client", "forged"),
            ("Set-Cookie", "1"),
            ("Set-Cookie", "2"),
            ("x-road-request-hash", "forged"),
            ("X-Road-Request-Id", "forged"),
            ("Content-Length", "3"),
        ],
    )
    assert response.raw.decode().split("\r\n") == [
        "404",
        "",
        "Content-Type:a/b",
        "Set-Cookie:1",
        "Set-Cookie:2",
        "x-road-id:m-1",
        "x-road-client:UA-DEMO/GOV/10000001/SNAP",
        "x-road-service:UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons",
        f"x-road-request-id:{REQUEST_ID}",
        f"x-road-request-hash:{rest_request_hash(request).base64}",
        "",
    ]


def test_service_header_of_the_provider_stays_and_ours_counts() -> None:
    response = build_rest_response(a_rest_request(), 200, "OK", [("X-Road-Service", "a/b/c/d/e")])
    assert parse_rest_response(response.raw).service == a_service("persons")
    assert response.raw.lower().count(b"x-road-service:") == 2


@given(identifiers.clients, identifiers.rest_services.filter(lambda s: "." not in str(s)), st.integers(200, 999))
def test_response_that_was_built_is_read_back(client: ClientId, service: ServiceId, status: int) -> None:
    request = a_rest_request(client=client, service=service)
    response = a_rest_response(request, status, body=None)
    assert parse_rest_response(response.raw) == response
    check_rest_consistency(request, response)


def test_answer_and_request_are_told_apart_by_the_first_byte() -> None:
    assert isinstance(parse_rest_message(a_rest_response().raw), RestResponse)
    assert isinstance(parse_rest_message(a_rest_request().raw), RestRequest)


@pytest.mark.parametrize("status", ["20", "0200", "+200", "100", "101", "1000", "OK", "", "２００"])
def test_answer_needs_a_final_status(status: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_rest_response(RESPONSE.replace(b"200", status.encode(), 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"x-road-id:m-1", b"x-road-id:"),
        (b"x-road-id:m-1\r\n", b""),
        (b"hash:AAAA", b"hash:"),
        (b"hash:AAAA", b"hash:%%"),
        (b"DEMOGRAPHIC/persons", b"persons"),
        (b"DEMOGRAPHIC/persons", b"DEMOGRAPHIC/persons/v1"),
        (b"x-road-client:", b"x-road-clients:"),
        (b"x-road-request-id:r-1\r\n", b""),
    ],
)
def test_answer_without_its_own_headers_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_rest_response(RESPONSE.replace(old, new))


def test_hash_of_a_request_without_body_is_that_of_its_part() -> None:
    request = a_rest_request()
    assert rest_request_hash(request) == request.digest == digest_of(request.raw)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_hash_of_a_request_with_body_is_a_hash_of_two_hashes(body: bytes) -> None:
    request = a_rest_request("POST", body=body)
    joined = hashlib.sha512(request.raw).digest() + hashlib.sha512(body).digest()
    assert rest_request_hash(request).value == hashlib.sha512(joined).digest()


def test_answer_to_this_request_is_consistent() -> None:
    request = a_rest_request("POST", body=b"{}")
    check_rest_consistency(request, a_rest_response(request))


@pytest.mark.parametrize(
    "other",
    [
        a_rest_request(client=a_subsystem("OTHER")),
        a_rest_request(client=a_member()),
        a_rest_request(message_id="m-2"),
        a_rest_request(service=a_service("other")),
        a_rest_request(request_id="r-2"),
        a_rest_request("DELETE"),
        a_rest_request(body=BytesBody(b"")),
    ],
)
def test_answer_to_another_request_is_refused(other: RestRequest) -> None:
    with pytest.raises(MalformedMessage) as caught:
        check_rest_consistency(a_rest_request(), a_rest_response(other))
    assert caught.value.code == "inconsistent_response"


def test_differently_encoded_identifiers_are_the_same() -> None:
    request = a_rest_request()
    answer = parse_rest_response(a_rest_response(request).raw.replace(b"x-road-client:UA", b"x-road-client:%55A"))
    check_rest_consistency(request, answer)


def test_error_statuses_are_known() -> None:
    assert a_rest_response(status=404).is_error
    assert not a_rest_response(status=304).is_error
