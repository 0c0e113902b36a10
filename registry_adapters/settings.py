"""Settings of the registries: one table each in `registries.toml`, the environment over it.

`REGISTRY_DEMOGRAPHIC__PORT` is the port of the demographic registry.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.runtime.texts import DEFAULT_LANGUAGE, LANGUAGES

ENVIRONMENT_PREFIX = "REGISTRY"


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """What one registry is told."""

    database_url: str = ""  # empty: a SQLite file in the state directory
    host: str = "127.0.0.1"
    port: int = 8090
    public_url: str = ""  # its URL as security servers see it, for WSDL and OpenAPI; empty: as it was asked
    security_servers: tuple[str, ...] = ()  # addresses that may call; empty: any that reach the port
    language: str = DEFAULT_LANGUAGE  # of fault texts
    max_body_bytes: int = 1024 * 1024
    seed: int = 1
    persons: int = 20_000

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, not {self.language!r}")
        if self.persons < 0 or self.max_body_bytes < 1:
            raise ValueError("persons must not be negative and max_body_bytes must be positive")


@dataclass(frozen=True, slots=True)
class RegistriesSettings:
    """All registries of one file."""

    demographic: RegistrySettings = field(default_factory=RegistrySettings)
