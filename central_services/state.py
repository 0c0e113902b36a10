"""The state directory: where everything lies, and making a new one.

Opening makes what is missing: the tables, the TLS keys of the ports and the first API key, whose
secret is written once to a file that only its owner can read. Doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from central_services.admin import roles
from central_services.settings import CentralSettings
from gateway.runtime.accounts import api_keys
from gateway.runtime.accounts import store as accounts
from gateway.runtime.database import Database, migrate, open_database
from gateway.runtime.private_files import write_private
from gateway.runtime.self_signed import ensure_tls_files

_STORES: Final = ("registry", "management", "configuration_source")


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """Paths below one directory."""

    root: Path

    @property
    def api_key_file(self) -> Path:
        """The secret of the first API key."""
        return self.root / "api-key"

    @property
    def token(self) -> Path:
        """Keys of the software token."""
        return self.root / "token"

    @property
    def tls(self) -> Path:
        """Keys and certificates of the ports."""
        return self.root / "tls"

    @property
    def public(self) -> Path:
        """What the configuration source serves."""
        return self.root / "public"

    def database_url(self, settings: CentralSettings) -> str:
        """Return the database to use."""
        return settings.database_url or f"sqlite:///{self.root.absolute() / 'central.db'}"


def open_state(state: StateDirectory, settings: CentralSettings, now: Callable[[], datetime]) -> tuple[Database, bool]:
    """Open the database with everything in place; also whether the first API key was made now."""
    state.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    ensure_tls_files(state.tls, "admin", now(), names=settings.admin.names)
    ensure_tls_files(state.tls, "management-service", now(), names=settings.admin.names)
    database = open_database(state.database_url(settings))
    try:
        for store in _STORES:
            migrate(database, f"central_services.migrations.{store}")
        accounts.migrate_accounts(database)
        return database, _ensure_api_key(database, state, now())
    except BaseException:
        database.close()
        raise


def _ensure_api_key(database: Database, state: StateDirectory, at: datetime) -> bool:
    with database.transaction() as tx:
        if accounts.api_keys(tx):
            return False
        state.api_key_file.unlink(missing_ok=True)  # left by an attempt that was not committed
        _, secret = api_keys.create(tx, roles.ALL, at)
        write_private(state.api_key_file, secret)
        return True
