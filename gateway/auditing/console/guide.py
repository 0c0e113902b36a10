"""The help page: the terms, and how evidence works in plain words."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.auditing.console.desks import AuditRoute
from gateway.auditing.deps import AuditDeps
from gateway.runtime.console.pages import page

# In the order in which they explain each other.
TERMS: Final = (
    "exchange", "client", "service", "server", "message_log", "entry", "signature", "certificate_status", "timestamp",
    "container", "verdict", "refusal", "query_id", "case_number", "purpose", "ledger", "checkpoint", "archive",
    "global_configuration",
)  # fmt: skip


def guide_router(deps: AuditDeps) -> APIRouter:
    """Return the route of the help page."""
    router = APIRouter(route_class=AuditRoute)

    @router.get("/help")
    def guide(request: Request) -> Response:
        return page(request, "audit/help.html", terms=TERMS, has_ledger=deps.ledger is not None)

    return router
