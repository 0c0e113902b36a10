"""Certificate profiles: which subject names which member (X-Road *CertificateProfileInfoProvider.java).

The global configuration gives the profile of each approved CA as the name of a Java class. Subjects to
ask for are templates in one table; reading a member out of a subject is one small function per country.
An attribute that stands twice in a subject is refused: which of them counts would be a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.identifiers import MemberId, SecurityServerId
from gateway.xroad.pki.certificates import find_extension, refused, subject_of

PREFIX: Final = "ee.ria.xroad.common.certificateprofile.impl."

_OIDS: Final = {
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "businessCategory": NameOID.BUSINESS_CATEGORY,
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
}
_PRINTABLE: Final = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")

_Fields = tuple[tuple[str, str], ...]


class Subject:
    """Attributes of a certificate's subject, each at most once."""

    __slots__ = ("_certificate",)

    def __init__(self, certificate: x509.Certificate) -> None:
        self._certificate = certificate

    def find(self, name: str) -> str | None:
        """Return the value of the attribute, or None. Raises SignatureRefused when it stands twice."""
        found = self._certificate.subject.get_attributes_for_oid(_OIDS[name])
        if len(found) > 1:
            raise refused("pki.subject_ambiguous", subject=subject_of(self._certificate), attribute=name)
        return str(found[0].value) if found else None

    def get(self, name: str) -> str:
        """Return the value of the attribute. Raises SignatureRefused when it is missing or blank."""
        value = self.find(name)
        if value is None or not value.strip():
            raise refused("pki.subject_incomplete", subject=subject_of(self._certificate), attribute=name)
        return value

    def require(self, name: str, expected: str) -> None:
        """Raise SignatureRefused unless the attribute has this value."""
        if self.get(name) != expected:
            raise self.wrong(name)

    def wrong(self, name: str) -> Exception:
        """Return the fault for a value outside the profile."""
        return refused("pki.subject_unexpected", subject=subject_of(self._certificate), attribute=name)


@dataclass(frozen=True, slots=True)
class _Profile:
    read_member: Callable[[Subject, str], MemberId]
    sign: _Fields
    auth: _Fields


def _read_ejbca(subject: Subject, instance: str) -> MemberId:
    return MemberId(subject.get("C"), subject.get("O"), subject.get("CN"))


def _read_with_units(subject: Subject, country: str) -> MemberId:
    subject.require("C", country)
    return MemberId(subject.get("O"), subject.get("OU"), subject.get("CN"))


def _read_finnish(subject: Subject, instance: str) -> MemberId:
    serial = subject.find("serialNumber")
    if serial is None:  # certificates of before 2015
        return _read_ejbca(subject, instance) if subject.find("OU") is None else _read_with_units(subject, "FI")
    subject.require("C", "FI")
    subject.get("O")
    parts = serial.split("/")
    if len(parts) != 3 or not all(part.strip() for part in parts):
        raise subject.wrong("serialNumber")
    return MemberId(parts[0], parts[2], subject.get("CN"))  # the server code in between names no member


def _read_faroese(subject: Subject, instance: str) -> MemberId:
    subject.get("serialNumber")
    return _read_with_units(subject, "FO")


def _read_icelandic(subject: Subject, instance: str) -> MemberId:
    if subject.find("serialNumber") is None and subject.find("OU") is None:
        return _read_ejbca(subject, instance)
    subject.get("serialNumber")
    return _read_with_units(subject, "IS")


def _read_basic(subject: Subject, instance: str) -> MemberId:
    return MemberId(instance, subject.get("businessCategory"), subject.get("serialNumber"))


# Registers of Estonia by prefix of the organisation identifier, and by first digit of the old serial number.
_ESTONIAN_PREFIXES: Final = {"NTREE-": "COM", "GO:EE-": "GOV", "NP:EE-": "NGO"}
_ESTONIAN_DIGITS: Final = {**dict.fromkeys("123456", "COM"), "7": "GOV", **dict.fromkeys("89", "NGO")}


def _read_estonian(subject: Subject, instance: str) -> MemberId:
    organisation = subject.find("organizationIdentifier")
    if organisation:
        member_class = _ESTONIAN_PREFIXES.get(organisation[:6])
        code = organisation if member_class is None else organisation[6:]
        if not code.strip():
            raise subject.wrong("organizationIdentifier")
        return MemberId(instance, member_class or "NEE", code)
    serial = subject.get("serialNumber")
    member_class = _ESTONIAN_DIGITS.get(serial[0])
    if not re.fullmatch("[0-9]{8}", serial) or member_class is None:
        raise subject.wrong("serialNumber")
    return MemberId(instance, member_class, serial)


def _read_estonian_person(subject: Subject, instance: str) -> MemberId:
    return MemberId(instance, "PERSON", subject.get("serialNumber"))


_BASIC_SIGN: Final[_Fields] = (
    ("CN", "{organisation}"),
    ("O", "{organisation}"),
    ("businessCategory", "{member_class}"),
    ("C", "{country}"),
    ("serialNumber", "{member_code}"),
)
_BASIC_AUTH: Final[_Fields] = (
    ("CN", "{dns}"), ("serialNumber", "{member_code}"), ("C", "{country}"), ("O", "{organisation}"),
)  # fmt: skip
_ACME_SIGN: Final[_Fields] = (
    ("C", "{country}"),
    ("O", "{organisation}"),
    ("businessCategory", "{member_class}"),
    ("serialNumber", "{member_code}"),
    ("CN", "{organisation}"),
)
_ACME_AUTH: Final[_Fields] = (
    ("C", "{country}"), ("O", "{organisation}"), ("serialNumber", "{member_code}"), ("CN", "{dns}"),
)  # fmt: skip
_FINNISH_SERIAL: Final = ("serialNumber", "{instance}/{server_code}/{member_class}")
_ESTONIAN: Final[_Fields] = (("serialNumber", "{member_code}"), ("CN", "{organisation}"))


def _with_units(country: str) -> _Fields:
    return (
        ("C", country),
        ("O", "{instance}"),
        ("OU", "{member_class}"),
        ("CN", "{member_code}"),
        ("serialNumber", "{server}"),
    )


PROFILES: Final = {
    PREFIX + name: profile
    for name, profile in {
        "FiVRKCertificateProfileInfoProvider": _Profile(
            _read_finnish,
            sign=(("C", "FI"), ("O", "{organisation}"), _FINNISH_SERIAL, ("CN", "{member_code}")),
            auth=(("C", "FI"), ("O", "{organisation}"), _FINNISH_SERIAL, ("CN", "{dns}")),
        ),
        "EjbcaCertificateProfileInfoProvider": _Profile(
            _read_ejbca,
            sign=(("C", "{instance}"), ("O", "{member_class}"), ("CN", "{member_code}")),
            auth=(("C", "{instance}"), ("CN", "{server_code}")),
        ),
        "BasicCertificateProfileInfoProvider": _Profile(_read_basic, sign=_BASIC_SIGN, auth=_BASIC_AUTH),
        "BasicACMECertificateProfileInfoProvider": _Profile(_read_basic, sign=_ACME_SIGN, auth=_ACME_AUTH),
        "FoCertificateProfileInfoProvider": _Profile(
            _read_faroese,
            sign=_with_units("FO"),
            auth=(("C", "FO"), ("O", "{instance}"), ("CN", "{server}")),
        ),
        "IsCertificateProfileInfoProvider": _Profile(
            _read_icelandic,
            sign=_with_units("IS"),
            auth=(("C", "IS"), ("CN", "{dns}"), ("serialNumber", "{server}")),
        ),
        "SkKlass3CertificateProfileInfoProvider": _Profile(_read_estonian, sign=_ESTONIAN, auth=_ESTONIAN),
        # Cards of persons: their subjects come from the card, nobody asks for one.
        "SkEsteIdCertificateProfileInfoProvider": _Profile(_read_estonian_person, sign=(), auth=()),
    }.items()
}


def _profile(name: str) -> _Profile:
    found = PROFILES.get(name.strip())
    if found is None:
        raise ConfigurationUnusable("malformed_global_conf", "pki.profile_unknown", profile=name[:200])
    return found


def is_known_profile(name: str) -> bool:
    """Tell whether we know the certificate profile of this name."""
    return name.strip() in PROFILES


def member_of(certificate: x509.Certificate, profile: str, instance: str) -> MemberId:
    """Return the member whose signing certificate this is, by the profile of its CA.

    Raises SignatureRefused (incorrect_certificate) when the subject does not follow the profile, and
    ConfigurationUnusable (malformed_global_conf) for a profile nobody knows.
    """
    return _profile(profile).read_member(Subject(certificate), instance)


def sign_subject(
    profile: str,
    server: SecurityServerId,
    member: MemberId,
    organisation: str,
    dns: str | None = None,
    *,
    country: str = "UA",
) -> x509.Name:
    """Return the subject to ask for in a signing certificate of `member` on `server`."""
    return _subject(_profile(profile).sign, profile, server, member, organisation, dns, country)


def auth_subject(
    profile: str, server: SecurityServerId, organisation: str, dns: str | None = None, *, country: str = "UA"
) -> x509.Name:
    """Return the subject to ask for in the authentication certificate of `server`; `dns` is its host name."""
    return _subject(_profile(profile).auth, profile, server, server.owner, organisation, dns, country)


def _subject(
    fields: _Fields,
    profile: str,
    server: SecurityServerId,
    member: MemberId,
    organisation: str,
    dns: str | None,
    country: str,
) -> x509.Name:
    facts = {
        "instance": member.xroad_instance,
        "member_class": member.member_class,
        "member_code": member.member_code,
        "server_code": server.server_code,
        "server": str(server),
        "organisation": organisation,
        "dns": dns or "",
        "country": country,
    }
    attributes = [(name, template.format_map(facts)) for name, template in fields]
    missing = [name for name, value in attributes if not value.strip()]
    if missing or not attributes:
        raise refused("pki.subject_unbuildable", profile=profile, attributes=", ".join(missing) or "-")
    return x509.Name([_attribute(name, value) for name, value in attributes])


def _attribute(name: str, value: str) -> x509.NameAttribute[str]:
    # C holds an instance in some profiles, and codes may be longer than X.520 likes: `cryptography`
    # would refuse both, real CAs issue them.
    printable = name in ("C", "serialNumber") and _PRINTABLE.fullmatch(value)
    kind = _ASN1Type.PrintableString if printable else _ASN1Type.UTF8String
    return x509.NameAttribute(_OIDS[name], value, kind, _validate=False)


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage:
    found = find_extension(certificate, x509.KeyUsage)
    if found is None:
        raise refused("pki.key_usage_missing", subject=subject_of(certificate))
    return found.value


def is_sign_certificate(certificate: x509.Certificate) -> bool:
    """Tell whether the key usage has nonRepudiation (X-Road CertUtils.java).

    Raises SignatureRefused (incorrect_certificate) for a certificate without key usage.
    """
    return _key_usage(certificate).content_commitment


def is_auth_certificate(certificate: x509.Certificate) -> bool:
    """Tell whether it is for TLS clients, or for digital signature, key or data encipherment.

    Raises SignatureRefused (incorrect_certificate) for a certificate with neither kind of usage.
    """
    extended = find_extension(certificate, x509.ExtendedKeyUsage)
    if extended is not None and ExtendedKeyUsageOID.CLIENT_AUTH in extended.value:
        return True
    usage = _key_usage(certificate)
    return usage.digital_signature or usage.key_encipherment or usage.data_encipherment
