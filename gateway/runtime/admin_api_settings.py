"""Bounds of an admin API, apart from it: settings are read before a web framework is loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AdminApiSettings:
    """Bounds of an admin API; 0 means no bound (X-Road ug-syspar, proxy-ui-api and admin-service)."""

    requests_per_second: int = 20
    requests_per_minute: int = 600
    max_request_bytes: int = 50 * 1024
    max_upload_bytes: int = 10 * 1024 * 1024
    strict_identifier_checks: bool = True
