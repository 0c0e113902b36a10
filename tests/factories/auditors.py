"""Auditors and what they look through: a trail, a desk, and the API behind authentication."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from gateway.auditing.api import audit_router
from gateway.auditing.deps import AuditDeps
from gateway.auditing.desk import Desk, desk_of
from gateway.auditing.exports import Exports, ExportSettings
from gateway.auditing.model import AUDITOR
from gateway.runtime.accounts.model import Grant, Principal
from gateway.runtime.admin_api import API_PREFIX, AdminApiSettings, install_error_handlers, protect
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import FixedClock, SystemClock
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.private_files import write_private
from gateway.runtime.self_signed import ensure_tls_files, server_context
from tests.factories.audit import MemorySource
from tests.factories.pki import NOON


def an_auditor(*scopes: str, name: str = "auditor") -> Principal:
    """Somebody with the role, for these scopes; without any, for everything."""
    grants = frozenset(Grant(AUDITOR, scope) for scope in scopes or ("*",))
    return Principal(name, frozenset({AUDITOR}), grants=grants)


def audit_deps(source: MemorySource, folder: Path, **parts: Any) -> AuditDeps:
    """What looks at a source at noon; the trail lies in `folder`."""
    clock = FixedClock(NOON)
    return AuditDeps(source, Trail(folder, clock), clock, lambda: source.name, **parts)


def deeds(folder: Path) -> list[dict[str, Any]]:
    """What stands in the trail of a folder, oldest first."""
    return Trail(folder, FixedClock(NOON)).read(limit=1000)[::-1]


def a_desk(deps: AuditDeps, *scopes: str) -> Desk:
    """The desk of an auditor."""
    desk = desk_of(deps, an_auditor(*scopes), url="/test")
    assert desk is not None
    return desk


def an_api(deps: AuditDeps, auditors: Mapping[str, Principal]) -> ASGIApp:
    """The API behind authentication; `auditors` by the key that each calls with."""

    async def authenticate(key: str) -> Principal | None:
        return auditors.get(key)

    app = FastAPI()
    install_error_handlers(app)
    app.include_router(audit_router(deps), prefix=API_PREFIX)
    return protect(app, authenticate, AdminApiSettings(requests_per_second=0, requests_per_minute=0))


def an_api_client(app: ASGIApp, key: str) -> httpx.AsyncClient:
    """A client of that API."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="https://ss.test/api/v1/audit",
        headers={"Authorization": f"X-Road-ApiKey token={key}"},
    )


@dataclass(frozen=True)
class Served:
    """A server of the API on loopback, over TLS, with a folder for each thing a command needs."""

    url: str
    folder: Path

    def options(self, key: str) -> list[str]:
        """The options by which a command asks this server."""
        return ["--server", self.url, "--key-file", str(self.folder / key), "--ca", str(self.folder / "admin.crt")]


@contextmanager
def a_served_api(source: MemorySource, auditors: Mapping[str, Principal], folder: Path) -> Iterator[Served]:
    """Serve the API in a thread of its own, so that commands can be called as they are; keys lie in `folder`."""
    certificate, key = ensure_tls_files(folder, "admin", SystemClock().now())
    (folder / "trail").mkdir()
    for name in auditors:
        write_private(folder / name, name)
    ready: queue.SimpleQueue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = queue.SimpleQueue()

    async def serve() -> None:
        settings = ExportSettings(reserve_bytes=0)
        exports = Exports(
            folder / "exports", source, FixedClock(NOON), server_name=lambda: source.name, settings=settings
        )
        await exports.start()
        app = an_api(audit_deps(source, folder / "trail", exports=exports), auditors)
        stop = asyncio.Event()
        async with ControlServer(Listener(app, ssl_context=server_context(certificate, key))) as server:
            ready.put((server.url, asyncio.get_running_loop(), stop))
            await stop.wait()
        await exports.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    url, loop, stop = ready.get(timeout=20)
    try:
        yield Served(url, folder)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
