from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.globalconf.private_parameters_xml import build_private_parameters, parse_private_parameters
from gateway.xroad.globalconf.schemas import SCHEMAS
from tests.factories.globalconf import OWNER, a_private_parameters, a_source

PARTNER = a_source(instance="PARTNER", path="/externalconf").anchor()


@pytest.mark.parametrize("version", SCHEMAS)
def test_facts_are_read_back_in_every_version(version: int) -> None:
    facts = a_private_parameters(anchors=(PARTNER,), timestamping_interval_s=30)
    assert parse_private_parameters(build_private_parameters(facts, version), version) == facts


def test_a_member_may_serve_management_requests_and_the_certificate_may_be_absent() -> None:
    facts = a_private_parameters()
    service = replace(facts.management_service, provider=OWNER, auth_cert_registration_certificate=None)
    facts = replace(facts, management_service=service)
    assert parse_private_parameters(build_private_parameters(facts, 6), 6) == facts


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<timeStampingIntervalSeconds>60", b"<timeStampingIntervalSeconds>often"),
        (b'id:objectType="SUBSYSTEM"', b'id:objectType="MEMBER"'),
        (b"<authCertRegServiceAddress>", b"<x/><authCertRegServiceAddress>"),
        (b"<instanceIdentifier>TEST</instanceIdentifier>", b""),
    ],
)
def test_a_document_that_breaks_its_schema_is_malformed(before: bytes, after: bytes) -> None:
    xml = build_private_parameters(a_private_parameters(), 6)
    assert before in xml
    with pytest.raises(MalformedMessage) as caught:
        parse_private_parameters(xml.replace(before, after, 1), 6)
    assert caught.value.code == "malformed_global_conf"


def test_further_elements_at_the_end_are_tolerated_from_version_3_on() -> None:
    xml = build_private_parameters(a_private_parameters(), 6).replace(b"</x:conf>", b"<future/></x:conf>")
    parse_private_parameters(xml, 3)
    with pytest.raises(MalformedMessage):
        parse_private_parameters(xml, 2)


def test_a_broken_anchor_within_has_the_code_of_the_part() -> None:
    xml = build_private_parameters(a_private_parameters(anchors=(PARTNER,)), 6).replace(b"downloadURL", b"downloadURI")
    with pytest.raises(MalformedMessage) as caught:
        parse_private_parameters(xml, 6)
    assert caught.value.code == "malformed_global_conf"


@given(st.binary(max_size=200))
def test_any_bytes_are_parameters_or_a_fault(data: bytes) -> None:
    with pytest.raises(XRoadFault):
        parse_private_parameters(data, 6)
