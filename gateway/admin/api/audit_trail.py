"""The audit log over the API: newest first, for security officers and for auditors of everything."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.runtime.accounts.model import EVERYTHING
from gateway.runtime.admin_api import ApiError, principal_of
from gateway.runtime.audit.model import Deed, TrailUnavailable
from gateway.runtime.audit.requests import UNAVAILABLE

MAX_EVENTS: Final = 1000
VIEWED: Final = "View audit log"


def audit_trail_router(deps: AdminDeps) -> APIRouter:
    """Return `/audit-trail`."""
    router = APIRouter()

    @router.get("/audit-trail")
    def events(
        request: Request,
        before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_EVENTS)] = 100,
    ) -> dict[str, Any]:
        caller = principal_of(request)
        if not any(EVERYTHING in caller.scopes_of(role) for role in roles.READ_AUDIT_LOG):
            raise ApiError(403, "forbidden")
        data = {"before": before, "limit": limit}
        try:
            deps.trail.write(Deed(VIEWED, caller.name, auth="ApiKey", url=request.url.path, data=data))
        except TrailUnavailable as cause:
            raise ApiError(500, UNAVAILABLE, f"nothing is shown, because it cannot be recorded: {cause}") from cause
        found = deps.trail.read(before=before, limit=limit)
        return {"events": found, "next_before": found[-1]["n"] if len(found) == limit and found[-1]["n"] > 1 else None}

    return router
