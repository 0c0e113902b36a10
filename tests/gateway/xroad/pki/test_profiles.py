"""Which subject names which member, for every profile of the reference."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.xroad.faults import ConfigurationUnusable, SignatureRefused
from gateway.xroad.identifiers import MemberId, SecurityServerId
from gateway.xroad.pki.profiles import (
    PREFIX,
    PROFILES,
    auth_subject,
    is_auth_certificate,
    is_known_profile,
    is_sign_certificate,
    member_of,
    sign_subject,
)
from tests.factories.pki import a_hierarchy, a_key

PKI = a_hierarchy()
MEMBER = MemberId("UA-DEMO", "GOV", "10000001")
SERVER = SecurityServerId(MemberId("UA-DEMO", "GOV", "10000001"), "SS1")
OIDS = {
    "C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME, "SN": NameOID.SERIAL_NUMBER, "BC": NameOID.BUSINESS_CATEGORY,
    "OI": NameOID.ORGANIZATION_IDENTIFIER,
}  # fmt: skip


def profile(name):
    return f"{PREFIX}{name}CertificateProfileInfoProvider"


def a_certificate(name, usage="sign", **options):
    return PKI.root.issue(name, a_key("profile").public_key(), usage, **options)


def a_subject(*pairs):
    kind = _ASN1Type.UTF8String
    return x509.Name([x509.NameAttribute(OIDS[short], value, kind, _validate=False) for short, value in pairs])


def read(name, *pairs, instance="UA-DEMO"):
    return member_of(a_certificate(a_subject(*pairs)), profile(name), instance)


def refusal_of(name, *pairs):
    with pytest.raises(SignatureRefused) as refusal:
        read(name, *pairs)
    return refusal.value


BUILDABLE = ["FiVRK", "Ejbca", "Basic", "BasicACME", "Fo", "Is"]


@pytest.mark.parametrize("name", BUILDABLE)
def test_member_asked_for_is_the_member_read(name):
    subject = sign_subject(profile(name), SERVER, MEMBER, "Ministry")
    assert member_of(a_certificate(subject), profile(name), "UA-DEMO") == MEMBER


@pytest.mark.parametrize("name", BUILDABLE)
def test_codes_outside_latin_survive(name):
    member = MemberId("UA-DEMO", "ДЕРЖ", "Код-1")
    subject = sign_subject(profile(name), SERVER, member, "Міністерство")
    assert member_of(a_certificate(subject), profile(name), "UA-DEMO") == member


def text(name):
    return ",".join(f"{a.oid._name}={a.value}" for a in name)


@pytest.mark.parametrize(
    ("name", "sign", "auth"),
    [
        (
            "FiVRK",
            "countryName=FI,organizationName=Ministry,serialNumber=UA-DEMO/SS1/GOV,commonName=10000001",
            "countryName=FI,organizationName=Ministry,serialNumber=UA-DEMO/SS1/GOV,commonName=ss1.example.org",
        ),
        (
            "Ejbca",
            "countryName=UA-DEMO,organizationName=GOV,commonName=10000001",
            "countryName=UA-DEMO,commonName=SS1",
        ),
        (
            "Basic",
            "commonName=Ministry,organizationName=Ministry,businessCategory=GOV,countryName=UA,serialNumber=10000001",
            "commonName=ss1.example.org,serialNumber=10000001,countryName=UA,organizationName=Ministry",
        ),
        (
            "Fo",
            "countryName=FO,organizationName=UA-DEMO,organizationalUnitName=GOV,commonName=10000001,"
            "serialNumber=UA-DEMO/GOV/10000001/SS1",
            "countryName=FO,organizationName=UA-DEMO,commonName=UA-DEMO/GOV/10000001/SS1",
        ),
        (
            "Is",
            "countryName=IS,organizationName=UA-DEMO,organizationalUnitName=GOV,commonName=10000001,"
            "serialNumber=UA-DEMO/GOV/10000001/SS1",
            "countryName=IS,commonName=ss1.example.org,serialNumber=UA-DEMO/GOV/10000001/SS1",
        ),
        (
            "SkKlass3",
            "serialNumber=10000001,commonName=Ministry",
            "serialNumber=10000001,commonName=Ministry",
        ),
    ],
)
def test_subjects_are_built_as_the_profile_says(name, sign, auth):
    assert text(sign_subject(profile(name), SERVER, MEMBER, "Ministry")) == sign
    assert text(auth_subject(profile(name), SERVER, "Ministry", "ss1.example.org")) == auth


def test_signing_member_of_another_class_than_the_owner_is_named_by_its_own_class():
    member = MemberId("UA-DEMO", "COM", "20000002")
    assert "serialNumber=UA-DEMO/SS1/COM" in text(sign_subject(profile("FiVRK"), SERVER, member, "Company"))


def test_subject_without_a_needed_value_cannot_be_built():
    with pytest.raises(SignatureRefused) as refusal:
        auth_subject(profile("FiVRK"), SERVER, "Ministry")
    assert refusal.value.facts["attributes"] == "CN"


def test_nobody_asks_for_the_certificate_of_a_card():
    with pytest.raises(SignatureRefused):
        sign_subject(profile("SkEsteId"), SERVER, MEMBER, "Ministry")


FI = ("C", "FI")


def test_finnish_serial_number_names_instance_and_class():
    assert read("FiVRK", FI, ("O", "Org"), ("SN", "TEST/SS1/GOV"), ("CN", "1001")) == MemberId("TEST", "GOV", "1001")


def test_finnish_certificate_without_serial_number_is_read_by_unit():
    assert read("FiVRK", FI, ("O", "TEST"), ("OU", "GOV"), ("CN", "1001")) == MemberId("TEST", "GOV", "1001")


def test_finnish_certificate_without_serial_number_and_unit_is_read_as_ejbca():
    assert read("FiVRK", ("C", "TEST"), ("O", "GOV"), ("CN", "1001")) == MemberId("TEST", "GOV", "1001")


@pytest.mark.parametrize(
    "pairs",
    [
        (("C", "SE"), ("O", "Org"), ("SN", "TEST/SS1/GOV"), ("CN", "1001")),
        (FI, ("SN", "TEST/SS1/GOV"), ("CN", "1001")),
        (FI, ("O", "Org"), ("SN", "TEST/SS1/GOV")),
        (FI, ("O", "Org"), ("SN", "TEST/GOV"), ("CN", "1001")),
        (FI, ("O", "Org"), ("SN", "TEST/SS1/GOV/X"), ("CN", "1001")),
        (FI, ("O", "Org"), ("SN", "TEST//GOV"), ("CN", "1001")),
        (("C", "SE"), ("O", "TEST"), ("OU", "GOV"), ("CN", "1001")),
        (FI, ("OU", "GOV"), ("CN", "1001")),
        (FI, ("O", "Org"), ("SN", "TEST/SS1/GOV"), ("CN", "1001"), ("CN", "1002")),
        (),
    ],
    ids=[
        "country", "no organisation", "no code", "two parts", "four parts", "empty part", "legacy country",
        "legacy without instance", "two codes", "nothing",
    ],
)  # fmt: skip
def test_subject_outside_the_finnish_profile_is_refused(pairs):
    assert refusal_of("FiVRK", *pairs).code == "incorrect_certificate"


def test_basic_profile_takes_the_instance_from_the_configuration():
    pairs = (("CN", "Org"), ("O", "Org"), ("BC", "GOV"), ("C", "UA"), ("SN", "1001"))
    assert read("Basic", *pairs, instance="OTHER") == MemberId("OTHER", "GOV", "1001")
    assert refusal_of("Basic", *pairs[:2], *pairs[3:]).facts["attribute"] == "businessCategory"
    assert refusal_of("BasicACME", *pairs[:4]).facts["attribute"] == "serialNumber"


def test_faroese_profile_wants_country_and_serial_number():
    pairs = (("C", "FO"), ("O", "TEST"), ("OU", "GOV"), ("CN", "1001"), ("SN", "x"))
    assert read("Fo", *pairs) == MemberId("TEST", "GOV", "1001")
    assert refusal_of("Fo", *pairs[:4]).facts["attribute"] == "serialNumber"
    assert refusal_of("Fo", FI, *pairs[1:]).text_id == "pki.subject_unexpected"


def test_icelandic_profile_falls_back_to_ejbca():
    pairs = (("C", "IS"), ("O", "TEST"), ("OU", "GOV"), ("CN", "1001"), ("SN", "x"))
    assert read("Is", *pairs) == MemberId("TEST", "GOV", "1001")
    assert read("Is", ("C", "TEST"), ("O", "GOV"), ("CN", "1001")) == MemberId("TEST", "GOV", "1001")
    assert refusal_of("Is", *pairs[:4]).facts["attribute"] == "serialNumber"


@pytest.mark.parametrize(
    ("pair", "member_class", "code"),
    [
        (("OI", "NTREE-10747013"), "COM", "10747013"),
        (("OI", "GO:EE-70006317"), "GOV", "70006317"),
        (("OI", "NP:EE-80000000"), "NGO", "80000000"),
        (("OI", "VATFI-12345678"), "NEE", "VATFI-12345678"),
        (("SN", "10747013"), "COM", "10747013"),
        (("SN", "70006317"), "GOV", "70006317"),
        (("SN", "90000000"), "NGO", "90000000"),
    ],
)
def test_estonian_registers_give_the_member_class(pair, member_class, code):
    assert read("SkKlass3", pair) == MemberId("UA-DEMO", member_class, code)


@pytest.mark.parametrize("serial", ["00000000", "1074701", "107470130", "1074701x", "١٢٣٤٥٦٧٨"])
def test_estonian_serial_number_outside_the_registers_is_refused(serial):
    assert refusal_of("SkKlass3", ("SN", serial)).code == "incorrect_certificate"


def test_estonian_card_is_a_person():
    assert read("SkEsteId", ("SN", "38001085718")) == MemberId("UA-DEMO", "PERSON", "38001085718")


@pytest.mark.parametrize("name", ["", "EjbcaCertificateProfileInfoProvider", PREFIX + "Unknown", "x" * 1000])
def test_unknown_profile_fails_loudly(name):
    assert not is_known_profile(name)
    with pytest.raises(ConfigurationUnusable) as refusal:
        member_of(a_certificate(a_subject(("CN", "x"))), name, "TEST")
    assert refusal.value.code == "malformed_global_conf"


def test_every_profile_of_the_reference_is_known():
    names = ["FiVRK", "Ejbca", "Basic", "BasicACME", "Fo", "Is", "SkKlass3", "SkEsteId"]
    assert {profile(name) for name in names} == set(PROFILES)


NAME = a_subject(("CN", "x"))


@pytest.mark.parametrize(
    ("usage", "extended", "signs", "authenticates"),
    [
        ("sign", None, True, False),
        ("auth", None, False, True),
        ("both", None, True, True),
        ("ca", None, False, False),
        ("sign", ExtendedKeyUsageOID.CLIENT_AUTH, True, True),
        ("sign", ExtendedKeyUsageOID.SERVER_AUTH, True, False),
    ],
)
def test_kind_of_certificate_follows_from_its_usages(usage, extended, signs, authenticates):
    certificate = a_certificate(NAME, usage, extended=extended)
    assert (is_sign_certificate(certificate), is_auth_certificate(certificate)) == (signs, authenticates)


def test_certificate_without_key_usage_is_of_no_kind():
    certificate = a_certificate(NAME, None)
    for question in (is_sign_certificate, is_auth_certificate):
        with pytest.raises(SignatureRefused):
            question(certificate)
    client = a_certificate(NAME, None, extended=ExtendedKeyUsageOID.CLIENT_AUTH)
    assert is_auth_certificate(client)
