"""Where a security server keeps what it keeps: one state directory, databases elsewhere if the settings say so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.settings import GatewaySettings

DIRECTORY_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class StatePaths:
    """The paths below one state directory."""

    root: Path
    settings: GatewaySettings

    migrations = ("gateway.migrations.serverconf", "gateway.migrations.signer", "gateway.runtime.migrations.accounts")

    @property
    def database_url(self) -> str:
        """Clients, services, rights, keys, API keys."""
        return self.settings.database_url or f"sqlite:///{self.root / 'gateway.db'}"

    @property
    def message_log_url(self) -> str:
        """Message records and time-stamps."""
        return self.settings.messagelog.database_url or f"sqlite:///{self.root / 'messagelog.db'}"

    @property
    def index_url(self) -> str:
        """The search index of the message log; it can be made anew at any time."""
        return self.settings.messagelog.index_url or f"sqlite:///{self.root / 'index.db'}"

    @property
    def bodies(self) -> Path:
        """REST bodies and attachments beside their records."""
        return self.root / "bodies"

    @property
    def tls(self) -> Path:
        """Certificates of the admin port and towards information systems."""
        return self.root / "tls"

    @property
    def api_key(self) -> Path:
        """The first API key."""
        return self.root / "api-key"

    @property
    def watched_files(self) -> Path:
        """What the files were that only the server changes, when it last looked; beside the audit log."""
        return self.root / "audit-files.json"

    @property
    def keys(self) -> Path:
        """The software token."""
        return self.root / "keys"

    @property
    def ocsp(self) -> Path:
        """OCSP responses of our certificates."""
        return self.root / "ocsp"

    @property
    def globalconf(self) -> Path:
        """The verified global configuration and the anchor."""
        return self.root / "globalconf"

    @property
    def history(self) -> Path:
        """Every distinct configuration ever used."""
        return self.root / "history"

    @property
    def exports(self) -> Path:
        """What auditors asked to take away, until they fetched it."""
        return self.root / "exports"

    @property
    def spool(self) -> Path:
        """Bodies in flight."""
        return self.root / "spool"

    def make(self) -> None:
        """Create the directory; only its owner may look inside."""
        self.root.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
