"""Tokens, keys, certificate requests and certificates (X-Road TokensApiController.java, KeysApiController.java).

The software token is "0". Status codes are those the reference ships, not those of its OpenAPI file:
`keys-with-csrs` and `csrs/{id}` answer 200, `register` 204.
"""

from __future__ import annotations

import asyncio
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.faults import api_errors
from gateway.admin.ids import client_id, show_client_id
from gateway.runtime.admin_api import bad_request, conflict, not_found
from gateway.runtime.certificate_details import certificate_details
from gateway.signer.certificates import SubjectFacts
from gateway.signer.model import (
    SOFTWARE_TOKEN,
    CertificateRecord,
    CertificateRequest,
    CertificateStatus,
    KeyAlgorithm,
    KeyFacts,
    KeyUsage,
    TokenFacts,
)
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import MemberId
from gateway.xroad.pki.certificates import load_certificate


class TokenPassword(BaseModel):
    """Body of PUT /tokens/{id}/login."""

    password: str


class TokenPinUpdate(BaseModel):
    """Body of PUT /tokens/{id}/pin."""

    old_pin: str
    new_pin: str


class TokenName(BaseModel):
    """Body of PATCH /tokens/{id} and /keys/{id}."""

    name: str = Field(min_length=1, max_length=255)


class KeyLabel(BaseModel):
    """Body of POST /tokens/{id}/keys."""

    label: str | None = None
    key_algorithm: KeyAlgorithm | None = None


class CsrGenerate(BaseModel):
    """What a certificate request is for."""

    key_usage_type: KeyUsage
    ca_name: str
    csr_format: str = "DER"
    member_id: str | None = None
    subject_field_values: dict[str, str] = {}


class KeyLabelWithCsrGenerate(BaseModel):
    """Body of POST /tokens/{id}/keys-with-csrs."""

    key_label: str = ""
    key_algorithm: KeyAlgorithm | None = None
    csr_generate_request: CsrGenerate


class SecurityServerAddress(BaseModel):
    """Body of PUT /token-certificates/{hash}/register."""

    address: str


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


def tokens_router(deps: AdminDeps) -> APIRouter:
    """Return the routes of tokens."""
    router = APIRouter()

    def token(token_id: str) -> TokenFacts:
        found = next((one for one in deps.keyring.tokens() if one.id == token_id), None)
        if found is None:
            raise not_found("token_not_found", token_id)
        return found

    @router.get("/tokens", dependencies=roles.VIEW)
    def list_tokens() -> list[dict[str, Any]]:
        return [show_token(one, deps) for one in deps.keyring.tokens()]

    @router.get("/tokens/{id}", dependencies=roles.VIEW)
    def get_token(id: str) -> dict[str, Any]:
        return show_token(token(id), deps)

    @router.patch("/tokens/{id}", dependencies=roles.KEEP_KEYS)
    def rename_token(id: str, body: TokenName) -> dict[str, Any]:
        token(id)
        deps.keyring.set_token_label(body.name)
        return show_token(token(id), deps)

    @router.put("/tokens/{id}/login", dependencies=roles.KEEP_TRUST)
    async def login(id: str, body: TokenPassword) -> dict[str, Any]:
        token(id)
        with api_errors():
            await asyncio.to_thread(deps.keyring.login, body.password)
        await deps.after_change()
        await deps.refresh_status()
        return show_token(token(id), deps)

    @router.put("/tokens/{id}/logout", dependencies=roles.KEEP_TRUST)
    async def logout(id: str) -> dict[str, Any]:
        token(id)
        deps.keyring.logout()
        await deps.after_change()
        return show_token(token(id), deps)

    @router.put("/tokens/{id}/pin", status_code=204, dependencies=roles.ADMINISTER)
    def change_pin(id: str, body: TokenPinUpdate) -> None:
        token(id)
        with api_errors():
            deps.keyring.change_pin(body.old_pin, body.new_pin)

    @router.post("/tokens/{id}/keys", status_code=201, dependencies=roles.KEEP_KEYS)
    def add_key(id: str, body: KeyLabel) -> dict[str, Any]:
        token(id)
        with api_errors():
            key = deps.keyring.generate_key(body.label or "", algorithm=body.key_algorithm)
        return find_key(deps, key.id)

    @router.post("/tokens/{id}/keys-with-csrs", dependencies=roles.KEEP_KEYS)
    def add_key_with_request(id: str, body: KeyLabelWithCsrGenerate) -> dict[str, Any]:
        token(id)
        asked = body.csr_generate_request
        subject, member = _request_facts(deps, asked)
        with api_errors():
            key = deps.keyring.generate_key(body.key_label, algorithm=body.key_algorithm)
            request = deps.keyring.request_certificate(key.id, asked.key_usage_type, subject, member)
        return {"key": find_key(deps, key.id), "csr_id": request.id}

    return router


def find_key(deps: AdminDeps, key_id: str) -> dict[str, Any]:
    """Return a key as the API shows it. Raises ApiError (404)."""
    for token in deps.keyring.tokens():
        for facts in token.keys:
            if facts.key.id == key_id:
                return show_key(facts, deps)
    raise not_found("key_not_found", key_id)


def keys_router(deps: AdminDeps) -> APIRouter:
    """Return the routes of keys and certificate requests."""
    router = APIRouter()

    @router.get("/keys/{id}", dependencies=roles.VIEW)
    def get_key(id: str) -> dict[str, Any]:
        return find_key(deps, id)

    @router.patch("/keys/{id}", dependencies=roles.KEEP_KEYS)
    def rename_key(id: str, body: TokenName) -> dict[str, Any]:
        with api_errors():
            deps.keyring.set_key_label(id, body.name)
        return find_key(deps, id)

    @router.delete("/keys/{id}", status_code=204, dependencies=roles.KEEP_KEYS)
    async def delete_key(id: str) -> None:
        with api_errors():
            deps.keyring.delete_key(id)
        await deps.after_change()

    @router.post("/keys/{id}/csrs", status_code=201, dependencies=roles.KEEP_KEYS)
    def add_request(id: str, body: CsrGenerate) -> Response:
        subject, member = _request_facts(deps, body)
        with api_errors():
            request = deps.keyring.request_certificate(id, body.key_usage_type, subject, member)
        return _csr(request.der, body.csr_format)

    @router.get("/keys/{id}/csrs/{csr_id}", dependencies=roles.KEEP_KEYS)
    def get_request(id: str, csr_id: str, csr_format: str = "DER") -> Response:
        with api_errors():
            request = deps.keyring.find_request(csr_id)
        if request.key != id:
            raise not_found("csr_not_found", csr_id)
        return _csr(request.der, csr_format)

    @router.delete("/keys/{id}/csrs/{csr_id}", status_code=204, dependencies=roles.KEEP_KEYS)
    def delete_request(id: str, csr_id: str) -> None:
        with api_errors():
            if deps.keyring.find_request(csr_id).key != id:
                raise not_found("csr_not_found", csr_id)
            deps.keyring.delete_request(csr_id)

    return router


def certificates_router(deps: AdminDeps) -> APIRouter:
    """Return the routes of certificates."""
    router = APIRouter()

    def existing(hash: str) -> CertificateRecord:
        with api_errors():
            return deps.keyring.find_certificate(hash.lower())

    async def changed(hash: str) -> None:
        await deps.after_change()
        await deps.refresh_status()

    @router.post("/token-certificates", status_code=201, dependencies=roles.KEEP_KEYS)
    async def import_certificate(request: Request) -> dict[str, Any]:
        data, globalconf = await request.body(), _globalconf(deps)
        with api_errors():
            record = deps.keyring.import_certificate(data, globalconf, deps.clock.now(), activate=False)
            if record.member is not None:
                # The reference activates signing certificates as they are imported.
                record = deps.keyring.set_active(record.hash, True)
        await changed(record.hash)
        return show_certificate(existing(record.hash), deps)

    @router.get("/token-certificates/{hash}", dependencies=roles.VIEW)
    def get_certificate(hash: str) -> dict[str, Any]:
        return show_certificate(existing(hash), deps)

    @router.put("/token-certificates/{hash}/activate", status_code=204, dependencies=roles.KEEP_KEYS)
    async def activate(hash: str) -> None:
        deps.keyring.set_active(existing(hash).hash, True)
        await changed(hash)

    @router.put("/token-certificates/{hash}/disable", status_code=204, dependencies=roles.KEEP_KEYS)
    async def disable(hash: str) -> None:
        deps.keyring.set_active(existing(hash).hash, False)
        await changed(hash)

    @router.put("/token-certificates/{hash}/register", status_code=204, dependencies=roles.SECURE)
    async def register(hash: str, body: SecurityServerAddress) -> None:
        # The request to the central services is made by their own API for now; this notes that it is under way.
        record = existing(hash)
        if not body.address.strip():
            raise bad_request("invalid_address_char", body.address)
        with api_errors():
            deps.keyring.set_status(record.hash, CertificateStatus.REGISTRATION_IN_PROGRESS)
        await changed(hash)

    @router.delete("/token-certificates/{hash}", status_code=204, dependencies=roles.KEEP_KEYS)
    async def delete(hash: str) -> None:
        with api_errors():
            deps.keyring.delete_certificate(existing(hash).hash)
        await deps.after_change()

    return router


def _globalconf(deps: AdminDeps) -> GlobalConf:
    with api_errors():
        return deps.configuration_provider.current()


def _request_facts(deps: AdminDeps, asked: CsrGenerate) -> tuple[SubjectFacts, MemberId | None]:
    conf, globalconf = deps.registrations.current(), _globalconf(deps)
    if conf.server is None:
        raise conflict("server_conf_not_initialized")
    authority = next((a for a in globalconf.authorities(globalconf.instance) if a.name == asked.ca_name), None)
    if authority is None:
        raise bad_request("certificate_authority_not_found", asked.ca_name)
    member: MemberId | None = None
    if asked.key_usage_type is KeyUsage.SIGNING:
        if asked.member_id is None:
            raise bad_request("validation_failure", "member_id")
        member = client_id(asked.member_id).member
    values = asked.subject_field_values
    organisation = values.get("O") or globalconf.member_name(member or conf.server.owner) or ""
    host = values.get("subjectAltName") or (values.get("CN") if member is None else None)
    return SubjectFacts(authority.profile, conf.server, organisation, host), member


def _csr(der: bytes, csr_format: str) -> Response:
    if csr_format.upper() == "DER":
        return Response(der, media_type="application/octet-stream")
    pem = x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)
    return Response(pem, media_type="application/octet-stream")


__all__ = ["SOFTWARE_TOKEN", "certificates_router", "keys_router", "tokens_router"]
