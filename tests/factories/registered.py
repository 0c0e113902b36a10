"""A registry with something in it, straight in the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection

from central_services.registry import groups, members, security_servers, store
from gateway.runtime.database import Database, migrate
from gateway.xroad.identifiers import MemberId, SecurityServerId, SubsystemId

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OWNER = MemberId("UA-DEMO", "GOV", "10000001")
OTHER = MemberId("UA-DEMO", "GOV", "10000002")
SNAP = SubsystemId(OWNER, "SNAP")
SERVER = SecurityServerId(OWNER, "SS1")


def migrated(database: Database) -> Database:
    """Make the tables of the central services."""
    for name in ("registry", "management", "configuration_source"):
        migrate(database, f"central_services.migrations.{name}")
    return database


def fill(tx: Connection) -> None:
    """Two members, a subsystem, and a server of the first with one certificate."""
    store.set_parameter(tx, store.INSTANCE, "UA-DEMO")
    store.set_parameter(tx, store.ADDRESS, "cs.example")
    groups.add_group(tx, "security-server-owners", groups.OWNERS_DESCRIPTION, AT)
    members.add_member_class(tx, "GOV", "Government")
    members.add_member(tx, "GOV", "10000001", "SNAP centre")
    members.add_member(tx, "GOV", "10000002", "Migration service")
    members.add_subsystem(tx, SNAP, "Counter")
    security_servers.register_certificate(tx, SERVER, "127.0.2.1", a_certificate_der("auth"), AT)


def a_certificate_der(name: str, *, usage: x509.KeyUsage | None = None) -> bytes:
    """A self-signed certificate, valid around AT."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(AT - timedelta(days=1))
        .not_valid_after(AT + timedelta(days=365))
    )
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
