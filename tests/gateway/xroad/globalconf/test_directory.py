from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.digests import DigestAlgorithm, SignatureAlgorithm, digest_of
from gateway.xroad.faults import ConfigurationUnusable, XRoadFault
from gateway.xroad.globalconf.directory import (
    DirectoryContent,
    DirectoryEntry,
    build_directory,
    build_signed_content,
    parse_directory,
    parse_signed_content,
    read_entry,
    read_expiry,
    read_version,
)

CONTENT = DirectoryContent(
    datetime(2026, 1, 1, 10, 20, 30, tzinfo=UTC),
    6,
    (
        DirectoryEntry("PRIVATE-PARAMETERS", "DEV", "/V6/1/private-params.xml", digest_of(b"private")),
        DirectoryEntry("SHARED-PARAMETERS", "DEV", "/V6/1/shared-params.xml", digest_of(b"shared")),
        DirectoryEntry("OWN", None, "/V6/1/9.xml", digest_of(b"own", DigestAlgorithm.SHA256), "own.xml"),
    ),
)


def _directory() -> bytes:
    return build_directory(
        CONTENT, lambda data: b"signature", SignatureAlgorithm.RSA_SHA512, b"certificate", boundaries=("OUT", "IN")
    )


def test_the_bytes_are_those_a_central_server_writes() -> None:
    content = DirectoryContent(CONTENT.expires_at, 6, CONTENT.entries[1:2])
    raw = build_directory(
        content, lambda data: b"signature", SignatureAlgorithm.RSA_SHA512, b"certificate", boundaries=("OUT20", "IN20")
    )
    expected = f"""Content-Type: multipart/related; charset=UTF-8; boundary=OUT20

--OUT20
Content-Type: multipart/mixed; charset=UTF-8; boundary=IN20

--IN20
Expire-date: 2026-01-01T10:20:30Z
Version: 6

--IN20
Content-type: application/octet-stream
Content-transfer-encoding: base64
Content-identifier: SHARED-PARAMETERS; instance='DEV'
Content-location: /V6/1/shared-params.xml
Hash-algorithm-id: http://www.w3.org/2001/04/xmlenc#sha512

{digest_of(b"shared").base64}
--IN20--

--OUT20
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64
Signature-Algorithm-Id: http://www.w3.org/2001/04/xmldsig-more#rsa-sha512
Verification-certificate-hash: {digest_of(b"certificate").base64}; hash-algorithm-id="http://www.w3.org/2001/04/xmlenc#sha512"

c2lnbmF0dXJl
--OUT20--
"""
    assert raw == expected.replace("\n", "\r\n").encode()


def test_the_signed_range_is_the_inner_multipart_with_its_last_line_end() -> None:
    signed = parse_directory(_directory()).signed
    assert signed == build_signed_content(CONTENT, "IN")
    assert signed.startswith(b"--IN\r\n")
    assert signed.endswith(b"--IN--\r\n")


def test_what_was_signed_is_read_back() -> None:
    head, *parts = parse_signed_content(parse_directory(_directory()))
    assert DirectoryContent(read_expiry(head), read_version(head), tuple(map(read_entry, parts))) == CONTENT


def test_the_signature_part_is_read_back() -> None:
    directory = parse_directory(_directory())
    assert directory.algorithm is SignatureAlgorithm.RSA_SHA512
    assert directory.certificate_hash == digest_of(b"certificate")
    assert directory.signature == b"signature"


def test_a_directory_without_version_is_of_version_2() -> None:
    raw = _directory().replace(b"Version: 6\r\n", b"")
    assert read_version(parse_signed_content(parse_directory(raw))[0]) == 2


@pytest.mark.parametrize(
    ("hint", "location", "name"),
    [
        (None, "/V6/1/9.xml?x=/y", "9.xml"),
        ("../../own.xml", "/V6/1/9.xml", "own.xml"),
        ("..\\own.xml", "/V6/1/9.xml", "own.xml"),
    ],
)
def test_only_the_last_segment_of_a_name_counts(hint: str | None, location: str, name: str) -> None:
    assert DirectoryEntry("OWN", None, location, digest_of(b""), hint).file_name == name


def test_standard_parts_have_their_standard_names_whatever_is_hinted() -> None:
    entry = DirectoryEntry("SHARED-PARAMETERS", "DEV", "/1/2", digest_of(b""), "other.xml")
    assert entry.file_name == "shared-params.xml"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (
            b"Content-Type: application/octet-stream",
            b"Content-Type: text/plain",
            "global_conf_header_field_wrong_value",
        ),
        (b"Content-Transfer-Encoding: base64\r\n", b"", "global_conf_header_field_missing"),
        (
            b"Content-Transfer-Encoding: base64",
            b"Content-Transfer-Encoding: 8bit",
            "global_conf_header_field_wrong_value",
        ),
        (b"Signature-Algorithm-Id", b"Other", "global_conf_header_field_missing"),
        (b"xmldsig-more#rsa-sha512", b"xmldsig#rsa-sha1", "unsupported_sign_algorithm"),
        (b"Verification-certificate-hash", b"Other", "global_conf_header_field_missing"),
        (b"; hash-algorithm-id=", b"; other=", "global_conf_header_field_missing_parameter"),
        (
            b'hash-algorithm-id="http://www.w3.org/2001/04/xmlenc#sha512"',
            b"hash-algorithm-id=md5",
            "global_conf_header_field_wrong_value",
        ),
        (b"c2lnbmF0dXJl", b"!", "global_conf_signature_decode_failure"),
        (b"multipart/related", b"text/html", "global_conf_missing_signed_data_expiration_date"),
        (b"boundary=OUT", b"boundary=X", "global_conf_missing_signed_data"),
        (b"multipart/mixed", b"text/plain", "global_conf_missing_signed_data_expiration_date"),
        (
            b"Content-Type: multipart/related; charset=UTF-8; boundary=OUT\r\n\r\n",
            b"",
            "global_conf_header_field_missing",
        ),
    ],
)
def test_a_broken_envelope_has_the_code_of_a_real_client(before: bytes, after: bytes, code: str) -> None:
    raw = _directory()
    assert before in raw
    with pytest.raises(ConfigurationUnusable) as caught:
        parse_directory(raw.replace(before, after, 1))
    assert caught.value.code == code


@pytest.mark.parametrize("missing", ["Content-identifier", "Content-location", "Hash-algorithm-id", "Content-type"])
def test_a_listed_part_without_a_required_header_is_refused(missing: str) -> None:
    raw = _directory().replace(missing.encode(), b"X-Other")
    with pytest.raises(ConfigurationUnusable) as caught:
        read_entry(parse_signed_content(parse_directory(raw))[1])
    assert caught.value.code == "global_conf_header_field_missing"


def test_a_standard_part_must_name_its_instance() -> None:
    raw = _directory().replace(b"; instance='DEV'", b"")
    with pytest.raises(ConfigurationUnusable) as caught:
        read_entry(parse_signed_content(parse_directory(raw))[1])
    assert caught.value.code == "global_conf_header_field_missing_parameter"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_directory_or_a_fault(data: bytes) -> None:
    with pytest.raises(XRoadFault):
        parse_directory(data)


@given(st.data())
def test_a_directory_changed_anywhere_is_read_or_a_fault(data: st.DataObject) -> None:
    raw = bytearray(_directory())
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with suppress(XRoadFault):
        head, *parts = parse_signed_content(parse_directory(bytes(raw)))
        read_expiry(head)
        read_version(head)
        list(map(read_entry, parts))
