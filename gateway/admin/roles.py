"""Roles of a security server and what each may do (X-Road permissions.yml, condensed).

The lists in the second half are dependencies of routes.
"""

from __future__ import annotations

from typing import Final

from gateway.runtime.admin_api import requires

SYSTEM_ADMINISTRATOR: Final = "XROAD_SYSTEM_ADMINISTRATOR"
SECURITY_OFFICER: Final = "XROAD_SECURITY_OFFICER"
REGISTRATION_OFFICER: Final = "XROAD_REGISTRATION_OFFICER"
SERVICE_ADMINISTRATOR: Final = "XROAD_SERVICE_ADMINISTRATOR"
OBSERVER: Final = "XROAD_SECURITYSERVER_OBSERVER"

ALL: Final = (SYSTEM_ADMINISTRATOR, SECURITY_OFFICER, REGISTRATION_OFFICER, SERVICE_ADMINISTRATOR, OBSERVER)

VIEW: Final = [requires(*ALL)]
VIEW_DIAGNOSTICS: Final = [requires(SYSTEM_ADMINISTRATOR, OBSERVER)]
# Initialisation and PIN.
ADMINISTER: Final = [requires(SYSTEM_ADMINISTRATOR)]
# Anchor, token login.
KEEP_TRUST: Final = [requires(SYSTEM_ADMINISTRATOR, SECURITY_OFFICER)]
# Time-stamping services; whatever has to do with the authentication certificate.
SECURE: Final = [requires(SECURITY_OFFICER)]
# Keys, requests and certificates for signing.
KEEP_KEYS: Final = [requires(SECURITY_OFFICER, REGISTRATION_OFFICER)]
REGISTER: Final = [requires(REGISTRATION_OFFICER)]
# How information systems of a client connect.
CONNECT: Final = [requires(REGISTRATION_OFFICER, SERVICE_ADMINISTRATOR)]
KEEP_SERVICES: Final = [requires(SERVICE_ADMINISTRATOR)]
