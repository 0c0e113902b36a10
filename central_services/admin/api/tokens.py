"""/tokens and signing keys: the PIN, and which key signs the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from cryptography import x509
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from central_services.admin import roles
from central_services.admin.central import Central
from central_services.configuration_source import anchors, signing_keys, store
from central_services.configuration_source.model import SigningKey, SourceType
from central_services.configuration_source.software_token import TOKEN_ID, TokenError
from central_services.registry import store as registry_store
from central_services.registry.errors import Invalid
from gateway.runtime.admin_api import ApiError, api_time, bad_request, not_found, requires

T = TypeVar("T")


class TokenPassword(BaseModel):
    """Body of PUT /tokens/{id}/login."""

    password: str = Field(default="", max_length=255)


class ConfigurationSigningKeyAdd(BaseModel):
    """Body of POST …/signing-keys; automation writes the token's id as a number too."""

    key_label: str = Field(default="", max_length=255)
    token_id: str | int = TOKEN_ID


def source_of(configuration_type: str) -> SourceType:
    """Read INTERNAL or EXTERNAL."""
    try:
        return SourceType[configuration_type.upper()]
    except KeyError:
        raise bad_request("invalid_parameters", configuration_type) from None


def shown_key(central: Central, key: SigningKey) -> dict[str, Any]:
    """Return a ConfigurationSigningKey."""
    certificate = x509.load_der_x509_certificate(key.certificate_der)
    identifier = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest.hex().upper()
    possible = [] if key.active or not central.token.logged_in else ["ACTIVATE", "DELETE"]
    return {
        "id": key.id,
        "label": {"label": key.label},
        "active": key.active,
        "available": central.token.has(key.id),
        "created_at": api_time(key.created_at),
        "key_hash": identifier,
        "token_id": TOKEN_ID,
        "source_type": key.source.name,
        "key_algorithm": key.algorithm,
        "possible_actions": possible,
    }


def router(central: Central) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    keepers = [requires(roles.SYSTEM_ADMINISTRATOR, roles.SECURITY_OFFICER)]
    officer = [requires(roles.SECURITY_OFFICER)]

    def shown(keys: tuple[SigningKey, ...]) -> dict[str, Any]:
        token = central.token
        generating = ["GENERATE_INTERNAL_KEY", "GENERATE_EXTERNAL_KEY"]
        return {
            "id": TOKEN_ID,
            "name": "softToken-0",
            "active": token.logged_in,
            "available": True,
            "logged_in": token.logged_in,
            "status": "OK" if token.initialised else "NOT_INITIALIZED",
            "possible_actions": ["LOGOUT", *generating] if token.logged_in else ["LOGIN"],
            "configuration_signing_keys": [shown_key(central, key) for key in keys],
        }

    async def token() -> dict[str, Any]:
        return shown(await central.read(store.signing_keys))

    @routes.get("/tokens", dependencies=keepers)
    async def tokens() -> list[dict[str, Any]]:
        return [await token()]

    @routes.put("/tokens/{token_id}/login", dependencies=keepers)
    async def login(token_id: str, body: TokenPassword, request: Request) -> dict[str, Any]:
        _known(token_id)
        await asyncio.to_thread(_attempt, lambda: central.token.login(body.password))
        await central.publish(request)
        return await token()

    @routes.put("/tokens/{token_id}/logout", dependencies=keepers)
    async def logout(token_id: str) -> dict[str, Any]:
        _known(token_id)
        central.token.logout()
        return await token()

    @routes.post("/configuration-sources/{configuration_type}/signing-keys", dependencies=officer)
    async def add_key(configuration_type: str, body: ConfigurationSigningKeyAdd, request: Request) -> dict[str, Any]:
        source = source_of(configuration_type)
        _known(str(body.token_id))
        settings = central.settings.configuration
        internal = source is SourceType.INTERNAL
        algorithm = settings.internal_key_algorithm if internal else settings.external_key_algorithm

        def work(tx: Connection) -> SigningKey:
            if not registry_store.read_parameters(tx).instance:
                raise Invalid("instance_identifier_not_set")
            key = signing_keys.add_key(tx, central.token, source, body.key_label, algorithm, central.clock.now())
            anchors.rebuild(tx, source, settings, central.configuration_port(), central.clock.now())
            return key

        key = await central.change(request, lambda tx: _attempt(lambda: work(tx)))
        return shown_key(central, key)

    @routes.put("/signing-keys/{key_id}/activate", dependencies=officer, status_code=204)
    async def activate(key_id: str, request: Request) -> Response:
        await central.change(request, lambda tx: signing_keys.activate_key(tx, central.token, key_id))
        return Response(status_code=204)

    @routes.delete("/signing-keys/{key_id}", dependencies=officer, status_code=204)
    async def delete(key_id: str, request: Request) -> Response:
        def work(tx: Connection) -> None:
            key = signing_keys.delete_key(tx, central.token, key_id)
            settings = central.settings.configuration
            anchors.rebuild(tx, key.source, settings, central.configuration_port(), central.clock.now())

        await central.change(request, work)
        await asyncio.to_thread(central.token.delete, key_id)
        return Response(status_code=204)

    return routes


def _known(token_id: str) -> None:
    if token_id != TOKEN_ID:
        raise not_found("token_not_found")


def _attempt(work: Callable[[], T]) -> T:
    try:
        return work()
    except TokenError as error:
        raise token_refusal(error) from error


def token_refusal(error: TokenError) -> ApiError:
    """Return the refusal for what the token could not do."""
    if error.code == "pin_incorrect":
        return bad_request("token_activation_failed", "pin_incorrect")
    if error.code == "token_not_active":
        return bad_request("token_action_not_possible", "token_not_active")
    return bad_request(error.code, *error.metadata)
