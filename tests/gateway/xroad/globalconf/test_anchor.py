from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.globalconf.anchor import (
    Anchor,
    AnchorSource,
    anchor_file_name,
    anchor_hash,
    build_anchor,
    parse_anchor,
    require_plain_source,
)

AT = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
ANCHOR = Anchor(
    "DEV",
    (
        AnchorSource("http://cs.test/internalconf", (b"one", b"two")),
        AnchorSource("https://cs.test/internalconf", (b"one",)),
    ),
    AT,
)


def _xml(inside: str) -> bytes:
    return f'<c:configurationAnchor xmlns:c="http://x-road.eu/xsd/xroad.xsd">{inside}</c:configurationAnchor>'.encode()


SOURCE = (
    "<source><downloadURL>http://cs.test/internalconf</downloadURL><verificationCert>b25l</verificationCert></source>"
)


def test_an_anchor_is_read_back_as_it_was_written() -> None:
    assert parse_anchor(build_anchor(ANCHOR)) == ANCHOR


def test_generated_at_may_be_absent() -> None:
    anchor = parse_anchor(_xml(f"<instanceIdentifier>DEV</instanceIdentifier>{SOURCE}"))
    assert anchor == Anchor("DEV", (AnchorSource("http://cs.test/internalconf", (b"one",)),))


def test_certificates_of_all_sources_are_listed_once() -> None:
    assert ANCHOR.certificates == (b"one", b"two")


@pytest.mark.parametrize(
    "inside",
    [
        "",
        SOURCE,
        "<instanceIdentifier>DEV</instanceIdentifier>",
        f"<instanceIdentifier> </instanceIdentifier>{SOURCE}",
        f"{SOURCE}<instanceIdentifier>DEV</instanceIdentifier>",
        f"<instanceIdentifier>DEV</instanceIdentifier>{SOURCE}<more/>",
        f"<instanceIdentifier>DEV</instanceIdentifier>{SOURCE}words",
        f"<generatedAt>yesterday</generatedAt><instanceIdentifier>DEV</instanceIdentifier>{SOURCE}",
        "<instanceIdentifier>DEV</instanceIdentifier>" + SOURCE.replace("http://", "ftp://"),
        "<instanceIdentifier>DEV</instanceIdentifier>" + SOURCE.replace("b25l", "?"),
        "<instanceIdentifier>DEV</instanceIdentifier>" + SOURCE.replace("b25l", ""),
        "<instanceIdentifier>DEV</instanceIdentifier>" + SOURCE.replace("downloadURL", "downloadURI"),
    ],
)
def test_an_anchor_that_breaks_its_schema_is_malformed(inside: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_anchor(_xml(inside))
    assert caught.value.code == "malformed_anchor"


def test_the_hash_is_sha_224_in_upper_case_pairs() -> None:
    assert anchor_hash(b"").startswith("D1:4A:02:8C:2A:3A:2B:C9")
    assert len(anchor_hash(b"")) == 28 * 3 - 1


def test_an_anchor_of_https_addresses_alone_is_refused_in_words() -> None:
    with pytest.raises(MalformedMessage) as caught:
        require_plain_source(ANCHOR.sources[1:])
    assert caught.value.text_id == "globalconf.anchor_without_http"
    require_plain_source(ANCHOR.sources)


def test_the_file_name_says_instance_kind_and_time() -> None:
    assert anchor_file_name(ANCHOR, "internal") == "configuration_anchor_DEV_internal_UTC_2026-01-01_10_00_00.xml"


@given(st.binary(max_size=300))
def test_any_bytes_are_an_anchor_or_a_fault(data: bytes) -> None:
    with suppress(XRoadFault):
        parse_anchor(data)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_in_an_anchor_is_read_or_a_fault(url: str, certificate: str) -> None:
    def escape(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;")

    source = SOURCE.replace("http://cs.test/internalconf", escape(url)).replace("b25l", escape(certificate))
    with suppress(XRoadFault):
        parse_anchor(_xml(f"<instanceIdentifier>DEV</instanceIdentifier>{source}"))
