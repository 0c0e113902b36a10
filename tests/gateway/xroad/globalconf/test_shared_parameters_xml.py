from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.globalconf.schemas import SCHEMAS
from gateway.xroad.globalconf.shared_parameters import SharedParameters, auth_cert_hashes
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters, parse_shared_parameters
from gateway.xroad.identifiers import SubsystemId
from tests.factories.globalconf import (
    CLIENT,
    OWNER,
    a_full_shared_parameters,
    a_member,
    a_security_server,
    a_shared_parameters,
)


def _as_said_in(version: int) -> SharedParameters:
    """Return the facts that are left of the full ones when a version has been written and read."""
    return parse_shared_parameters(build_shared_parameters(a_full_shared_parameters(), version), version)


@pytest.mark.parametrize("version", SCHEMAS)
def test_facts_are_read_back_in_every_version(version: int) -> None:
    said = _as_said_in(version)
    assert parse_shared_parameters(build_shared_parameters(said, version), version) == said
    assert said.members[0].id == OWNER
    assert said.security_servers[0].clients == {CLIENT}


def test_the_newest_version_says_everything() -> None:
    facts = a_full_shared_parameters()
    server = facts.security_servers[0]
    listed = frozenset(d for d in server.auth_cert_hashes if d.algorithm is DigestAlgorithm.SHA256)
    servers = (replace(server, auth_cert_hashes=listed), *facts.security_servers[1:])
    assert _as_said_in(6) == replace(facts, security_servers=servers)


def test_authentication_certificates_are_listed_by_sha_1_in_version_2_and_by_sha_256_later() -> None:
    algorithms = {
        version: {d.algorithm for d in _as_said_in(version).security_servers[0].auth_cert_hashes} for version in SCHEMAS
    }
    sha256 = {DigestAlgorithm.SHA256}
    assert algorithms == {2: {DigestAlgorithm.SHA1}, 3: sha256, 4: sha256, 5: sha256, 6: sha256}


@pytest.mark.parametrize(
    ("element", "since"),
    [
        ("source", 3),
        ("acmeServer", 3),
        ("signingCertificateProfileId", 4),
        ("subsystemName", 5),
        ("inMaintenanceMode", 5),
        ("costType", 6),
        ("defaultCsrFormat", 6),
    ],
)
def test_an_element_is_written_from_its_version_on_and_refused_before(element: str, since: int) -> None:
    facts = a_full_shared_parameters()
    for version in SCHEMAS:
        written = f"<{element}>".encode() in build_shared_parameters(facts, version)
        assert written == (version >= since)
    with pytest.raises(MalformedMessage):
        parse_shared_parameters(build_shared_parameters(facts, since), since - 1)


def test_source_is_required_from_version_3_on() -> None:
    with pytest.raises(MalformedMessage):
        parse_shared_parameters(build_shared_parameters(a_shared_parameters(), 2), 3)


def test_further_elements_at_the_end_are_tolerated_from_version_3_on() -> None:
    for version in SCHEMAS:
        xml = build_shared_parameters(a_shared_parameters(), version).replace(b"</x:conf>", b"<future/></x:conf>")
        if version == 2:
            with pytest.raises(MalformedMessage):
                parse_shared_parameters(xml, version)
        else:
            parse_shared_parameters(xml, version)


def test_members_and_subsystems_are_numbered_member_by_member() -> None:
    root = etree.fromstring(build_shared_parameters(a_full_shared_parameters(), 6))
    assert root.xpath("//@id") == ["id0", "id1", "id2", "id3"]


def test_the_owner_is_not_repeated_among_the_clients() -> None:
    facts = a_shared_parameters(security_servers=(a_security_server(clients=(OWNER, CLIENT)),))
    assert build_shared_parameters(facts, 6).count(b"<client>") == 1


def test_central_services_are_passed_over() -> None:
    old = b"<centralService><serviceCode>old</serviceCode></centralService><globalSettings>"
    xml = build_shared_parameters(a_shared_parameters(), 2).replace(b"<globalSettings>", old)
    assert parse_shared_parameters(xml, 2).instance == "TEST"


def test_hashes_of_a_certificate_come_in_every_algorithm() -> None:
    assert {digest.algorithm for digest in auth_cert_hashes(b"auth")} == {DigestAlgorithm.SHA1, DigestAlgorithm.SHA256}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<owner>id0</owner>", b"<owner>id1</owner>"),
        (b"<owner>id0</owner>", b"<owner>nobody</owner>"),
        (b"<client>id1</client>", b"<client>nobody</client>"),
        (b'id="id1"', b'id="id0"'),
        (b"<memberCode>1001</memberCode>", b""),
        (b"<memberCode>1001</memberCode>", b"<memberCode> </memberCode>"),
        (b"<memberCode>2002</memberCode>", b"<memberCode>2002</memberCode><nonsense/>"),
        (b"<x:conf", b"<!DOCTYPE conf><x:conf"),
        (b"x-road.eu/xsd/xroad.xsd", b"x-road.eu/xsd/other.xsd"),
        (b"<instanceIdentifier>", b'<instanceIdentifier kind="x">'),
        (b"<ocspFreshnessSeconds>3600", b"<ocspFreshnessSeconds>-1"),
        (b"<ocspFreshnessSeconds>3600", b"<ocspFreshnessSeconds>soon"),
        (b"<authenticationOnly>false", b"<authenticationOnly>no"),
        (b'id:objectType="MEMBER"', b'id:objectType="SUBSYSTEM"'),
        (b'id:objectType="MEMBER"', b""),
        (b"<costType>FREE", b"<costType>CHEAP"),
    ],
)
def test_a_document_that_breaks_its_schema_is_malformed(before: bytes, after: bytes) -> None:
    xml = build_shared_parameters(a_full_shared_parameters(), 6)
    assert before in xml
    xml = xml.split(b"?>", 1)[1] if b"DOCTYPE" in after else xml
    with pytest.raises(MalformedMessage) as caught:
        parse_shared_parameters(xml.replace(before, after, 1), 6)
    assert caught.value.code == "malformed_global_conf"


@pytest.mark.parametrize("version", [-1, 0, 1, 7])
def test_unknown_versions_are_refused(version: int) -> None:
    with pytest.raises(MalformedMessage):
        parse_shared_parameters(b"<x/>", version)


def test_a_server_or_member_that_is_listed_twice_is_refused() -> None:
    twice = a_shared_parameters(security_servers=(a_security_server(), a_security_server()))
    with pytest.raises(MalformedMessage) as caught:
        parse_shared_parameters(build_shared_parameters(twice, 6), 6)
    assert caught.value.text_id == "globalconf.duplicate"


@given(st.binary(max_size=200), st.integers(2, 6))
def test_any_bytes_are_parameters_or_a_fault(data: bytes, version: int) -> None:
    with pytest.raises(XRoadFault):
        parse_shared_parameters(data, version)


@given(st.data())
def test_a_document_changed_anywhere_is_read_or_a_fault(data: st.DataObject) -> None:
    raw = bytearray(build_shared_parameters(a_full_shared_parameters(), 6))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position : position + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=8))
    with suppress(XRoadFault):
        parse_shared_parameters(bytes(raw), 6)


text = st.text(st.characters(categories=("L", "N", "P", "Zs"), max_codepoint=0x1FFF), min_size=1, max_size=12).filter(
    lambda value: bool(value.strip())
)


@given(st.lists(st.tuples(text, text, text), min_size=1, max_size=4, unique_by=lambda t: t[0]), text)
def test_any_members_are_read_back(members: list[tuple[str, str, str]], description: str) -> None:
    facts = a_shared_parameters(
        members=tuple(
            replace(a_member(SubsystemId(replace(OWNER, member_code=code), sub), name), class_description=description)
            for code, sub, name in members
        ),
        security_servers=(),
    )
    assert parse_shared_parameters(build_shared_parameters(facts, 6), 6) == facts
