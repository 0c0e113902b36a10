"""The auditor's console as a part of a web console: of a security server, or of a program over archives alone."""

from __future__ import annotations

from gateway.auditing.console.archives import ListFiles, archives_router
from gateway.auditing.console.checks import LogChecks
from gateway.auditing.console.completeness import completeness_router
from gateway.auditing.console.exchange import exchange_router
from gateway.auditing.console.exports import exports_router
from gateway.auditing.console.guide import guide_router
from gateway.auditing.console.reveals import Reveals
from gateway.auditing.console.sample import sample_router
from gateway.auditing.console.search import search_router
from gateway.auditing.console.status import status_router
from gateway.auditing.deps import AuditDeps
from gateway.auditing.model import AUDITOR
from gateway.runtime.console.app import ConsolePart
from gateway.runtime.console.pages import NavItem

PREFIX = "/audit"
_PACKAGE = "gateway.auditing.console"


def audit_pages(deps: AuditDeps, archives: ListFiles | None = None, *, unreadable: int = 0) -> ConsolePart:
    """Return the pages under /audit; whoever has the role sees what the scopes of it cover.

    `archives` lists the archive files of the source; `unreadable` is how many of them cannot be searched.
    """
    router = status_router(deps, unreadable)
    router.include_router(exchange_router(deps, Reveals()))
    router.include_router(completeness_router(deps, LogChecks()))
    router.include_router(archives_router(deps, archives))
    for part in (search_router, exports_router, sample_router, guide_router):
        router.include_router(part(deps))
    return ConsolePart(PREFIX, router, _PACKAGE, roles=(AUDITOR,), navigation=_navigation(deps, archives))


def _navigation(deps: AuditDeps, archives: ListFiles | None) -> tuple[NavItem, ...]:
    wanted = ["status", "search"]
    if deps.exports is not None:
        wanted.append("exports")
    if deps.ledger is not None:
        wanted.append("completeness")
    if archives is not None:
        wanted.append("archives")
    wanted.append("help")
    return tuple(
        NavItem(PREFIX if name == "status" else f"{PREFIX}/{name}", f"audit.nav.{name}", (AUDITOR,)) for name in wanted
    )
