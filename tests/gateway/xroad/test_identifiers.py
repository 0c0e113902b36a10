from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.identifiers import (
    ClientId,
    GlobalGroupId,
    LocalGroupId,
    MemberId,
    SecurityServerId,
    ServiceId,
    SubsystemId,
    XRoadId,
    client_of,
    decode_path,
    decode_segment,
    display,
    encode_path,
    encode_segment,
    find_bad_characters,
    parse_client,
    parse_member,
    parse_server,
    server_of,
)
from tests.factories.messages import a_member, a_server, a_service, a_subsystem
from tests.properties import identifiers


@pytest.mark.parametrize(
    ("identifier", "printed"),
    [
        (a_member(), "MEMBER:UA-DEMO/GOV/10000001"),
        (a_subsystem(), "SUBSYSTEM:UA-DEMO/GOV/10000001/SNAP"),
        (a_service(version="v1"), "SERVICE:UA-DEMO/GOV/10000002/DEMOGRAPHIC/GetPerson/v1"),
        (a_service(provider=a_member()), "SERVICE:UA-DEMO/GOV/10000001/GetPerson"),
        (a_server(), "SERVER:UA-DEMO/GOV/10000001/SS1"),
        (GlobalGroupId("UA-DEMO", "owners"), "GLOBALGROUP:UA-DEMO/owners"),
        (LocalGroupId("clerks"), "LOCALGROUP:clerks"),
    ],
)
def test_display_form_has_the_type_and_the_parts(identifier: XRoadId, printed: str) -> None:
    assert display(identifier) == printed
    assert str(identifier) == printed.partition(":")[2]
    assert "/".join(identifier.parts) == str(identifier)


def test_equality_is_exact() -> None:
    assert a_member("a") != a_member("A")
    assert a_subsystem() != a_member()
    assert a_service(version="1") != a_service()
    assert a_subsystem() == a_subsystem()
    assert len({a_subsystem(), a_subsystem(), a_subsystem("X")}) == 2


def test_parts_that_print_alike_are_not_the_same() -> None:
    assert MemberId("a", "b", "c/d") != SubsystemId(MemberId("a", "b", "c"), "d")


def test_member_of_either_kind_of_client_is_the_member() -> None:
    assert a_member().member == a_subsystem().member == a_member()
    assert a_subsystem().xroad_instance == "UA-DEMO"
    assert a_member().subsystem_code is None


def test_identifiers_sort_by_their_printed_form() -> None:
    assert sorted([a_subsystem("B"), a_member(), a_subsystem("A")]) == [a_member(), a_subsystem("A"), a_subsystem("B")]
    assert a_server("A") < a_server("B")
    assert a_service("A") < a_service("B")
    assert GlobalGroupId("a", "b") < GlobalGroupId("a", "c")
    assert LocalGroupId("a") < LocalGroupId("b")


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_blank_component_is_refused(blank: str) -> None:
    for make in (
        lambda: MemberId("I", "C", blank),
        lambda: MemberId(blank, "C", "M"),
        lambda: SubsystemId(a_member(), blank),
        lambda: ServiceId(a_member(), blank),
        lambda: ServiceId(a_member(), "s", blank),
        lambda: SecurityServerId(a_member(), blank),
        lambda: GlobalGroupId("I", blank),
        lambda: LocalGroupId(blank),
    ):
        with pytest.raises(MalformedMessage) as caught:
            make()
        assert caught.value.code == "internal_error"


@given(identifiers.clients)
def test_client_is_read_back_from_its_parts(client: ClientId) -> None:
    assert client_of(client.parts) == client


@given(identifiers.clients)
def test_client_is_read_back_from_its_url_form(client: ClientId) -> None:
    assert client_of(decode_path(encode_path(client))) == client


@given(identifiers.servers)
def test_server_is_read_back_from_its_url_form(server: SecurityServerId) -> None:
    assert server_of(decode_path(encode_path(server))) == server


def test_plain_forms_are_read() -> None:
    assert parse_client("I/C/M") == MemberId("I", "C", "M")
    assert parse_client("I:C:M:S", ":") == SubsystemId(MemberId("I", "C", "M"), "S")
    assert parse_server("I/C/M/X") == SecurityServerId(MemberId("I", "C", "M"), "X")
    assert parse_member("I/C/M") == MemberId("I", "C", "M")


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_client, "I/C"),
        (parse_client, "I/C/M/S/X"),
        (parse_client, ""),
        (parse_server, "I/C/M"),
        (parse_member, "I/C/M/S"),
    ],
)
def test_wrong_number_of_parts_is_refused(parse: object, text: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(text)
    assert caught.value.code == "internal_error"


def test_segments_are_encoded_as_the_reference_does() -> None:
    assert encode_segment("aZ09-._~!$'()*,;&=@:+") == "aZ09-._~!$'()*,;&=@:+"
    assert encode_segment('a b/c%Є?#"') == "a%20b%2Fc%25%D0%84%3F%23%22"


def test_encoded_slash_stays_inside_its_segment() -> None:
    assert decode_path("BAR%2FSERVICE/x") == ["BAR/SERVICE", "x"]


def test_plus_is_not_a_space() -> None:
    assert decode_segment("a+b") == "a+b"


@pytest.mark.parametrize(
    "segment", ["a b", "Є", "a?b", 'a"b', "%", "%4", "%zz", "%FF", "%C0%AF", "a\n", "[", "%ED%A0%80"]
)
def test_segment_outside_pchar_is_refused(segment: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_segment(segment)


@given(st.text())
def test_any_segment_is_decoded_or_refused(segment: str) -> None:
    try:
        decoded = decode_segment(segment)
    except XRoadFault:
        return
    assert decode_segment(encode_segment(decoded)) == decoded


def test_alphabet_is_asked_for_only_on_request() -> None:
    assert find_bad_characters(a_subsystem("2_MJU_EDR_prod")) is None
    assert find_bad_characters(a_subsystem("a/b")) == "a/b"
    assert find_bad_characters(SubsystemId(a_member("Є"), "x")) == "Є"
