"""Routes over API keys and "who am I", the same in both admin APIs (X-Road ApiKeysController.java).

Creating answers 200, not 201, as the reference does. Keys are managed with a key that may do so; the
reference's HTTP Basic login of Unix users is left out.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import APIRouter, Body, Request, Response
from starlette.concurrency import run_in_threadpool

from gateway.runtime.accounts import api_keys, store
from gateway.runtime.accounts.model import ApiKey
from gateway.runtime.admin_api import Authenticate, bad_request, not_found, principal_of, requires
from gateway.runtime.clock import Clock
from gateway.runtime.database import Database


def authenticator(database: Database) -> Authenticate:
    """Return the function that `admin_api.protect` asks for every request."""

    def look_up(secret: str) -> Any:
        with database.reading() as tx:
            return api_keys.authenticate(tx, secret)

    async def authenticate(secret: str) -> Any:
        return await run_in_threadpool(look_up, secret)

    return authenticate


def accounts_router(database: Database, clock: Clock, *, roles: Collection[str], managed_by: str) -> APIRouter:
    """Return `/api-keys` and `/user`; `roles` may be granted, and `managed_by` is the role that grants them."""
    router = APIRouter()
    may_manage = [requires(managed_by)]

    def checked(wanted: list[str]) -> list[str]:
        unknown = [role for role in wanted if role not in roles]
        if unknown or not wanted:
            raise bad_request("invalid_role", *unknown)
        return wanted

    @router.post("/api-keys", dependencies=may_manage)
    def create(wanted: list[str] = Body()) -> dict[str, Any]:  # noqa: B008  FastAPI's way
        with database.transaction() as tx:
            key, secret = api_keys.create(tx, checked(wanted), clock.now())
        return {**_shown(key), "key": secret}

    @router.get("/api-keys", dependencies=may_manage)
    def list_all() -> list[dict[str, Any]]:
        with database.reading() as tx:
            return [_shown(key) for key in store.api_keys(tx)]

    @router.get("/api-keys/{key_id}", dependencies=may_manage)
    def get(key_id: int) -> dict[str, Any]:
        with database.reading() as tx:
            return _shown(_required(store.find_api_key(tx, key_id), key_id))

    @router.put("/api-keys/{key_id}", dependencies=may_manage)
    def update(key_id: int, wanted: list[str] = Body()) -> dict[str, Any]:  # noqa: B008
        with database.transaction() as tx:
            _required(store.find_api_key(tx, key_id), key_id)
            store.set_roles(tx, key_id, checked(wanted))
            return _shown(_required(store.find_api_key(tx, key_id), key_id))

    @router.delete("/api-keys/{key_id}", dependencies=may_manage)
    def delete(key_id: int) -> Response:
        with database.transaction() as tx:
            _required(store.find_api_key(tx, key_id), key_id)
            store.delete_api_key(tx, key_id)
        return Response(status_code=200)

    @router.get("/user")
    async def user(request: Request) -> dict[str, Any]:
        principal = principal_of(request)
        return {"username": principal.name, "roles": sorted(principal.roles), "permissions": []}

    return router


def _shown(key: ApiKey) -> dict[str, Any]:
    return {"id": key.id, "roles": list(key.roles)}


def _required(key: ApiKey | None, key_id: int) -> ApiKey:
    if key is None:
        raise not_found("api_key_not_found", key_id)
    return key
