"""Settings of the counter: `snap.toml`, the environment over it (`SNAP_SECURITY_SERVER__URL`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.runtime.accounts.model import AccountSettings
from gateway.runtime.texts import LANGUAGES

ENVIRONMENT_PREFIX = "SNAP"


@dataclass(frozen=True, slots=True)
class SecurityServerSettings:
    """The security server that asks for us, and as whom."""

    url: str = "http://127.0.0.1:8080"
    instance: str = "UA-DEMO"
    client: str = "GOV/10000001/SNAP"  # member class / code / subsystem
    authorities: Path | None = None  # PEM: whose certificate an https server has
    certificate: Path | None = None  # PEM: our own, where the server asks for it
    key: Path | None = None

    def __post_init__(self) -> None:
        if self.client.count("/") != 2 or not all(self.client.split("/")) or not self.instance:
            raise ValueError("client is CLASS/CODE/SUBSYSTEM of an instance that is named")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How what says "later" is asked again: after `first_s`, then twice as long each time."""

    first_s: float = 1.0
    longest_s: float = 60.0
    give_up_s: float = 3 * 86_400.0  # then a clerk has to ask for it
    poll_s: float = 5.0  # between two looks for a slow registry's answer, at least

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.longest_s or self.give_up_s < 0 or self.poll_s <= 0:
            raise ValueError("first_s must be positive and at most longest_s; poll_s must be positive")


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Where the counter is reached. Without certificate it makes one itself, unless `tls` is off."""

    host: str = "127.0.0.1"
    port: int = 8110
    tls: bool = True
    certificate: Path | None = None
    key: Path | None = None
    requests_per_second: int = 50  # of pages, from one address; 0 means no bound
    requests_per_minute: int = 1500

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")


@dataclass(frozen=True, slots=True)
class ApiBounds:
    """Bounds of the API for other systems; 0 means none."""

    requests_per_second: int = 50
    requests_per_minute: int = 1500
    max_request_bytes: int = 50 * 1024
    max_wait_s: float = 30.0


@dataclass(frozen=True, slots=True)
class SnapSettings:
    """What the counter is told."""

    security_server: SecurityServerSettings = field(default_factory=SecurityServerSettings)
    listen: ListenSettings = field(default_factory=ListenSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    api: ApiBounds = field(default_factory=ApiBounds)
    accounts: AccountSettings = field(default_factory=AccountSettings)
    database_url: str = ""  # empty: a SQLite file in the state directory
    recipes: Path | None = None  # a folder of recipes in place of ours
    workers: int = 32  # questions on their way at once
    workers_per_service: int = 8  # of one service: a slow registry must not hold up the others
    timeout_s: float = 30.0  # of one question
    slow_s: float = 2.0  # a clerk is told that a registry is slow
    language: str = "uk"  # of what is written into applications
    zone: str = "Europe/Kyiv"

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, not {self.language!r}")
        if self.workers < 1 or not 1 <= self.workers_per_service <= self.workers:
            raise ValueError("workers must be at least 1, workers_per_service between 1 and workers")
        if self.timeout_s <= 0 or self.slow_s < 0:
            raise ValueError("timeout_s must be positive and slow_s not negative")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError) as cause:
            raise ValueError(f"there is no time zone {self.zone!r}") from cause
