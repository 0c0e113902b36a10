"""Who stands at the counter and which systems use its composer: roles, and where they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.runtime.accounts.store import migrate_accounts
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import Clock
from gateway.runtime.database import Database, open_database
from registry_adapters.snap.settings import SnapSettings

CLERK: Final = "CLERK"
SENIOR: Final = "SENIOR"
ROLES: Final = (CLERK, SENIOR)
COMPOSER: Final = "COMPOSER"


def open_accounts(settings: SnapSettings, state: Path) -> Database:
    """Return the database of clerks and keys: a file of its own, so that sign-ins never wait for cases."""
    database = open_database(settings.database_url or f"sqlite:///{(state / 'accounts.db').absolute()}")
    migrate_accounts(database)
    return database


def open_trail(state: Path, clock: Clock) -> Trail:
    """Return the audit log: who signed in, and who was let in as what."""
    folder = state / "audit"
    folder.mkdir(parents=True, exist_ok=True)
    return Trail(folder, clock)
