"""Roles of the central services and what each may do (X-Road permissions.yml, condensed)."""

from __future__ import annotations

from typing import Final

SYSTEM_ADMINISTRATOR: Final = "XROAD_SYSTEM_ADMINISTRATOR"
SECURITY_OFFICER: Final = "XROAD_SECURITY_OFFICER"
REGISTRATION_OFFICER: Final = "XROAD_REGISTRATION_OFFICER"
MANAGEMENT_SERVICE: Final = "XROAD_MANAGEMENT_SERVICE"

# Those a person may have; the fourth is for the services that take management requests.
OFFICERS: Final = (SYSTEM_ADMINISTRATOR, SECURITY_OFFICER, REGISTRATION_OFFICER)
ALL: Final = (*OFFICERS, MANAGEMENT_SERVICE)
