"""Configuration signing keys and anchors: several keys may exist, one signs (PR-GCONF 2.2).

Rolling a key over: generate, hand out the new anchor, activate, and delete the old one when everybody
has the new anchor. Whoever holds an anchor with both certificates notices nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from central_services.configuration_source import store
from central_services.configuration_source.model import SigningKey, SourceType, StoredAnchor
from central_services.configuration_source.software_token import SoftwareToken
from central_services.registry.errors import Invalid, NotFound
from gateway.runtime.self_signed import self_signed
from gateway.xroad.globalconf.anchor import Anchor, AnchorSource, anchor_hash, build_anchor


def keys_of(tx: Connection, source: SourceType) -> tuple[SigningKey, ...]:
    """Return the keys of one source, oldest first."""
    return tuple(key for key in store.signing_keys(tx) if key.source is source)


def find_active(tx: Connection, source: SourceType) -> SigningKey | None:
    """Return the key that signs."""
    return next((key for key in keys_of(tx, source) if key.active), None)


def require_key(tx: Connection, key_id: str) -> SigningKey:
    """Return a key or refuse."""
    found = next((key for key in store.signing_keys(tx) if key.id == key_id), None)
    if found is None:
        raise NotFound("signing_key_not_found", key_id)
    return found


def add_key(
    tx: Connection, token: SoftwareToken, source: SourceType, label: str, algorithm: str, at: datetime
) -> SigningKey:
    """Make a key with a self-signed certificate; the first of a source becomes active."""
    key_id, private = token.generate(algorithm)
    certificate = self_signed(private, f"{source.value}-{key_id[:8]}", at)
    key = SigningKey(
        id=key_id,
        source=source,
        label=label,
        algorithm=algorithm,
        certificate_der=certificate.public_bytes(Encoding.DER),
        active=find_active(tx, source) is None,
        created_at=at,
    )
    store.add_signing_key(tx, key)
    return key


def activate_key(tx: Connection, token: SoftwareToken, key_id: str) -> SigningKey:
    """Let a key sign from the next publication on; one that cannot be used now is refused."""
    key = require_key(tx, key_id)
    if key.active or not token.has(key_id):
        raise Invalid("signing_key_action_not_possible", key_id)
    store.activate_signing_key(tx, key)
    return replace(key, active=True)


def delete_key(tx: Connection, token: SoftwareToken, key_id: str) -> SigningKey:
    """Remove a key that does not sign; the caller destroys it in the token after the commit."""
    key = require_key(tx, key_id)
    if key.active or not token.logged_in:
        raise Invalid("signing_key_action_not_possible", key_id)
    store.delete_signing_key(tx, key_id)
    return key


def rebuild_anchor(
    tx: Connection, source: SourceType, instance: str, urls: tuple[str, ...], at: datetime
) -> StoredAnchor:
    """Make the anchor of a source anew, with the certificates of all its keys under every address."""
    if not instance:
        raise Invalid("instance_identifier_not_set")
    certificates = tuple(key.certificate_der for key in keys_of(tx, source))
    if not certificates:
        raise Invalid("no_configuration_signing_keys_configured")
    sources = tuple(AnchorSource(url, certificates) for url in urls)
    file = build_anchor(Anchor(instance, sources, at))
    anchor = StoredAnchor(file, anchor_hash(file), at)
    store.set_anchor(tx, source, anchor)
    return anchor
