"""Routes over API keys and "who am I", the same in both admin APIs (X-Road ApiKeysController.java).

Creating answers 200, not 201, as the reference does. Keys are managed with a key that may do so; the
reference's HTTP Basic login of Unix users is left out. Ours is the parameter `scope`, and in answers the
scope of a key that has one, and the user whom a key belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from fastapi import APIRouter, Body, Request, Response
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from gateway.runtime.accounts import api_keys, store, store_users
from gateway.runtime.accounts.model import EVERYTHING, ApiKey, Grant
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


# Returns the grant of a role within a scope, or raises ValueError saying why there is none.
CheckGrant = Callable[[str, str], Grant]


def accounts_router(
    database: Database,
    clock: Clock,
    *,
    roles: Collection[str],
    managed_by: str,
    check_grant: CheckGrant | None = None,
) -> APIRouter:
    """Return `/api-keys` and `/user`; `roles` may be granted, and `managed_by` is the role that grants them.

    Without `check_grant` every key is for everything.
    """
    router = APIRouter()
    may_manage = [requires(managed_by)]

    def checked(wanted: list[str], scope: str) -> tuple[list[str], str]:
        unknown = [role for role in wanted if role not in roles]
        if unknown or not wanted:
            raise bad_request("invalid_role", *unknown)
        if check_grant is None:
            if scope != EVERYTHING:
                raise bad_request("invalid_scope", scope)
            return wanted, scope
        try:
            return wanted, {check_grant(role, scope).scope for role in wanted}.pop()
        except ValueError as cause:
            raise bad_request("invalid_scope", str(cause)) from cause

    @router.post("/api-keys", dependencies=may_manage)
    def create(wanted: list[str] = Body(), scope: str = EVERYTHING) -> dict[str, Any]:  # noqa: B008  FastAPI's way
        granted, within = checked(wanted, scope)
        with database.transaction() as tx:
            key, secret = api_keys.create(tx, granted, clock.now(), scope=within)
        return {**_shown(key), "key": secret}

    @router.get("/api-keys", dependencies=may_manage)
    def list_all() -> list[dict[str, Any]]:
        with database.reading() as tx:
            return [_with_user(tx, key) for key in store.api_keys(tx)]

    @router.get("/api-keys/{key_id}", dependencies=may_manage)
    def get(key_id: int) -> dict[str, Any]:
        with database.reading() as tx:
            return _with_user(tx, _required(store.find_api_key(tx, key_id), key_id))

    @router.put("/api-keys/{key_id}", dependencies=may_manage)
    def update(key_id: int, wanted: list[str] = Body(), scope: str | None = None) -> dict[str, Any]:  # noqa: B008
        with database.transaction() as tx:
            key = _required(store.find_api_key(tx, key_id), key_id)
            if key.user_id is not None:
                raise bad_request("api_key_of_user", key_id)
            granted, within = checked(wanted, key.scope if scope is None else scope)
            store.set_roles(tx, key_id, granted)
            store.set_scope(tx, key_id, within)
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
    return {"id": key.id, "roles": list(key.roles), **({} if key.scope == EVERYTHING else {"scope": key.scope})}


def _with_user(tx: Connection, key: ApiKey) -> dict[str, Any]:
    user = None if key.user_id is None else store_users.find_user_by_id(tx, key.user_id)
    if user is None:
        return _shown(key)
    grants = sorted(user.grants, key=lambda grant: (grant.role, grant.scope))
    roles = list(dict.fromkeys(grant.role for grant in grants))
    return {
        "id": key.id,
        "roles": roles,
        "user": user.name,
        "grants": [{"role": grant.role, "scope": grant.scope} for grant in grants],
    }


def _required(key: ApiKey | None, key_id: int) -> ApiKey:
    if key is None:
        raise not_found("api_key_not_found", key_id)
    return key
