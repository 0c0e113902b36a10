"""Make what a security server needs before its first start: state directory, schema, TLS keys, first API key."""

from __future__ import annotations

from typing import Final

from gateway.paths import StatePaths
from gateway.runtime.accounts import api_keys
from gateway.runtime.clock import Clock
from gateway.runtime.database import migrate, open_database
from gateway.runtime.private_files import write_private
from gateway.runtime.self_signed import ensure_tls_files

FIRST_ROLES: Final = (
    "XROAD_SYSTEM_ADMINISTRATOR",
    "XROAD_SECURITY_OFFICER",
    "XROAD_REGISTRATION_OFFICER",
    "XROAD_SERVICE_ADMINISTRATOR",
)
_EVERY_ADDRESS: Final = ("0.0.0.0", "::", "")


def initialise(paths: StatePaths, clock: Clock) -> bool:
    """Make what is missing; what is there stays. True when this made the first API key."""
    paths.make()
    address = paths.settings.address
    names = ["localhost", "127.0.0.1", *([] if address in _EVERY_ADDRESS else [address])]
    ensure_tls_files(paths.tls, "admin", clock.now(), names=names)
    # Information systems and services of the field expect RSA here.
    ensure_tls_files(paths.tls, "internal", clock.now(), names=names, algorithm="RSA")
    database = open_database(paths.database_url)
    try:
        for scripts in paths.migrations:
            migrate(database, scripts)
        if paths.api_key.exists():
            return False
        with database.transaction() as tx:
            _, secret = api_keys.create(tx, FIRST_ROLES, clock.now())
        write_private(paths.api_key, secret)
    finally:
        database.close()
    return True
