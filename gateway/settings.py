"""Settings of a security server; every part is handed its slice.

Read from `config/gateway.toml` or the file named on the command line, then from the environment
(`GATEWAY_CONSUMER__HTTP_PORT`). Ports are X-Road's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from gateway.auditing.model import ExportSettings, MaskingSettings
from gateway.messagelog.archive.model import ArchiveSettings
from gateway.messagelog.model import CheckpointSettings, MessageLogSettings
from gateway.runtime.accounts.model import AccountSettings
from gateway.runtime.admin_api_settings import AdminApiSettings
from gateway.runtime.console.formats import zone_named


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """Ports towards information systems and the road to other security servers."""

    http_port: int = 8080
    https_port: int = 8443
    peer_port: int = 5500
    peer_ocsp_port: int = 5577
    connect_timeout_s: float = 30
    response_timeout_s: float = 300
    reuse_connections: bool = True
    remember_fastest_s: float = 3600


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Ports towards other security servers."""

    port: int = 5500
    ocsp_port: int = 5577
    connect_timeout_s: float = 30
    keep_connections: bool = True
    min_client_version: str | None = None

    def __post_init__(self) -> None:
        minimum = self.min_client_version
        if minimum is not None and not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){2}", minimum):
            raise ValueError(f"min_client_version must be a release such as 7.4.0, not {minimum!r}")


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """The admin API and the console; pages show times in `time_zone`."""

    port: int = 4000
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        zone_named(self.time_zone)


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Bounds of messages and connections."""

    soap_bytes: int = 64 * 1024 * 1024
    rest_body_bytes: int = 16 * 1024 * 1024 * 1024
    spool_threshold_bytes: int = 64 * 1024
    connections: int = 4096
    connections_per_address: int = 2048
    header_timeout_s: float = 30
    body_idle_timeout_s: float = 60


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """How faults are printed: `snake_case` as release 7.8 or `CamelCase` as those before, and in which language."""

    spelling: str = "snake_case"
    language: str = "en"


@dataclass(frozen=True, slots=True)
class MessageLogSection:
    """The message log and its search index; an empty URL means SQLite in the state directory."""

    database_url: str = ""
    index_url: str = ""
    records: MessageLogSettings = field(default_factory=MessageLogSettings)
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)


@dataclass(frozen=True, slots=True)
class SignerSettings:
    """The software token; `pin_file` (mode 0600) or a systemd credential lets a restart need no hands."""

    pin_file: Path | None = None
    key_algorithm: str = "EC"
    rsa_bits: int = 3072
    enforce_pin_policy: bool = False


@dataclass(frozen=True, slots=True)
class ConfigurationSettings:
    """The configuration client."""

    update_interval_s: float = 60
    allowed_federations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Everything a security server can be told; an empty database URL means SQLite in the state directory."""

    address: str = "0.0.0.0"
    database_url: str = ""
    consumer: ConsumerSettings = field(default_factory=ConsumerSettings)
    provider: ProviderSettings = field(default_factory=ProviderSettings)
    admin: AdminSettings = field(default_factory=AdminSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    faults: FaultSettings = field(default_factory=FaultSettings)
    messagelog: MessageLogSection = field(default_factory=MessageLogSection)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    exports: ExportSettings = field(default_factory=ExportSettings)
    masking: MaskingSettings = field(default_factory=MaskingSettings)
    admin_limits: AdminApiSettings = field(default_factory=AdminApiSettings)
    accounts: AccountSettings = field(default_factory=AccountSettings)
    signer: SignerSettings = field(default_factory=SignerSettings)
    configuration: ConfigurationSettings = field(default_factory=ConfigurationSettings)
