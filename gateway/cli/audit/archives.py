"""Archives alone: the API and the console of auditors over a folder, within this process, for one person.

What makes the folder searchable is a cache; what was looked at is recorded in a trail of the person's own.

    $XDG_CACHE_HOME/surma/audit/<name>.db   the index of one folder, made anew whenever it is missing
    $XDG_STATE_HOME/surma/audit/            the trail
"""

from __future__ import annotations

import getpass
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from gateway.auditing.api import audit_router
from gateway.auditing.archive_index import ArchiveIndex
from gateway.auditing.archive_source import ArchiveSource
from gateway.auditing.configurations import Choose, configuration_in, configurations_of
from gateway.auditing.deps import AuditDeps
from gateway.auditing.exports import Exports, ExportSettings
from gateway.auditing.ledgers import ArchivesLedger
from gateway.auditing.model import AUDITOR
from gateway.auditing.trust_files import named_trust
from gateway.cli.audit.options import Trust
from gateway.cli.audit.places import API, Unanswered
from gateway.cli.audit.printing import progress, texts_of
from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.archive.reader import ArchiveReader, Decryptor
from gateway.runtime.accounts.model import Principal
from gateway.runtime.admin_api import API_PREFIX, AdminApiSettings, install_error_handlers, protect
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import SystemClock
from gateway.runtime.texts import render
from gateway.xroad.faults import XRoadFault
from gateway.xroad.globalconf.lookup import GlobalConf

_NAME: Final = "surma/audit"
_MODE: Final = 0o700
_KEY: Final = "local"  # opens an API that nobody else can reach
# Nobody else asks here, and a checkpoint with its leaves may be large.
_UNBOUND: Final = AdminApiSettings(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Local:
    """A folder of archives, ready to be asked; `troubles` are files that cannot be, with the text ids of why."""

    deps: AuditDeps
    person: Principal
    troubles: Mapping[str, str]


@asynccontextmanager
async def local_api(folder: Path, trust: Trust, words: str) -> AsyncIterator[httpx.AsyncClient]:
    """Open the API over a folder of archives."""
    with opened_archives(folder, trust, words) as local, tempfile.TemporaryDirectory(prefix="surma-audit-") as scratch:
        async with exporting(local.deps, Path(scratch), trust) as deps:
            transport = httpx.ASGITransport(_app(deps, local.person))
            headers = {"Authorization": f"X-Road-ApiKey token={_KEY}"}
            async with httpx.AsyncClient(
                transport=transport, base_url=f"http://archives{API}", headers=headers
            ) as http:
                yield http


@contextmanager
def opened_archives(folder: Path, trust: Trust, words: str) -> Iterator[Local]:
    """Open a folder of archives and make it searchable. Raises Unanswered when that cannot be."""
    if not folder.is_dir():
        raise Unanswered("archives_unreadable", folder=folder, told=os.strerror(2))
    try:
        choose, keys = _choice(trust), _keys(trust)
        index = ArchiveIndex(FolderPlace(folder), _cache_of(folder, os.environ), decryptor=keys)
    except XRoadFault as fault:
        raise _unreadable(folder, fault, words) from fault
    try:
        _build(index, folder, words)
        name = folder.resolve().name
        clock, trail = SystemClock(), Trail(_own(os.environ, "XDG_STATE_HOME", ".local/state"), SystemClock())

        def globalconf_at(time: object) -> GlobalConf:
            assert choose is not None
            return choose(time).globalconf  # type: ignore[arg-type]

        ledger = ArchivesLedger(
            lambda: ArchiveReader(FolderPlace(folder), decryptor=keys),
            None if choose is None else globalconf_at,
        )
        source = ArchiveSource(index, configurations=choose, name=name)
        person = Principal(getpass.getuser(), frozenset({AUDITOR}))
        yield Local(AuditDeps(source, trail, clock, lambda: name, ledger), person, index.troubles())
    finally:
        index.close()


@asynccontextmanager
async def exporting(deps: AuditDeps, folder: Path, trust: Trust) -> AsyncIterator[AuditDeps]:
    """Add exports, which lie in `folder`."""
    exports = Exports(
        folder,
        deps.source,
        deps.clock,
        server_name=deps.server_name,
        ledger=deps.ledger,
        trust=named_trust(trust.conf, trust.history, trust.anchor),
        settings=ExportSettings(reserve_bytes=0),
    )
    await exports.start()
    try:
        yield AuditDeps(deps.source, deps.trail, deps.clock, deps.server_name, deps.ledger, exports)
    finally:
        await exports.stop()


def _app(deps: AuditDeps, person: Principal) -> ASGIApp:
    async def authenticate(key: str) -> Principal | None:
        return person if key == _KEY else None

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    install_error_handlers(app)
    app.include_router(audit_router(deps), prefix=API_PREFIX)
    return protect(app, authenticate, _UNBOUND)


def _build(index: ArchiveIndex, folder: Path, words: str) -> None:
    text = texts_of(words)
    try:
        with progress(text("auditing.cli.reading"), in_bytes=True) as noted:
            index.build(noted=noted)
    except XRoadFault as fault:
        raise _unreadable(folder, fault, words) from fault


def _choice(trust: Trust) -> Choose | None:
    if trust.conf is not None and trust.history is None and trust.anchor is None:
        return configuration_in(trust.conf)
    if trust.conf is None and trust.history is not None and trust.anchor is not None:
        return configurations_of(trust.history, trust.anchor)
    if trust.conf is None and trust.history is None and trust.anchor is None:
        return None  # then archives are shown, and every verdict says that it cannot be given
    raise Unanswered("one_trust")


def _keys(trust: Trust) -> Decryptor | None:
    if not trust.secret_key:
        return None
    from gateway.messagelog.archive.openpgp import OpenPgpKeys

    return OpenPgpKeys(trust.secret_key, passphrase_file=trust.passphrase_file)


def _cache_of(folder: Path, environ: Mapping[str, str]) -> Path:
    name = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return _own(environ, "XDG_CACHE_HOME", ".cache") / f"{name}.db"


def _own(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """Return a folder that only its owner opens (XDG Base Directory Specification)."""
    given = environ.get(variable, "")
    folder = (Path(given) if given.startswith("/") else Path.home() / default) / _NAME
    folder.mkdir(parents=True, exist_ok=True, mode=_MODE)
    return folder


def _unreadable(folder: Path, fault: XRoadFault, words: str) -> Unanswered:
    return Unanswered("archives_unreadable", folder=folder, told=render(fault.text_id, fault.facts, words))
