"""Settings of the central services and of the trust services for tests; defaults are X-Road's."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.runtime.admin_api_settings import AdminApiSettings


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """Where the admin API listens, and the names in the certificate made for it."""

    host: str = "0.0.0.0"
    port: int = 4000
    names: tuple[str, ...] = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class ConfigurationSettings:
    """How the configuration is published (X-Road ug-syspar, center).

    `https_port` adds a TLS listener, and with it https sources in anchors. Parts stay downloadable
    for `keep_parts_s` after they were replaced.
    """

    host: str = "0.0.0.0"
    port: int = 80
    https_port: int | None = None
    refresh_interval_s: float = 60.0
    retry_s: float = 5.0
    keep_parts_s: float = 600.0
    minimum_version: int = 2
    internal_key_algorithm: str = "RSA"
    external_key_algorithm: str = "RSA"


@dataclass(frozen=True, slots=True)
class ManagementSettings:
    """Who need not wait for approval.

    An API key whose roles may approve does not wait for itself, unless `approve_own_requests` is
    off; requests of security servers wait unless one of the other two is on, as in the reference.
    """

    approve_own_requests: bool = True
    auto_approve_auth_cert_reg_requests: bool = False
    auto_approve_client_reg_requests: bool = False


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """The certification authority, OCSP responder and time-stamping authority for tests and demos.

    `public_url` goes into issued certificates as the address of the OCSP responder; empty leaves it
    out. `key_algorithm` is that of the authorities' own keys: RSA or EC.
    """

    host: str = "127.0.0.1"
    ca_port: int = 8888
    tsa_port: int = 8899
    name: str = "Surma test"
    key_algorithm: str = "RSA"
    issuing_ca: bool = False
    public_url: str = ""
    certificate_days: int = 730
    ocsp_validity_s: int = 86400
    tsa_policy: str = "1.3.6.1.4.1.13762.3"


@dataclass(frozen=True, slots=True)
class CentralSettings:
    """Everything; an empty `database_url` is a SQLite file in the state directory.

    `token_pin_file` names a file of mode 0600 with the PIN of the software token; empty: systemd's
    credential `central-token-pin` if there is one, else somebody logs in through the API.
    """

    database_url: str = ""
    token_pin_file: str = ""
    log_level: str = "info"
    admin: AdminSettings = field(default_factory=AdminSettings)
    api: AdminApiSettings = field(default_factory=AdminApiSettings)
    configuration: ConfigurationSettings = field(default_factory=ConfigurationSettings)
    management: ManagementSettings = field(default_factory=ManagementSettings)
    trust: TrustSettings = field(default_factory=TrustSettings)
