"""Roles of a security server and what each may do (X-Road permissions.yml, condensed).

The lists in the second half are dependencies of routes. The role of auditors is ours and stands apart: it
opens no route of administrators, and theirs open none of auditors.
"""

from __future__ import annotations

from typing import Final

from gateway.auditing.model import AUDITOR
from gateway.runtime.accounts.model import EVERYTHING, Grant
from gateway.runtime.admin_api import requires
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import client_of, decode_path, encode_path

SYSTEM_ADMINISTRATOR: Final = "XROAD_SYSTEM_ADMINISTRATOR"
SECURITY_OFFICER: Final = "XROAD_SECURITY_OFFICER"
REGISTRATION_OFFICER: Final = "XROAD_REGISTRATION_OFFICER"
SERVICE_ADMINISTRATOR: Final = "XROAD_SERVICE_ADMINISTRATOR"
OBSERVER: Final = "XROAD_SECURITYSERVER_OBSERVER"

ALL: Final = (SYSTEM_ADMINISTRATOR, SECURITY_OFFICER, REGISTRATION_OFFICER, SERVICE_ADMINISTRATOR, OBSERVER)
GRANTABLE: Final = (*ALL, AUDITOR)
MAX_SCOPE: Final = 255
# Each when granted for everything.
READ_AUDIT_LOG: Final = (SECURITY_OFFICER, AUDITOR)


def checked_grant(role: str, scope: str) -> Grant:
    """Return a grant that makes sense here. Raises ValueError saying what does not.

    Only auditors see less than everything: whoever administers a server administers all of it.
    """
    if role not in GRANTABLE:
        raise ValueError(f"there is no role {role}; there are {', '.join(GRANTABLE)}")
    if scope == EVERYTHING:
        return Grant(role)
    if role != AUDITOR:
        raise ValueError(
            f"the role {role} is for the whole server; only {AUDITOR} is granted for a member or subsystem"
        )
    try:
        # Letters that the URL form would escape are taken as they were typed.
        parts = decode_path(scope) if scope.isascii() else scope.split("/")
        encoded = encode_path(client_of(parts))
    except (XRoadFault, ValueError) as cause:
        raise ValueError(
            f"the scope {scope!r} is neither * nor INSTANCE/CLASS/CODE nor INSTANCE/CLASS/CODE/SUBSYSTEM"
        ) from cause
    if len(encoded) > MAX_SCOPE:
        raise ValueError(f"the scope has {len(encoded)} characters in its URL form; {MAX_SCOPE} are kept")
    return Grant(role, encoded)


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
