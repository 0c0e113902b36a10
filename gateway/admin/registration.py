"""Learn from the global configuration what is registered (X-Road GlobalConfChecker.java).

This server knows only from there that a client or an authentication certificate of its own is
registered; nobody tells it directly.
"""

from __future__ import annotations

import logging

from gateway.admin.deps import AdminDeps
from gateway.runtime.database import Database
from gateway.serverconf import store
from gateway.serverconf.model import ClientStatus, ServerConf
from gateway.signer.certificates import Keyring
from gateway.signer.model import CertificateStatus
from gateway.xroad.globalconf.lookup import GlobalConf

log = logging.getLogger(__name__)

_BECOMES_REGISTERED = frozenset({ClientStatus.SAVED, ClientStatus.REGISTRATION_IN_PROGRESS, ClientStatus.GLOBAL_ERROR})


def follow_globalconf(deps: AdminDeps) -> bool:
    """Bring the statuses in line with the configuration in use; True when one changed. Blocks on the database."""
    globalconf = deps.find_globalconf()
    conf = deps.registrations.current()
    if globalconf is None or conf.server is None:
        return False
    changed = _follow_clients(deps.database, conf, globalconf)
    return _follow_certificates(deps.keyring, conf, globalconf) or changed


def _follow_clients(database: Database, conf: ServerConf, globalconf: GlobalConf) -> bool:
    assert conf.server is not None
    wanted: dict[ClientStatus, list[object]] = {}
    with database.transaction() as tx:
        for local in conf.clients.values():
            listed = globalconf.is_client_of(local.id, conf.server)
            if listed and local.status in _BECOMES_REGISTERED:
                status = ClientStatus.REGISTERED
            elif not listed and local.status is ClientStatus.REGISTERED:
                status = ClientStatus.GLOBAL_ERROR
            else:
                continue
            store.set_client_status(tx, local.id, status)
            wanted.setdefault(status, []).append(local.id)
    for status, clients in wanted.items():
        log.info("client status follows the global configuration", extra={"status": status, "clients": clients})
    return bool(wanted)


def _follow_certificates(keyring: Keyring, conf: ServerConf, globalconf: GlobalConf) -> bool:
    changed = False
    for token in keyring.tokens():
        for record in (record for key in token.keys for record in key.certificates):
            if record.member is not None:
                continue
            listed = globalconf.server_of_certificate(record.der) == conf.server
            if listed and record.status is not CertificateStatus.REGISTERED:
                keyring.set_status(record.hash, CertificateStatus.REGISTERED)
                changed = True
            elif not listed and record.status is CertificateStatus.REGISTERED:
                keyring.set_status(record.hash, CertificateStatus.GLOBAL_ERROR)
                changed = True
    return changed
