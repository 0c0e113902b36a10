"""Certification and time-stamping authorities with their certificates loaded (X-Road SharedParametersCache.java)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509

from gateway.xroad.faults import MalformedMessage, SignatureRefused
from gateway.xroad.globalconf.shared_parameters import ApprovedCa, CaInfo, SharedParameters
from gateway.xroad.pki.certificates import load_certificate


@dataclass(frozen=True, slots=True)
class OcspService:
    """Where the status of a CA's certificates is asked, and who may sign the answer besides the CA."""

    url: str
    certificate: x509.Certificate | None = None
    cost_type: str | None = None


@dataclass(frozen=True, slots=True)
class CertificationAuthority:
    """One approved CA certificate, top or intermediate.

    `authentication_only` CAs issue TLS certificates and prove no signature.
    """

    instance: str
    name: str
    certificate: x509.Certificate
    profile: str
    is_top: bool
    authentication_only: bool = False
    ocsp_responders: tuple[OcspService, ...] = ()

    @property
    def subject(self) -> x509.Name:
        """The name that certificates issued by this CA carry as issuer."""
        return self.certificate.subject

    @property
    def ocsp_certificates(self) -> tuple[x509.Certificate, ...]:
        """The certificates of its responders that have one of their own."""
        return tuple(service.certificate for service in self.ocsp_responders if service.certificate is not None)


@dataclass(frozen=True, slots=True)
class TimestampingAuthority:
    """One approved TSA."""

    instance: str
    name: str
    url: str
    certificate: x509.Certificate
    cost_type: str | None = None


def authorities_of(parameters: SharedParameters) -> tuple[CertificationAuthority, ...]:
    """Return the CAs of one instance in the order of its configuration; MalformedMessage if one cannot be read."""
    return tuple(authority for ca in parameters.approved_cas for authority in _of_service(parameters.instance, ca))


def _of_service(instance: str, ca: ApprovedCa) -> Iterator[CertificationAuthority]:
    for info in (ca.top, *ca.intermediates):
        yield CertificationAuthority(
            instance=instance,
            name=ca.name,
            certificate=_load(info.certificate_der, instance, ca.name),
            profile=ca.profile,
            is_top=info is ca.top,
            authentication_only=ca.authentication_only,
            ocsp_responders=_responders(info, instance, ca.name),
        )


def _responders(info: CaInfo, instance: str, name: str) -> tuple[OcspService, ...]:
    return tuple(
        OcspService(
            responder.url,
            None if responder.certificate_der is None else _load(responder.certificate_der, instance, name),
            responder.cost_type,
        )
        for responder in info.ocsp_responders
    )


def tsas_of(parameters: SharedParameters) -> tuple[TimestampingAuthority, ...]:
    """Return the TSAs of one instance in the order of its configuration."""
    instance = parameters.instance
    return tuple(
        TimestampingAuthority(
            instance, tsa.name, tsa.url, _load(tsa.certificate_der, instance, tsa.name), tsa.cost_type
        )
        for tsa in parameters.approved_tsas
    )


def _load(der: bytes, instance: str, name: str) -> x509.Certificate:
    try:
        return load_certificate(der)
    except SignatureRefused as cause:
        raise MalformedMessage(
            "malformed_global_conf", "globalconf.bad_certificate", instance=instance, name=name
        ) from cause
