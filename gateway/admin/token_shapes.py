"""Tokens, keys, certificate requests and certificates as the admin API shows them (X-Road TokenConverter.java)."""

from __future__ import annotations

from typing import Any

from gateway.admin.deps import AdminDeps
from gateway.admin.ids import show_client_id
from gateway.runtime.certificate_details import certificate_details
from gateway.signer.model import CertificateRecord, CertificateRequest, KeyFacts, TokenFacts
from gateway.xroad.pki.certificates import load_certificate


def show_token(token: TokenFacts, deps: AdminDeps) -> dict[str, Any]:
    """Return a token as the API shows it."""
    return {
        "id": token.id,
        "name": token.label,
        "type": "SOFTWARE",
        "keys": [show_key(key, deps) for key in token.keys],
        "status": "OK" if token.initialised else "NOT_INITIALIZED",
        "logged_in": token.logged_in,
        "available": True,
        "saved_to_configuration": True,
        "read_only": False,
        "possible_actions": ["LOGOUT", "GENERATE_KEY"] if token.logged_in else ["LOGIN"],
    }


def show_key(facts: KeyFacts, deps: AdminDeps) -> dict[str, Any]:
    """Return a key as the API shows it."""
    shown = {
        "id": facts.key.id,
        "name": facts.key.label,
        "label": facts.key.label,
        "certificates": [show_certificate(record, deps) for record in facts.certificates],
        "certificate_signing_requests": [show_request(request) for request in facts.requests],
        "available": facts.available,
        "saved_to_configuration": True,
        "key_algorithm": facts.key.algorithm.value,
    }
    if facts.key.usage is not None:
        shown["usage"] = facts.key.usage.value
    return shown


def show_request(request: CertificateRequest) -> dict[str, Any]:
    """Return a certificate request as the API shows it."""
    owner = "" if request.member is None else show_client_id(request.member)
    return {"id": request.id, "owner_id": owner, "certificate_profile": request.profile, "possible_actions": ["DELETE"]}


def show_certificate(record: CertificateRecord, deps: AdminDeps) -> dict[str, Any]:
    """Return a certificate as the API shows it."""
    return {
        "ocsp_status": _ocsp_status(record, deps),
        "owner_id": "" if record.member is None else show_client_id(record.member),
        "active": record.active,
        "saved_to_configuration": True,
        "certificate_details": certificate_details(record.der),
        "status": record.status.name,
    }


def _ocsp_status(record: CertificateRecord, deps: AdminDeps) -> str:
    if not record.active:
        return "DISABLED"
    globalconf, at = deps.find_globalconf(), deps.clock.now()
    certificate = load_certificate(record.der)
    issuer = globalconf.issuer_of(certificate) if globalconf is not None else None
    if certificate.not_valid_after_utc < at:
        return "EXPIRED"
    if globalconf is None or issuer is None or deps.ocsp.find(certificate, issuer.certificate, globalconf, at) is None:
        return "OCSP_RESPONSE_UNKNOWN"
    return "OCSP_RESPONSE_GOOD"
