"""From one of our certificates up to the root: whose status to fetch, and what to send along.

An intermediate CA of the configuration is a trust anchor, yet real servers send its certificate and
status, too: so the path here goes on to a top CA where it can, and ends at the first anchor otherwise.
"""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from gateway.xroad.faults import SignatureRefused
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.pki.chain import build_path


def full_path(certificate: x509.Certificate, globalconf: GlobalConf, at: datetime) -> tuple[x509.Certificate, ...]:
    """Return the path from `certificate` to a CA of the own instance, a top one if there is such a path.

    Raises SignatureRefused (cannot_create_cert_path, invalid_cert_path).
    """
    key = ("signer path", certificate)
    known = globalconf.memo.get(key)
    if known is not None and all(c.not_valid_before_utc <= at <= c.not_valid_after_utc for c in known[:-1]):
        return tuple(known)
    authorities = globalconf.authorities(globalconf.instance)
    every = [authority.certificate for authority in authorities]
    try:
        path = build_path(certificate, every, [a.certificate for a in authorities if a.is_top], at)
    except SignatureRefused:
        path = build_path(certificate, every, every, at)
    globalconf.memo[key] = path
    return path
