"""Tokens, keys and certificate requests (X-Road TokensApiController.java, KeysApiController.java).

The software token is "0". Status codes are those the reference ships, not those of its OpenAPI file:
`keys-with-csrs` and `csrs/{id}` answer 200.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.faults import api_errors
from gateway.admin.ids import client_id
from gateway.admin.key_rules import check_officer, usable_globalconf
from gateway.admin.token_shapes import show_key, show_token
from gateway.runtime.admin_api import bad_request, conflict, not_found
from gateway.signer.certificates import SubjectFacts
from gateway.signer.model import (
    KeyAlgorithm,
    KeyUsage,
    TokenFacts,
)
from gateway.xroad.identifiers import MemberId

CsrFormat = Literal["DER", "PEM"]


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
    csr_format: CsrFormat = "DER"
    member_id: str | None = None
    subject_field_values: dict[str, str] = {}


class KeyLabelWithCsrGenerate(BaseModel):
    """Body of POST /tokens/{id}/keys-with-csrs."""

    key_label: str = ""
    key_algorithm: KeyAlgorithm | None = None
    csr_generate_request: CsrGenerate


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
    def add_key_with_request(id: str, body: KeyLabelWithCsrGenerate, http: Request) -> dict[str, Any]:
        token(id)
        asked = body.csr_generate_request
        check_officer(http, asked.key_usage_type)
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
    def add_request(id: str, body: CsrGenerate, http: Request) -> Response:
        find_key(deps, id)
        check_officer(http, body.key_usage_type)
        subject, member = _request_facts(deps, body)
        with api_errors():
            request = deps.keyring.request_certificate(id, body.key_usage_type, subject, member)
        return _csr(request.der, body.csr_format, 201)

    @router.get("/keys/{id}/csrs/{csr_id}", dependencies=roles.KEEP_KEYS)
    def get_request(id: str, csr_id: str, csr_format: CsrFormat = "DER") -> Response:
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


def _request_facts(deps: AdminDeps, asked: CsrGenerate) -> tuple[SubjectFacts, MemberId | None]:
    conf, globalconf = deps.registrations.current(), usable_globalconf(deps)
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


def _csr(der: bytes, csr_format: CsrFormat, status: int = 200) -> Response:
    content = der if csr_format == "DER" else x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)
    return Response(content, status, media_type="application/octet-stream")
