"""A certification hierarchy made in process: root, intermediate, responder, TSA, members and servers.

Keys are made once per session and kind; certificates follow the FiVRK profile unless told otherwise.
Everything is valid from 2026 to 2046, and tests live at NOON.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.identifiers import MemberId, SecurityServerId
from gateway.xroad.pki import ocsp, tsp
from gateway.xroad.pki.keys import PrivateKey
from gateway.xroad.pki.profiles import PREFIX, auth_subject, sign_subject

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2046, 1, 1, tzinfo=UTC)
FIVRK = PREFIX + "FiVRKCertificateProfileInfoProvider"
POLICY = "1.3.6.1.4.1.99999.1"
EC, RSA = "EC", "RSA"

_serials = itertools.count(1000)


def a_key(name: str = "some", kind: str = EC) -> PrivateKey:
    """The key of this name: the same for a whole session."""
    return _key(name, kind)


@lru_cache(maxsize=256)
def _key(name: str, kind: str) -> PrivateKey:
    if kind == RSA:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def a_name(common_name: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COUNTRY_NAME, "FI"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test")]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


_USAGES = {
    "sign": ("content_commitment",),
    "auth": ("digital_signature", "key_encipherment", "data_encipherment"),
    "both": ("digital_signature", "content_commitment"),
    "responder": ("digital_signature",),
    "ca": ("key_cert_sign", "crl_sign"),
}
_NO_USAGE = dict.fromkeys(
    (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    ),
    False,
)  # fmt: skip


def key_usage(usage: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{**_NO_USAGE, **dict.fromkeys(_USAGES[usage], True)})


@dataclass(frozen=True)
class Authority(Issued):
    """A CA that issues whatever a test wants."""

    def issue(
        self,
        subject: x509.Name,
        public_key: object,
        usage: str | None = "sign",
        *,
        extended: x509.ObjectIdentifier | None = None,
        critical_extended: bool = True,
        ca: bool = False,
        path_length: int | None = None,
        not_before: datetime = NOT_BEFORE,
        not_after: datetime = NOT_AFTER,
        ocsp_url: str | None = None,
        extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
        digest: hashes.HashAlgorithm | None = None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(public_key)  # type: ignore[arg-type]
            .serial_number(next(_serials))
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        )
        if usage is not None:
            builder = builder.add_extension(key_usage(usage), critical=True)
        if extended is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([extended]), critical=critical_extended)
        if ocsp_url is not None:
            place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp_url))
            builder = builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)
        for extension, critical in extra:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, digest or hashes.SHA256())

    def intermediate(self, name: str, *, path_length: int | None = 0, **options: object) -> Authority:
        key = a_key(name, kind_of(self.key))
        certificate = self.issue(
            a_name(name), key.public_key(), "ca", ca=True, path_length=path_length, **options  # type: ignore[arg-type]
        )  # fmt: skip
        return Authority(certificate, key)

    def responder(self, name: str = "Test OCSP", **options: object) -> Issued:
        key = a_key(name, kind_of(self.key))
        options = {"extended": ExtendedKeyUsageOID.OCSP_SIGNING, **options}
        return Issued(self.issue(a_name(name), key.public_key(), "responder", **options), key)  # type: ignore[arg-type]

    def tsa(self, name: str = "Test TSA", **options: object) -> Issued:
        key = a_key(name, kind_of(self.key))
        options = {"extended": ExtendedKeyUsageOID.TIME_STAMPING, **options}
        return Issued(self.issue(a_name(name), key.public_key(), "responder", **options), key)  # type: ignore[arg-type]

    def signer(self, member: MemberId, server_code: str = "SS1", **options: object) -> Issued:
        server = SecurityServerId(member, server_code)
        key = a_key(f"sign {member}", kind_of(self.key))
        subject = sign_subject(FIVRK, server, member, f"Organisation {member.member_code}")
        return Issued(self.issue(subject, key.public_key(), "sign", **options), key)  # type: ignore[arg-type]

    def server(self, server: SecurityServerId, dns: str = "ss1.example.org", **options: object) -> Issued:
        key = a_key(f"auth {server}", kind_of(self.key))
        subject = auth_subject(FIVRK, server, f"Organisation {server.owner.member_code}", dns)
        return Issued(self.issue(subject, key.public_key(), "auth", **options), key)  # type: ignore[arg-type]


def kind_of(key: PrivateKey) -> str:
    return RSA if isinstance(key, rsa.RSAPrivateKey) else EC


def a_root(name: str = "Test Root CA", kind: str = EC) -> Authority:
    """A self-signed CA."""
    key = a_key(name, kind)
    return Authority(_self_signed(a_name(name), key), key)


def _self_signed(name: x509.Name, key: PrivateKey) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(next(_serials))
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage("ca"), critical=True)
        .sign(key, hashes.SHA256())
    )


@dataclass(frozen=True)
class Hierarchy:
    """A root with an issuing CA below it, a responder and a TSA."""

    root: Authority
    issuing: Authority
    responder: Issued
    tsa: Issued

    def status_of(self, certificate: x509.Certificate, issuer: Authority | None = None, **options: object) -> bytes:
        """An OCSP response about `certificate`, good unless told otherwise."""
        return an_ocsp_response(certificate, (issuer or self.root).certificate, self.responder, **options)  # type: ignore[arg-type]

    def timestamp(self, imprint: Digest, at: datetime = NOON, **options: object) -> bytes:
        """A time-stamp token over `imprint`."""
        return a_token(imprint, self.tsa, at=at, **options)  # type: ignore[arg-type]


def a_hierarchy(kind: str = EC) -> Hierarchy:
    """The same hierarchy for a whole session, of EC or RSA keys."""
    return _hierarchy(kind)


@lru_cache(maxsize=2)
def _hierarchy(kind: str) -> Hierarchy:
    root = a_root(f"Test Root CA {kind}", kind)
    return Hierarchy(root, root.intermediate(f"Test Issuing CA {kind}"), root.responder(), root.tsa())


def a_member(code: str = "1001", member_class: str = "GOV", instance: str = "TEST") -> MemberId:
    return MemberId(instance, member_class, code)


def an_ocsp_response(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    responder: Issued,
    *,
    status: ocsp.Status = ocsp.Status.GOOD,
    this_update: datetime = NOON - timedelta(minutes=5),
    next_update: datetime | None = None,
    enclosed: Sequence[x509.Certificate] | None = None,
    more: Sequence[ocsp.Answer] = (),
    by_key: bool = False,
    algorithm: DigestAlgorithm = DigestAlgorithm.SHA1,
) -> bytes:
    answer = ocsp.Answer(ocsp.cert_id(certificate, issuer, algorithm), status, this_update, next_update)
    return ocsp.build_response(
        [answer, *more],
        key=responder.key,
        responder=responder.certificate,
        produced_at=this_update,
        enclosed=[responder.certificate] if enclosed is None else enclosed,
        by_key=by_key,
    )


def a_token(
    imprint: Digest,
    tsa: Issued,
    *,
    at: datetime = NOON,
    nonce: int | None = None,
    certificate_wanted: bool = False,
    digest: DigestAlgorithm = DigestAlgorithm.SHA512,
) -> bytes:
    request = tsp.TimestampRequest(imprint, nonce=nonce, certificate_wanted=certificate_wanted)
    response = tsp.build_response(
        request, key=tsa.key, certificate=tsa.certificate, at=at, serial_number=7, policy=POLICY, digest=digest
    )
    return tsp.parse_response(response)
