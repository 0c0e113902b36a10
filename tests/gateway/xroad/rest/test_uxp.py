from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.identifiers import ClientId, ServiceId, encode_path
from gateway.xroad.mime import Headers
from gateway.xroad.rest.message import RestRequest, build_rest_request, parse_rest_request
from gateway.xroad.rest.uxp import (
    METHODS,
    XRoadForm,
    answer_headers,
    build_uxp_fault,
    is_uxp,
    purposes_of,
    to_xroad,
)
from tests.factories.messages import a_service, a_subsystem
from tests.properties import identifiers

CLIENT = ("Uxp-Client", "UA-DEMO/GOV/10000001/SNAP")
SERVICE = ("Uxp-Service", "UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons")
TARGET = "/r1/UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons"


def form(target: str = "/restapi", *headers: tuple[str, str], method: str = "GET") -> XRoadForm:
    return to_xroad(method, target, headers or (CLIENT, SERVICE), transaction_id="t-1")


def xroad_request(method: str, said: XRoadForm) -> RestRequest:
    return build_rest_request(method, said.target, said.headers, request_id="t-1", new_id="new-1")


def request_of(target: str = "/restapi", *headers: tuple[str, str], method: str = "GET") -> RestRequest:
    return xroad_request(method, form(target, CLIENT, SERVICE, *headers, method=method))


def code_of(target: str = "/restapi", *headers: tuple[str, str], method: str = "GET") -> str:
    with pytest.raises(MalformedMessage) as caught:
        xroad_request(method, form(target, *headers, method=method))
    return caught.value.code


@pytest.mark.parametrize(
    ("path", "belongs"),
    [
        ("/restapi", True),
        ("/restapi/", True),
        ("/restapi/a/b", True),
        ("/restapis", False),
        ("/RESTAPI", False),
        ("/r1/restapi", False),
        ("/", False),
    ],
)
def test_path_tells_the_dialect(path: str, belongs: bool) -> None:
    assert is_uxp(path) is belongs


def test_request_means_the_x_road_request_of_the_same_parties() -> None:
    request = request_of("/restapi/unzr/19910824-00026?x=15&y=9", ("Uxp-QueryID", "q-1"))
    assert (request.client, request.service) == (a_subsystem(), a_service("persons"))
    assert (request.service_path, request.query, request.id) == ("/unzr/19910824-00026", "x=15&y=9", "q-1")


def test_what_the_caller_sent_travels_as_it_was_written_and_ours_follows() -> None:
    sent = (
        CLIENT,
        SERVICE,
        ("uxp-queryID", "q-1"),
        ("UXP-USERID", "clerk"),
        ("Uxp-Issue", "case 7"),
        ("Uxp-Purpose-Ids", "9K9J65I75ILCLMPDUIRXS, B"),
        ("Uxp-Subject-Id", "1234567036"),
        ("Accept", "application/json"),
        ("X-Own", "1"),
        ("x-own", "2"),
    )
    assert form("/restapi", *sent).headers == (
        *sent,
        ("X-Road-Client", CLIENT[1]),
        ("X-Road-Id", "q-1"),
        ("X-Road-UserId", "clerk"),
        ("X-Road-Issue", "case 7"),
        ("Uxp-Transaction-Id", "t-1"),
    )


@pytest.mark.parametrize("spell", [str.upper, str.lower, str.title, str.swapcase])
def test_headers_are_known_in_any_case(spell: Callable[[str], str]) -> None:
    headers = [
        (spell(name), value) for name, value in (CLIENT, SERVICE, ("Uxp-QueryID", "q-1"), ("Uxp-UserId", "clerk"))
    ]
    request = xroad_request("GET", form("/restapi", *headers))
    assert (request.client, request.service, request.id) == (a_subsystem(), a_service("persons"), "q-1")
    assert request.user_id == "clerk"


@pytest.mark.parametrize(
    ("rest", "service_path", "query"),
    [
        ("", "", None),
        ("/", "/", None),
        ("//a//", "//a//", None),
        ("?", "", ""),
        ("?q=a+b%20c&dup=1&dup=2&e=", "", "q=a+b%20c&dup=1&dup=2&e="),
        ("/%D1%96%D0%BC%27%D1%8F/a%2Fb", "/%D1%96%D0%BC%27%D1%8F/a%2Fb", None),
        ("/restapi?restapi", "/restapi", "restapi"),
        ("/p?queryId=q-2&userId=clerk", "/p", "queryId=q-2&userId=clerk"),
    ],
)
def test_path_and_query_stay_as_they_were_written(rest: str, service_path: str, query: str | None) -> None:
    request = request_of(f"/restapi{rest}")
    assert (request.service_path, request.query) == (service_path, query)
    assert request.target == TARGET + rest


class TestService:
    def test_version_becomes_the_first_segment_of_the_path(self) -> None:
        assert form("/restapi/x?y", CLIENT, (SERVICE[0], f"{SERVICE[1]}/v%201")).target == f"{TARGET}/v%201/x?y"
        assert form("/restapi", CLIENT, (SERVICE[0], f"{SERVICE[1]}/1")).target == f"{TARGET}/1"

    def test_empty_version_is_none(self) -> None:
        assert form("/restapi/x", CLIENT, (SERVICE[0], f" {SERVICE[1]}/ ")).target == f"{TARGET}/x"

    @given(identifiers.clients, identifiers.rest_services.filter(lambda service: "." not in str(service)))
    def test_parties_are_compared_decoded(self, client: ClientId, service: ServiceId) -> None:
        said = form("/restapi", ("Uxp-Client", encode_path(client)), ("Uxp-Service", encode_path(service)))
        request = xroad_request("GET", said)
        assert (request.client, request.service) == (client, service)

    @pytest.mark.parametrize(
        "value",
        ["", "UA", "UA/GOV/1/SUB", "UA/GOV/1/SUB/S/1/2", "UA/GOV//SUB/S", "UA/GOV/1/SUB/ї", "UA/GOV/1/SUB/%zz", "////"],
    )
    def test_value_that_names_no_service_is_refused(self, value: str) -> None:
        assert code_of("/restapi", CLIENT, (SERVICE[0], value)) == "internal_error"

    @pytest.mark.parametrize("version", ["..", ".", "%2e%2e", "..%2Fadmin"])
    def test_version_that_is_a_dot_segment_is_refused(self, version: str) -> None:
        assert code_of("/restapi", CLIENT, (SERVICE[0], f"{SERVICE[1]}/{version}")) == "internal_error"

    def test_dot_segment_of_the_path_is_refused(self) -> None:
        assert code_of("/restapi/a/%2e%2e/b", CLIENT, SERVICE) == "internal_error"

    def test_service_must_be_named(self) -> None:
        assert code_of("/restapi", CLIENT) == "missing_header_field"

    def test_client_must_be_named(self) -> None:
        assert code_of("/restapi", SERVICE) == "invalid_client_identifier"

    @pytest.mark.parametrize("value", ["", "UA/GOV", "UA/GOV/1/2/3", "UA//1"])
    def test_value_that_names_no_client_is_refused(self, value: str) -> None:
        assert code_of("/restapi", (CLIENT[0], value), SERVICE) == "internal_error"


class TestIds:
    @pytest.mark.parametrize(
        ("headers", "query", "id"),
        [
            ([("Uxp-QueryID", "a")], "", "a"),
            ([("Uxp-Id", "b")], "", "b"),
            ([("Uxp-QueryID", "a"), ("Uxp-Id", "b")], "?queryId=c", "a"),
            ([("Uxp-QueryID", " "), ("Uxp-Id", "b")], "", "b"),
            ([], "?queryId=c", "c"),
            ([], "?x=1&queryId=c%2Fd+e", "c/d e"),
            ([("X-Road-Id", "d")], "?queryId=c", "d"),
            ([], "?queryid=c", "new-1"),
            ([], "?queryId=", "new-1"),
            ([], "", "new-1"),
        ],
    )
    def test_first_carrier_that_says_anything_counts(self, headers: list[tuple[str, str]], query: str, id: str) -> None:
        assert request_of(f"/restapi{query}", *headers).id == id

    def test_user_may_be_named_in_the_query(self) -> None:
        assert request_of("/restapi?userId=Flask_client").user_id == "Flask_client"
        assert request_of("/restapi?userId=7", ("Uxp-UserId", "clerk")).user_id == "clerk"
        assert request_of().user_id is None

    def test_user_in_the_query_becomes_the_bytes_of_a_header(self) -> None:
        request = request_of(f"/restapi?userId={quote('Олена')}")
        assert request.user_id is not None
        assert request.user_id.encode("latin-1").decode() == "Олена"

    @pytest.mark.parametrize("query", ["queryId=%FF", "userId=a%0Db", "queryId=%00", f"userId={'x' * 256}"])
    def test_parameter_that_no_header_can_hold_is_refused(self, query: str) -> None:
        assert code_of(f"/restapi?{query}", CLIENT, SERVICE) == "internal_error"

    @pytest.mark.parametrize("name", ["Uxp-QueryID", "Uxp-Id", "Uxp-UserId", "Uxp-Issue"])
    def test_value_longer_than_any_log_holds_is_refused(self, name: str) -> None:
        assert code_of("/restapi", CLIENT, SERVICE, (name, "x" * 256)) == "internal_error"
        request_of("/restapi", (name, "x" * 255))

    @pytest.mark.parametrize("name", ["Uxp-Client", "Uxp-Service", "Uxp-QueryID", "Uxp-Id", "Uxp-UserId", "Uxp-Issue"])
    def test_header_that_contradicts_itself_is_refused(self, name: str) -> None:
        headers = [one for one in (CLIENT, SERVICE) if one[0] != name]
        assert code_of("/restapi", *headers, (name, "a/b/c/d/e"), (name.lower(), "b/b/c/d/e")) == "internal_error"

    @pytest.mark.parametrize(
        ("ours", "theirs"), [("X-Road-Client", "Uxp-Client"), ("X-Road-Id", "Uxp-Id"), ("X-Road-Issue", "Uxp-Issue")]
    )
    def test_both_dialects_in_one_request_must_agree(self, ours: str, theirs: str) -> None:
        said = [(theirs, CLIENT[1])] if theirs != "Uxp-Client" else []
        assert code_of("/restapi", CLIENT, SERVICE, *said, (ours, "UA/GOV/1/A")) == "internal_error"
        assert request_of("/restapi", *said, (ours, CLIENT[1])).client == a_subsystem()

    def test_transaction_id_is_the_gateways_own_word(self) -> None:
        said = form("/restapi", CLIENT, SERVICE, ("uxp-transaction-id", "forged"), ("Uxp-FaultCode", "forged"))
        assert [value for name, value in said.headers if name.lower().startswith("uxp-t")] == ["t-1"]
        assert "forged" not in dict(said.headers).values()


class TestPurposes:
    @pytest.mark.parametrize(
        ("headers", "purposes"),
        [
            ([], ()),
            ([("Uxp-Purpose-Ids", "")], ()),
            ([("Uxp-Purpose-Ids", '""')], ()),
            ([("Uxp-Purpose-Ids", '"", ')], ()),
            ([("uxp-purpose-ids", "A")], ("A",)),
            ([("UXP-PURPOSE-IDS", "A, B,,C")], ("A", "B", "C")),
            ([("Uxp-Purpose-Ids", '"A"')], ("A",)),
            ([("Uxp-Purpose-Ids", "A"), ("Uxp-Purpose-Ids", "B")], ("A", "B")),
            ([("Purpose-Id", "A")], ("A",)),
        ],
    )
    def test_list_is_read_and_nothing_means_none(self, headers: Headers, purposes: tuple[str, ...]) -> None:
        assert purposes_of(headers) == purposes
        assert form("/restapi", CLIENT, SERVICE, *headers).purposes == purposes

    @pytest.mark.parametrize("value", [None, "", '""'])
    def test_service_with_personal_data_is_asked_for_a_purpose_only(self, value: str | None) -> None:
        service = ("Uxp-Service", "UA/GOV/1/PD_Persons/Find")
        purpose = () if value is None else (("Uxp-Purpose-Ids", value),)
        assert code_of("/restapi", CLIENT, service, *purpose) == "missing_header_field"
        assert form("/restapi", CLIENT, service, ("Uxp-Purpose-Ids", "A")).purposes == ("A",)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_method_is_carried(method: str) -> None:
    assert request_of(method=method).method == method


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "get", ""])
def test_other_methods_are_refused(method: str) -> None:
    assert code_of("/restapi", CLIENT, SERVICE, method=method) == "invalid_http_method"


def test_request_that_was_built_is_read_back() -> None:
    request = request_of("/restapi/a%2Fb?queryId=q", ("Uxp-Purpose-Ids", "A"))
    assert parse_rest_request(request.raw) == request


def test_caller_is_told_the_transaction_by_the_gateway_only() -> None:
    answered = [("Content-Type", "a/b"), ("UXP-Transaction-ID", "forged"), ("Uxp-FaultCode", "forged")]
    assert answer_headers(answered, "t-1") == (("Content-Type", "a/b"), ("Uxp-Transaction-Id", "t-1"))


class TestFaults:
    def test_code_and_sentence_stand_in_headers_of_the_dialect(self) -> None:
        fault = build_uxp_fault("server.x", "No access.", "d-1", None, "t-1")
        assert fault.status == 500
        assert fault.headers == (
            ("Content-Type", "application/json"),
            ("Uxp-FaultCode", "server.x"),
            ("Uxp-FaultString", "No access."),
            ("Uxp-Transaction-Id", "t-1"),
        )
        assert json.loads(fault.body) == {"type": "server.x", "message": "No access.", "detail": "d-1"}

    def test_body_is_xml_for_those_who_ask(self) -> None:
        fault = build_uxp_fault("client.x", "t", "d", "application/xml", "t-1")
        assert (fault.status, fault.headers[0][1]) == (400, "application/xml;charset=utf-8")

    def test_sentence_in_another_alphabet_is_percent_encoded(self) -> None:
        said = dict(build_uxp_fault("x", "Немає 5%", "d", None, "t-1").headers)["Uxp-FaultString"]
        assert said.isascii()
        assert unquote(said) == "Немає 5%"

    @given(st.text(), st.text())
    def test_whatever_a_peer_wrote_the_answer_can_be_read(self, code: str, text: str) -> None:
        fault = build_uxp_fault(code, text, "d", None, "t-1")
        assert all(" " <= c <= "~" for _, value in fault.headers for c in value)


@given(
    st.sampled_from(["GET", "POST", "x"]),
    st.text(max_size=30).map(lambda text: f"/restapi{text}"),
    st.lists(
        st.tuples(
            st.sampled_from(["Uxp-Client", "uxp-service", "Uxp-QueryID", "Uxp-UserId", "X-Road-Client", "X-Road-Id"]),
            st.text(max_size=20) | st.sampled_from([CLIENT[1], SERVICE[1], f"{SERVICE[1]}/1"]),
        ),
        max_size=6,
    ),
)
def test_any_request_is_an_x_road_request_or_refused(method: str, target: str, headers: list[tuple[str, str]]) -> None:
    with contextlib.suppress(XRoadFault):
        said = to_xroad(method, target, headers, transaction_id="t-1")
        request = xroad_request(method, said)
        assert request.target.endswith(target.removeprefix("/restapi"))
