"""What routes over keys and certificates have in common: who may, and by which configuration."""

from __future__ import annotations

from fastapi import Request

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.faults import api_errors
from gateway.runtime.admin_api import ApiError, principal_of
from gateway.signer.model import KeyUsage
from gateway.xroad.globalconf.lookup import GlobalConf


def check_officer(http: Request, usage: KeyUsage) -> None:
    """Refuse whoever is not the security officer what has to do with authentication keys (403)."""
    if usage is KeyUsage.AUTHENTICATION and not principal_of(http).has_any(roles.SECURITY_OFFICER):
        raise ApiError(403, "forbidden")


def usable_globalconf(deps: AdminDeps) -> GlobalConf:
    """Return the configuration in force. Raises ApiError (409)."""
    with api_errors():
        return deps.configuration_provider.current()
