"""Queries on keys, requests and certificates; takes and returns model types inside the caller's transaction.

Every change moves the version, by which processes notice that their snapshot is old.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from gateway.signer import tables as t
from gateway.signer.model import (
    CertificateRecord,
    CertificateRequest,
    CertificateStatus,
    KeyAlgorithm,
    KeyRecord,
    KeyringSnapshot,
    KeyUsage,
)
from gateway.xroad.identifiers import MemberId


def read_version(connection: Connection) -> int:
    """Return the change counter; 0 before the first change."""
    return connection.execute(select(t.state.c.version)).scalar() or 0


def _touch(connection: Connection) -> None:
    if connection.execute(update(t.state).values(version=t.state.c.version + 1)).rowcount == 0:
        connection.execute(insert(t.state).values(id=1, version=1))


def read_snapshot(connection: Connection) -> KeyringSnapshot:
    """Return all keys and certificates, in the order of their ids."""
    keys = connection.execute(select(t.key).order_by(t.key.c.id))
    certificates = connection.execute(select(t.certificate).order_by(t.certificate.c.hash))
    return KeyringSnapshot(
        version=read_version(connection),
        keys=tuple(_key(row) for row in keys),
        certificates=tuple(_certificate(row) for row in certificates),
    )


def save_token(connection: Connection, token_id: str, label: str) -> None:
    """Add a token, or give it another label."""
    _touch(connection)
    if connection.execute(update(t.token).where(t.token.c.id == token_id).values(label=label)).rowcount == 0:
        connection.execute(insert(t.token).values(id=token_id, label=label))


def find_token_label(connection: Connection, token_id: str) -> str | None:
    """Return the label of a token, if it is known."""
    return connection.execute(select(t.token.c.label).where(t.token.c.id == token_id)).scalar()


def add_key(connection: Connection, key: KeyRecord) -> None:
    """Add a key."""
    _touch(connection)
    connection.execute(
        insert(t.key).values(
            id=key.id,
            token_id=key.token,
            label=key.label,
            usage=key.usage,
            algorithm=key.algorithm,
            public_key=key.public_key_der,
        )
    )


def find_key(connection: Connection, key_id: str) -> KeyRecord | None:
    """Return the key with this id."""
    row = connection.execute(select(t.key).where(t.key.c.id == key_id)).first()
    return None if row is None else _key(row)


def find_key_by_public_key(connection: Connection, public_key_der: bytes) -> KeyRecord | None:
    """Return the key with this SubjectPublicKeyInfo."""
    row = connection.execute(select(t.key).where(t.key.c.public_key == public_key_der)).first()
    return None if row is None else _key(row)


def set_key_usage(connection: Connection, key_id: str, usage: KeyUsage) -> None:
    """Fix what a key is for."""
    _touch(connection)
    connection.execute(update(t.key).where(t.key.c.id == key_id).values(usage=usage))


def set_key_label(connection: Connection, key_id: str, label: str) -> None:
    """Give a key another label."""
    _touch(connection)
    connection.execute(update(t.key).where(t.key.c.id == key_id).values(label=label))


def delete_key(connection: Connection, key_id: str) -> None:
    """Forget a key with its requests and certificates."""
    _touch(connection)
    connection.execute(delete(t.key).where(t.key.c.id == key_id))


def add_request(connection: Connection, request: CertificateRequest) -> None:
    """Add a certificate request."""
    _touch(connection)
    connection.execute(
        insert(t.request).values(
            id=request.id,
            key_id=request.key,
            subject=request.subject,
            profile=request.profile,
            der=request.der,
            **_member_columns(request.member),
        )
    )


def read_requests(connection: Connection) -> tuple[CertificateRequest, ...]:
    """Return every certificate request."""
    return tuple(_request(row) for row in connection.execute(select(t.request).order_by(t.request.c.id)))


def find_request(connection: Connection, request_id: str) -> CertificateRequest | None:
    """Return the request with this id."""
    row = connection.execute(select(t.request).where(t.request.c.id == request_id)).first()
    return None if row is None else _request(row)


def delete_request(connection: Connection, request_id: str) -> None:
    """Forget a certificate request."""
    _touch(connection)
    connection.execute(delete(t.request).where(t.request.c.id == request_id))


def add_certificate(connection: Connection, certificate: CertificateRecord) -> None:
    """Add a certificate."""
    _touch(connection)
    connection.execute(
        insert(t.certificate).values(
            hash=certificate.hash,
            key_id=certificate.key,
            der=certificate.der,
            status=certificate.status,
            active=certificate.active,
            **_member_columns(certificate.member),
        )
    )


def find_certificate(connection: Connection, certificate_hash: str) -> CertificateRecord | None:
    """Return the certificate with this SHA-256 hash, in hex of either case."""
    wanted = t.certificate.c.hash == certificate_hash.lower()
    row = connection.execute(select(t.certificate).where(wanted)).first()
    return None if row is None else _certificate(row)


def set_certificate_active(connection: Connection, certificate_hash: str, active: bool) -> None:
    """Activate or deactivate a certificate."""
    _touch(connection)
    connection.execute(
        update(t.certificate).where(t.certificate.c.hash == certificate_hash.lower()).values(active=active)
    )


def set_certificate_status(connection: Connection, certificate_hash: str, status: CertificateStatus) -> None:
    """Note where a certificate stands towards the central services."""
    _touch(connection)
    connection.execute(
        update(t.certificate).where(t.certificate.c.hash == certificate_hash.lower()).values(status=status)
    )


def delete_certificate(connection: Connection, certificate_hash: str) -> None:
    """Forget a certificate."""
    _touch(connection)
    connection.execute(delete(t.certificate).where(t.certificate.c.hash == certificate_hash.lower()))


def _key(row: Row[Any]) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        token=row.token_id,
        label=row.label,
        usage=None if row.usage is None else KeyUsage(row.usage),
        algorithm=KeyAlgorithm(row.algorithm),
        public_key_der=bytes(row.public_key),
    )


def _request(row: Row[Any]) -> CertificateRequest:
    return CertificateRequest(row.id, row.key_id, _member(row), row.subject, row.profile, bytes(row.der))


def _certificate(row: Row[Any]) -> CertificateRecord:
    return CertificateRecord(
        hash=row.hash,
        key=row.key_id,
        member=_member(row),
        der=bytes(row.der),
        status=CertificateStatus(row.status),
        active=row.active,
    )


def _member(row: Row[Any]) -> MemberId | None:
    if row.member_code is None:
        return None
    return MemberId(row.member_instance, row.member_class, row.member_code)


def _member_columns(member: MemberId | None) -> dict[str, str | None]:
    parts = (None, None, None) if member is None else member.parts
    return dict(zip(("member_instance", "member_class", "member_code"), parts, strict=True))
