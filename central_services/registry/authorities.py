"""Rules of approved authorities: what certificates, profiles and addresses they may have.

A profile nobody knows is refused here, loudly, rather than at the security servers; an address that
is not an absolute http(s) URL likewise.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection

from central_services.registry import store_authorities as authorities
from central_services.registry.errors import Invalid, NotFound
from central_services.registry.model import (
    CaSettings,
    CertificationService,
    CostType,
    IntermediateCa,
    OcspResponder,
    TimestampingService,
)
from gateway.xroad.pki.profiles import is_known_profile


def read_certificate(data: bytes) -> x509.Certificate:
    """Read a certificate as people upload it: DER or PEM."""
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError as cause:
        raise Invalid("invalid_certificate") from cause


def der_of(certificate: x509.Certificate) -> bytes:
    """Return the DER form of a certificate."""
    return certificate.public_bytes(Encoding.DER)


def name_of(certificate: x509.Certificate) -> str:
    """Return the common name of the subject, else the whole subject."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def check_url(url: str) -> str:
    """Return `url` if a security server could call it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Invalid("invalid_url", url)
    return url


def check_profile(profile: str) -> str:
    """Return `profile` if its rules are known."""
    if not is_known_profile(profile):
        raise Invalid("certificate_profile_info_class_not_found", profile)
    return profile


def add_certification_service(tx: Connection, certificate: bytes, settings: CaSettings) -> CertificationService:
    """Approve a certification authority; its name is the subject of its certificate."""
    check_profile(settings.profile)
    read = read_certificate(certificate)
    row_id = authorities.add_certification_service(tx, name_of(read), der_of(read), settings)
    return require_certification_service(tx, row_id)


def update_certification_service(tx: Connection, row_id: int, settings: CaSettings) -> CertificationService:
    """Change what is said about an approved authority."""
    require_certification_service(tx, row_id)
    check_profile(settings.profile)
    authorities.update_certification_service(tx, row_id, settings)
    return require_certification_service(tx, row_id)


def require_certification_service(tx: Connection, row_id: int) -> CertificationService:
    """Return an approved authority or refuse."""
    found = authorities.find_certification_service(tx, row_id)
    if found is None:
        raise NotFound("certification_service_not_found", row_id)
    return found


def delete_certification_service(tx: Connection, row_id: int) -> None:
    """Withdraw the approval of an authority."""
    require_certification_service(tx, row_id)
    authorities.delete_certification_service(tx, row_id)


def add_intermediate_ca(tx: Connection, certification_service_id: int, certificate: bytes) -> IntermediateCa:
    """Add an authority below an approved one."""
    require_certification_service(tx, certification_service_id)
    row_id = authorities.add_intermediate_ca(tx, certification_service_id, der_of(read_certificate(certificate)))
    return require_intermediate_ca(tx, row_id)


def require_intermediate_ca(tx: Connection, row_id: int) -> IntermediateCa:
    """Return an intermediate authority or refuse."""
    found = authorities.find_intermediate_ca(tx, row_id)
    if found is None:
        raise NotFound("intermediate_ca_not_found", row_id)
    return found


def delete_intermediate_ca(tx: Connection, row_id: int) -> None:
    """Remove an intermediate authority."""
    require_intermediate_ca(tx, row_id)
    authorities.delete_intermediate_ca(tx, row_id)


def add_ocsp_responder(
    tx: Connection,
    url: str,
    certificate: bytes | None,
    cost_type: CostType,
    *,
    certification_service_id: int | None = None,
    intermediate_ca_id: int | None = None,
) -> OcspResponder:
    """Add a responder to an authority; its certificate is only needed when it answers under a foreign one."""
    if certification_service_id is not None:
        require_certification_service(tx, certification_service_id)
    if intermediate_ca_id is not None:
        require_intermediate_ca(tx, intermediate_ca_id)
    row_id = authorities.add_ocsp_responder(
        tx,
        check_url(url),
        None if certificate is None else der_of(read_certificate(certificate)),
        cost_type,
        certification_service_id=certification_service_id,
        intermediate_ca_id=intermediate_ca_id,
    )
    return require_ocsp_responder(tx, row_id)


def require_ocsp_responder(tx: Connection, row_id: int) -> OcspResponder:
    """Return a responder or refuse."""
    found = authorities.find_ocsp_responder(tx, row_id)
    if found is None:
        raise NotFound("ocsp_responder_not_found", row_id)
    return found


def update_ocsp_responder(
    tx: Connection, row_id: int, url: str | None, certificate: bytes | None, cost_type: CostType | None
) -> OcspResponder:
    """Change a responder; what is None stays."""
    old = require_ocsp_responder(tx, row_id)
    item = OcspResponder(
        row_id,
        old.url if url is None else check_url(url),
        old.certificate_der if certificate is None else der_of(read_certificate(certificate)),
        cost_type or old.cost_type,
    )
    authorities.update_ocsp_responder(tx, item)
    return item


def delete_ocsp_responder(tx: Connection, row_id: int) -> None:
    """Remove a responder."""
    require_ocsp_responder(tx, row_id)
    authorities.delete_ocsp_responder(tx, row_id)


def add_timestamping_service(tx: Connection, url: str, certificate: bytes, cost_type: CostType) -> TimestampingService:
    """Approve a time-stamping authority; its name is the subject of its certificate."""
    read = read_certificate(certificate)
    item = TimestampingService(0, name_of(read), check_url(url), der_of(read), cost_type)
    if any(other.url == url for other in authorities.timestamping_services(tx)):
        raise Invalid("duplicate_entry", url)
    return require_timestamping_service(tx, authorities.add_timestamping_service(tx, item))


def require_timestamping_service(tx: Connection, row_id: int) -> TimestampingService:
    """Return a time-stamping authority or refuse."""
    found = authorities.find_timestamping_service(tx, row_id)
    if found is None:
        raise NotFound("timestamping_authority_not_found", row_id)
    return found


def update_timestamping_service(
    tx: Connection, row_id: int, url: str | None, certificate: bytes | None, cost_type: CostType | None
) -> TimestampingService:
    """Change an authority; what is None stays."""
    old = require_timestamping_service(tx, row_id)
    read = read_certificate(certificate if certificate is not None else old.certificate_der)
    item = TimestampingService(
        row_id,
        name_of(read),
        old.url if url is None else check_url(url),
        der_of(read),
        cost_type or old.cost_type,
    )
    authorities.update_timestamping_service(tx, item)
    return item


def delete_timestamping_service(tx: Connection, row_id: int) -> None:
    """Withdraw the approval of a time-stamping authority."""
    require_timestamping_service(tx, row_id)
    authorities.delete_timestamping_service(tx, row_id)


def issuer_among_approved(tx: Connection, certificate: x509.Certificate) -> x509.Certificate | None:
    """Return the approved or intermediate authority that issued `certificate`, by name and by signature."""
    for service in authorities.certification_services(tx):
        for der in (service.certificate_der, *(item.certificate_der for item in service.intermediate_cas)):
            authority = x509.load_der_x509_certificate(der)
            try:
                certificate.verify_directly_issued_by(authority)
            except Exception:  # noqa: S112  any mismatch, whatever its kind, means another issuer
                continue
            return authority
    return None
