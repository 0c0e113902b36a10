"""What a source signs, and everything an attacker or a broken source may do to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from gateway.xroad.digests import DigestAlgorithm, SignatureAlgorithm, digest_of
from gateway.xroad.faults import ConfigurationUnusable, MalformedMessage, XRoadFault
from gateway.xroad.globalconf.directory import DirectoryContent, DirectoryEntry, build_directory
from gateway.xroad.globalconf.optional_parts import (
    FETCH_INTERVAL,
    MONITORING,
    NEXT_UPDATE,
    OptionalParts,
    build_fetch_interval,
    build_monitoring,
    build_next_update,
)
from gateway.xroad.globalconf.shared_parameters import CaInfo
from gateway.xroad.globalconf.trusted import (
    Role,
    TrustedConfiguration,
    TrustedDirectory,
    renew,
    verify_directory,
    verify_parts,
)
from gateway.xroad.pki.keys import ecdsa_der_to_raw
from tests.factories.globalconf import (
    CLIENT,
    NOW,
    Source,
    a_key_pair,
    a_private_parameters,
    a_shared_parameters,
    a_source,
    an_approved_ca,
)


def _verify(source: Source, raw: bytes | None = None, *, role: Role = Role.OWN) -> TrustedDirectory:
    return verify_directory(
        source.directory() if raw is None else raw,
        instance=source.instance,
        certificates=source.anchor().certificates,
        at=NOW,
        role=role,
    )


def _trusted(source: Source) -> TrustedConfiguration:
    return verify_parts(_verify(source), source.answers())


def _code(verify: Callable[[], object]) -> str:
    with pytest.raises(XRoadFault) as caught:
        verify()
    return caught.value.code


def _resigned(source: Source, change: Callable[[DirectoryContent], DirectoryContent]) -> bytes:
    return source.sign(change(source.content(6)))


@pytest.mark.parametrize("version", [2, 3, 4, 5, 6])
def test_what_a_source_signs_is_trusted_in_every_version(version: int) -> None:
    source = a_source()
    trusted = verify_parts(_verify(source, source.directory(version)), source.answers())
    assert (trusted.instance, trusted.version, trusted.expires_at) == ("TEST", version, source.expires_at)
    assert trusted.globalconf().servers_of(CLIENT)[0].address == "127.0.2.1"


def test_either_key_of_an_anchor_may_sign() -> None:
    second = a_key_pair("second")
    source = a_source(signer=second, anchor_certificates=(a_key_pair("conf").der, second.der))
    assert _verify(source).certificate_der == second.der


def test_a_key_the_anchor_does_not_name_is_refused() -> None:
    source = a_source(anchor_certificates=(a_key_pair("other").der,))
    assert _code(lambda: _verify(source)) == "global_conf_missing_verification_cert"


@pytest.mark.parametrize("part", [b"Expire-date: 2", b"Version: 6", b"/V6/", b"SHARED-PARAMETERS"])
def test_a_signed_byte_that_was_changed_is_refused(part: bytes) -> None:
    raw = a_source().directory()
    changed = raw.replace(part, part[:-1] + bytes([part[-1] ^ 1]), 1)
    assert _code(lambda: _verify(a_source(), changed)) == "global_conf_signature_verification_failure"


def test_line_ends_count_for_the_signature() -> None:
    raw = a_source().directory().replace(b"\r\n", b"\n")
    assert _code(lambda: _verify(a_source(), raw)) == "global_conf_signature_verification_failure"


def test_line_feeds_are_accepted_when_they_were_signed() -> None:
    source = a_source()
    crlf = source.directory()
    inner = crlf[crlf.index(b"--Inner") : crlf.index(b"\r\n--Outer000000000000000\r\nContent-Type: application")]
    signed = inner.replace(b"\r\n", b"\n")
    head = crlf[: crlf.index(b"--Inner")].replace(b"\r\n", b"\n")
    rebuilt = build_directory(
        source.content(6),
        lambda _: source.signer.sign(signed),
        SignatureAlgorithm.ECDSA_SHA512,
        source.signer.der,
        boundaries=("Outer000000000000000", "Inner000000000000000"),
    )
    tail = rebuilt[rebuilt.index(b"\r\n--Outer000000000000000\r\nContent-Type: application") :].replace(b"\r\n", b"\n")
    assert _verify(source, head + signed + tail).content == source.content(6)


def test_an_ecdsa_signature_as_r_and_s_side_by_side_is_refused() -> None:
    source = a_source()
    key = source.signer.key.public_key()
    raw = build_directory(
        source.content(6),
        lambda data: ecdsa_der_to_raw(source.signer.sign(data), key),
        SignatureAlgorithm.ECDSA_SHA512,
        source.signer.der,
        boundaries=("Outer", "Inner"),
    )
    assert _code(lambda: _verify(source, raw)) == "global_conf_signature_verification_failure"


@pytest.mark.parametrize(
    "algorithm",
    [
        SignatureAlgorithm.RSA_SHA256,
        SignatureAlgorithm.RSA_SHA384,
        SignatureAlgorithm.RSA_SHA512,
        SignatureAlgorithm.PSS_SHA512,
    ],
)
def test_rsa_signatures_are_accepted(
    algorithm: SignatureAlgorithm, rsa_source: tuple[rsa.RSAPrivateKey, bytes]
) -> None:
    key, certificate = rsa_source
    digest = algorithm.digest_algorithm.primitive
    scheme = (
        padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
        if algorithm is SignatureAlgorithm.PSS_SHA512
        else padding.PKCS1v15()
    )
    source = a_source(anchor_certificates=(certificate,))
    raw = build_directory(
        source.content(6), lambda data: key.sign(data, scheme, digest), algorithm, certificate, boundaries=("O", "I")
    )
    assert _verify(source, raw).certificate_der == certificate


@pytest.fixture(scope="module")
def rsa_source() -> tuple[rsa.RSAPrivateKey, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    return key, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_rsa_with_sha_1_is_refused_before_anything_is_verified() -> None:
    raw = a_source().directory().replace(b"xmldsig-more#ecdsa-sha512", b"xmldsig#rsa-sha1")
    raw = raw.replace(b"http://www.w3.org/2001/04/xmldsig#rsa-sha1", b"http://www.w3.org/2000/09/xmldsig#rsa-sha1")
    assert _code(lambda: _verify(a_source(), raw)) == "unsupported_sign_algorithm"


def test_an_algorithm_that_does_not_fit_the_key_is_refused() -> None:
    raw = a_source().directory().replace(b"ecdsa-sha512", b"rsa-sha512")
    assert _code(lambda: _verify(a_source(), raw)) == "global_conf_signature_verification_failure"


def test_an_expired_directory_is_refused_at_its_very_second() -> None:
    assert _code(lambda: _verify(a_source(expires_at=NOW))) == "global_conf_outdated"
    _verify(a_source(expires_at=NOW + timedelta(seconds=1)))


def test_expiry_is_not_asked_for_the_past() -> None:
    source = a_source(expires_at=NOW - timedelta(days=365))
    directory = verify_directory(
        source.directory(), instance="TEST", certificates=source.anchor().certificates, at=None
    )
    assert directory.content.expires_at < NOW


@pytest.mark.parametrize("version", [0, 1, 7])
def test_an_unknown_version_is_refused(version: int) -> None:
    raw = _resigned(a_source(), lambda content: replace(content, version=version))
    assert _code(lambda: _verify(a_source(), raw)) == "global_conf_header_field_wrong_value"


def test_a_directory_of_another_instance_than_the_anchor_is_refused() -> None:
    source = a_source()

    def verify() -> None:
        verify_directory(source.directory(), instance="OTHER", certificates=source.anchor().certificates, at=NOW)

    assert _code(verify) == "global_conf_part_invalid_instance_identifier"


@pytest.mark.parametrize("missing", ["SHARED-PARAMETERS", "PRIVATE-PARAMETERS"])
def test_the_own_instance_needs_shared_and_private_parameters(missing: str) -> None:
    raw = _resigned(a_source(), lambda c: replace(c, entries=tuple(e for e in c.entries if e.content_id != missing)))
    with pytest.raises(ConfigurationUnusable) as caught:
        _verify(a_source(), raw)
    assert (caught.value.text_id, caught.value.facts["part"]) == ("globalconf.part_not_listed", missing)


def test_of_a_federated_instance_only_the_shared_parameters_are_taken() -> None:
    source = a_source(parts={(MONITORING, "monitoring-params.xml"): build_monitoring(CLIENT)})
    directory = _verify(source, role=Role.FEDERATED)
    trusted = verify_parts(directory, source.answers())
    assert [entry.content_id for entry in directory.entries] == ["SHARED-PARAMETERS"]
    assert (trusted.private, trusted.optional) == (None, OptionalParts())


def test_a_part_that_is_listed_twice_is_refused() -> None:
    raw = _resigned(a_source(), lambda c: replace(c, entries=(*c.entries, c.entries[0])))
    with pytest.raises(ConfigurationUnusable) as caught:
        _verify(a_source(), raw)
    assert caught.value.text_id == "globalconf.listed_twice"


@pytest.mark.parametrize("hint", ["shared-params.xml", "..", "x/", ".hidden", "a.metadata", "a\tb", "x" * 300])
def test_an_optional_part_cannot_take_the_place_of_another_file(hint: str) -> None:
    odd = DirectoryEntry("OWN", None, "/V6/own", digest_of(b""), hint)
    raw = _resigned(a_source(), lambda c: replace(c, entries=(*c.entries, odd)))
    assert _code(lambda: _verify(a_source(), raw)).startswith("global_conf_")


def test_a_part_hashed_by_sha_1_is_refused_from_version_3_on() -> None:
    weak = DirectoryEntry("OWN", None, "/own.xml", digest_of(b"", DigestAlgorithm.SHA1))
    raw = _resigned(a_source(), lambda c: replace(c, entries=(*c.entries, weak)))
    assert _code(lambda: _verify(a_source(), raw)) == "global_conf_header_field_wrong_value"
    old = _resigned(a_source(), lambda c: replace(c, version=2, entries=(*c.entries, weak)))
    _verify(a_source(), old)


def test_a_part_with_other_bytes_than_were_signed_is_refused() -> None:
    source = a_source()
    files = {location: content + b"\n" for location, content in source.answers().items()}
    code = "global_conf_part_downloaded_file_integrity_failure"
    assert _code(lambda: verify_parts(_verify(source), files)) == code


def test_a_part_that_is_not_there_is_refused() -> None:
    assert _code(lambda: verify_parts(_verify(a_source()), {})) == "global_conf_part_download_failure"


def test_a_part_that_names_another_instance_is_refused() -> None:
    for source in (a_source(shared=a_shared_parameters("OTHER")), a_source(private=a_private_parameters("OTHER"))):
        assert _code(lambda s=source: _trusted(s)) == "global_conf_part_invalid_instance_identifier"  # type: ignore[misc]


def test_an_authority_whose_certificate_cannot_be_read_is_refused() -> None:
    broken = an_approved_ca(top=CaInfo(b"not a certificate"))
    with pytest.raises(MalformedMessage) as caught:
        _trusted(a_source(shared=a_shared_parameters(approved_cas=(broken,))))
    assert caught.value.text_id == "globalconf.bad_certificate"


def test_a_doctype_in_a_part_is_refused() -> None:
    part = build_monitoring(None).replace(b"<x:conf", b"<!DOCTYPE conf><x:conf")
    with pytest.raises(MalformedMessage) as caught:
        _trusted(a_source(parts={(MONITORING, "monitoring-params.xml"): part}))
    assert caught.value.text_id == "xml.doctype"


def test_optional_parts_are_read_and_unknown_ones_kept() -> None:
    trusted = _trusted(
        a_source(
            parts={
                (MONITORING, "monitoring-params.xml"): build_monitoring(CLIENT),
                (NEXT_UPDATE, "nextupdate-params.xml"): build_next_update(False),
                (FETCH_INTERVAL, "fetchinterval-params.xml"): build_fetch_interval(60),
                ("OWN", "own.bin"): b"anything",
            }
        )
    )
    assert trusted.optional == OptionalParts(CLIENT, False, 60)
    assert b"anything" in trusted.files.values()


def test_a_directory_signed_anew_over_the_same_files_needs_no_file() -> None:
    known = _trusted(a_source())
    later = a_source(expires_at=NOW + timedelta(seconds=1200), stamp="20260501121000000000000")
    renewed = renew(known, _verify(later))
    assert renewed is not None
    assert renewed.shared is known.shared
    assert renewed.expires_at == later.expires_at
    assert all(location.startswith("/V6/20260501121000") for location in renewed.files)


def test_other_files_another_version_or_another_role_are_no_renewal() -> None:
    known = _trusted(a_source())
    other = a_source(shared=a_shared_parameters(ocsp_freshness_s=1))
    assert renew(known, _verify(other)) is None
    assert renew(known, _verify(a_source(), a_source().directory(5))) is None
    assert renew(known, _verify(a_source(), role=Role.FEDERATED)) is None


def test_a_signature_value_of_another_curve_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    source = a_source()
    raw = build_directory(
        source.content(6),
        lambda data: key.sign(data, ec.ECDSA(hashes.SHA512())),
        SignatureAlgorithm.ECDSA_SHA512,
        source.signer.der,
        boundaries=("O", "I"),
    )
    assert _code(lambda: _verify(source, raw)) == "global_conf_signature_verification_failure"
