"""Settings of the registries: one table each in `registries.toml`, the environment over it.

`REGISTRY_DEMOGRAPHIC__PORT` is the port of the demographic registry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from gateway.runtime.texts import DEFAULT_LANGUAGE, LANGUAGES

ENVIRONMENT_PREFIX = "REGISTRY"
STATE_MODE = 0o700  # of a state directory that is made: what lies there are facts of people


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """What one registry is told."""

    database_url: str = ""  # empty: a SQLite file in the state directory
    host: str = "127.0.0.1"
    port: int = 8090
    public_url: str = ""  # its URL as security servers see it, for WSDL and OpenAPI; empty: as it was asked
    security_servers: tuple[str, ...] = ()  # addresses that may call; empty: any that reach the port
    # Who is told of looks at anybody's record: systems that answer for which person they ask, without the instance.
    usage_clients: tuple[str, ...] = ("GOV/10000007/CITIZEN",)
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
class TaxSettings(RegistrySettings):
    """What the tax registry is told besides."""

    port: int = 8092
    income_delay_s: float = 60.0  # from the request for incomes to its answer

    def __post_init__(self) -> None:
        RegistrySettings.__post_init__(self)
        if self.income_delay_s < 0:
            raise ValueError("income_delay_s must not be negative")


@dataclass(frozen=True, slots=True)
class CrossCheckSettings(RegistrySettings):
    """What the cross-check service is told besides."""

    security_server_url: str = "http://127.0.0.1:8080"  # of its own security server, where information systems ask
    client: str = "UA-DEMO/GOV/10000007/CROSS-CHECK"  # as whom it asks; registries of the same instance are asked
    timeout_s: float = 5.0  # what has not answered by then is unknown
    max_differing: int = 3  # attempts a client has per person, kind of value and day

    def __post_init__(self) -> None:
        RegistrySettings.__post_init__(self)
        if len(self.client.split("/")) != 4:
            raise ValueError("client must name a subsystem: INSTANCE/CLASS/MEMBER/SUBSYSTEM")
        if self.timeout_s <= 0 or self.max_differing < 1:
            raise ValueError("timeout_s must be positive and max_differing at least 1")


@dataclass(frozen=True, slots=True)
class RegistriesSettings:
    """All registries of one file; `own` is for one that is served from a Python file."""

    demographic: RegistrySettings = field(default_factory=partial(RegistrySettings, port=8090))
    cadastre: RegistrySettings = field(default_factory=partial(RegistrySettings, port=8091))
    tax: TaxSettings = field(default_factory=TaxSettings)
    civil_status: RegistrySettings = field(default_factory=partial(RegistrySettings, port=8093))
    business: RegistrySettings = field(default_factory=partial(RegistrySettings, port=8094))
    property_rights: RegistrySettings = field(default_factory=partial(RegistrySettings, port=8095))
    displaced: RegistrySettings = field(default_factory=partial(RegistrySettings, port=8096))
    crosscheck: CrossCheckSettings = field(default_factory=partial(CrossCheckSettings, port=8097))
    own: RegistrySettings = field(default_factory=partial(RegistrySettings, port=8098))
