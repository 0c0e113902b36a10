"""Paths end at the first approved CA, and every certificate on the way has to hold."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ObjectIdentifier

from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki.chain import MAX_EXTRAS, build_path
from tests.factories.pki import (
    EC,
    NOON,
    NOT_AFTER,
    NOT_BEFORE,
    RSA,
    Authority,
    a_hierarchy,
    a_key,
    a_member,
    a_name,
    a_root,
    key_usage,
)

PKI = a_hierarchy()
ROOT, ISSUING = PKI.root.certificate, PKI.issuing.certificate


def refusal_of(leaf, extras, anchors, at=NOON):
    with pytest.raises(SignatureRefused) as refusal:
        build_path(leaf, extras, anchors, at)
    return refusal.value


@pytest.mark.parametrize("kind", [EC, RSA])
def test_leaf_of_the_approved_ca_has_a_path_of_two(kind):
    pki = a_hierarchy(kind)
    leaf = pki.root.signer(a_member()).certificate
    assert build_path(leaf, [], [pki.root.certificate], NOON) == (leaf, pki.root.certificate)


def test_intermediate_sent_along_completes_the_path():
    leaf = PKI.issuing.signer(a_member()).certificate
    assert build_path(leaf, [ISSUING], [ROOT], NOON) == (leaf, ISSUING, ROOT)


def test_approved_intermediate_ends_the_path():
    leaf = PKI.issuing.signer(a_member()).certificate
    assert build_path(leaf, [ISSUING, ROOT], [ROOT, ISSUING], NOON) == (leaf, ISSUING)


def test_longer_hierarchies_are_walked_in_any_order_of_extras():
    one = PKI.root.intermediate("One", path_length=None)
    two = one.intermediate("Two", path_length=None)
    three = two.intermediate("Three")
    leaf = three.signer(a_member()).certificate
    extras = [one.certificate, three.certificate, two.certificate]
    assert build_path(leaf, extras, [ROOT], NOON) == (
        leaf, three.certificate, two.certificate, one.certificate, ROOT,
    )  # fmt: skip


def test_missing_intermediate_leaves_no_path():
    leaf = PKI.issuing.signer(a_member()).certificate
    assert refusal_of(leaf, [], [ROOT]).code == "cannot_create_cert_path"


def test_ca_of_the_same_name_with_another_key_is_not_the_ca():
    rogue_key = a_key("rogue")
    rogue = Authority(PKI.root.issue(ROOT.subject, rogue_key.public_key(), "ca", ca=True), rogue_key)
    leaf = rogue.signer(a_member()).certificate
    assert refusal_of(leaf, [], [ROOT]).code == "cannot_create_cert_path"


def test_no_anchor_at_all_leaves_no_path():
    assert refusal_of(PKI.root.signer(a_member()).certificate, [ROOT], []).code == "cannot_create_cert_path"


def test_root_itself_has_no_path_to_itself():
    assert refusal_of(ROOT, [ROOT], [ROOT]).code == "cannot_create_cert_path"


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        (NOON - timedelta(hours=1), True),
        (NOON + timedelta(hours=1), True),
        (NOON - timedelta(hours=1, seconds=1), False),
        (NOON + timedelta(hours=1, seconds=1), False),
    ],
)
def test_leaf_counts_from_its_first_to_its_last_second(at, holds):
    leaf = PKI.root.signer(
        a_member(), not_before=NOON - timedelta(hours=1), not_after=NOON + timedelta(hours=1)
    ).certificate
    if holds:
        assert build_path(leaf, [], [ROOT], at)
    else:
        assert refusal_of(leaf, [], [ROOT], at).text_id == "pki.path_dates"


def test_expired_intermediate_is_refused_and_an_approved_one_is_not_asked():
    old = PKI.root.intermediate("Old", not_after=NOON - timedelta(days=1))
    leaf = old.signer(a_member()).certificate
    assert refusal_of(leaf, [old.certificate], [ROOT]).code == "invalid_cert_path"
    assert build_path(leaf, [], [old.certificate], NOON)


def test_renewed_intermediate_is_taken_when_the_old_one_has_expired():
    key = a_key("Renewed")
    old = PKI.root.issue(a_name("Renewed"), key.public_key(), "ca", ca=True, not_after=NOON - timedelta(days=1))
    new = PKI.root.issue(a_name("Renewed"), key.public_key(), "ca", ca=True)
    leaf = Authority(new, key).signer(a_member()).certificate
    assert build_path(leaf, [old, new], [ROOT], NOON) == (leaf, new, ROOT)


def test_certificate_of_an_end_entity_issues_nothing():
    member = PKI.root.signer(a_member())
    forged = Authority(member.certificate, member.key).signer(a_member("6666")).certificate
    refusal = refusal_of(forged, [member.certificate], [ROOT])
    assert (refusal.code, refusal.text_id) == ("invalid_cert_path", "pki.path_not_ca")


def test_ca_without_the_usage_to_sign_certificates_issues_nothing():
    key = a_key("No usage")
    ca = Authority(PKI.root.issue(a_name("No usage"), key.public_key(), "sign", ca=True), key)
    leaf = ca.signer(a_member()).certificate
    assert refusal_of(leaf, [ca.certificate], [ROOT]).text_id == "pki.path_not_ca"


def test_more_cas_than_the_path_length_allows_are_refused():
    below = PKI.issuing.intermediate("Below")
    leaf = below.signer(a_member()).certificate
    assert refusal_of(leaf, [below.certificate, ISSUING], [ROOT]).text_id == "pki.path_length"


def test_unknown_critical_extension_is_refused():
    extension = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
    leaf = PKI.root.signer(a_member(), extra=[(extension, True)]).certificate
    assert refusal_of(leaf, [], [ROOT]).text_id == "pki.path_extension"
    harmless = PKI.root.signer(a_member(), extra=[(extension, False)]).certificate
    assert build_path(harmless, [], [ROOT], NOON)


def test_old_root_without_extensions_counts_because_it_is_listed():
    key = a_key("Version one")
    bare = (
        x509.CertificateBuilder()
        .subject_name(a_name("Version one"))
        .issuer_name(a_name("Version one"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .sign(key, hashes.SHA256())
    )
    leaf = Authority(bare, key).signer(a_member()).certificate
    assert build_path(leaf, [], [bare], NOON) == (leaf, bare)


def test_certificates_that_issue_each_other_end_the_search_soon():
    key = a_key("Mutual")
    name = a_name("Mutual")
    stranger = Authority(
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(key_usage("ca"), critical=True)
        .sign(key, hashes.SHA256()),
        key,
    )
    mutual = [stranger.issue(name, key.public_key(), "ca", ca=True) for _ in range(MAX_EXTRAS)]
    leaf = stranger.signer(a_member()).certificate
    assert refusal_of(leaf, mutual, [ROOT]).code == "cannot_create_cert_path"


def test_too_many_certificates_are_not_looked_at():
    leaf = PKI.root.signer(a_member()).certificate
    assert refusal_of(leaf, [ISSUING] * (MAX_EXTRAS + 1), [ROOT]).text_id == "pki.path_too_many"


def test_one_root_of_two_with_the_same_name_is_found_by_its_key():
    first, second = a_root("Twin"), a_root("Twin other")
    twin_key = a_key("Twin second key")
    twin = Authority(
        x509.CertificateBuilder()
        .subject_name(first.certificate.subject)
        .issuer_name(first.certificate.subject)
        .public_key(twin_key.public_key())
        .serial_number(2)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(twin_key, hashes.SHA256()),
        twin_key,
    )
    leaf = twin.signer(a_member()).certificate
    anchors = [first.certificate, second.certificate, twin.certificate]
    assert build_path(leaf, [], anchors, NOON) == (leaf, twin.certificate)
