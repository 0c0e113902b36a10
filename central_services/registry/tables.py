"""Tables of the registry; identifiers are columns, so that a row can be read without the code."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()


def _parent(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, ForeignKey(f"{target}.id", ondelete="CASCADE"), nullable=nullable, index=True)


system_parameters = Table(
    "system_parameters",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

# One row: moves with every change that is published.
registry_version = Table(
    "registry_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

member_classes = Table(
    "member_classes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", String(255), nullable=False, unique=True),
    Column("description", Text, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("xroad_instance", String(255), nullable=False),
    Column("member_class", ForeignKey("member_classes.code", onupdate="CASCADE"), nullable=False),
    Column("member_code", String(255), nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("member_class", "member_code"),
)

subsystems = Table(
    "subsystems",
    metadata,
    Column("id", Integer, primary_key=True),
    _parent("member_id", "members"),
    Column("subsystem_code", String(255), nullable=False),
    Column("name", Text),
    UniqueConstraint("member_id", "subsystem_code"),
)

security_servers = Table(
    "security_servers",
    metadata,
    Column("id", Integer, primary_key=True),
    _parent("owner_id", "members"),
    Column("server_code", String(255), nullable=False),
    Column("address", String(255), nullable=False),
    Column("in_maintenance_mode", Boolean, nullable=False),
    Column("maintenance_mode_message", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("owner_id", "server_code"),
)

# The client is a member or a subsystem: exactly one of the two.
server_clients = Table(
    "server_clients",
    metadata,
    Column("id", Integer, primary_key=True),
    _parent("security_server_id", "security_servers"),
    _parent("member_id", "members", nullable=True),
    _parent("subsystem_id", "subsystems", nullable=True),
    Column("enabled", Boolean, nullable=False),
    CheckConstraint("(member_id IS NULL) <> (subsystem_id IS NULL)", name="one_client"),
    UniqueConstraint("security_server_id", "member_id"),
    UniqueConstraint("security_server_id", "subsystem_id"),
)

auth_certificates = Table(
    "auth_certificates",
    metadata,
    Column("id", Integer, primary_key=True),
    _parent("security_server_id", "security_servers"),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("certificate_der", LargeBinary, nullable=False),
)

global_groups = Table(
    "global_groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("group_code", String(255), nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

# By identifier, not by row: a group may name clients of another instance. No subsystem is "".
global_group_members = Table(
    "global_group_members",
    metadata,
    Column("id", Integer, primary_key=True),
    _parent("group_id", "global_groups"),
    Column("xroad_instance", String(255), nullable=False),
    Column("member_class", String(255), nullable=False),
    Column("member_code", String(255), nullable=False),
    Column("subsystem_code", String(255), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("group_id", "xroad_instance", "member_class", "member_code", "subsystem_code"),
)

certification_services = Table(
    "certification_services",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("certificate_der", LargeBinary, nullable=False),
    Column("profile", Text, nullable=False),
    Column("authentication_only", Boolean, nullable=False),
    Column("default_csr_format", String(3), nullable=False),
    Column("acme_directory_url", Text),
    Column("acme_ip_address", Text),
    Column("acme_auth_profile_id", Text),
    Column("acme_sign_profile_id", Text),
)

intermediate_cas = Table(
    "intermediate_cas",
    metadata,
    Column("id", Integer, primary_key=True),
    _parent("certification_service_id", "certification_services"),
    Column("certificate_der", LargeBinary, nullable=False),
)

ocsp_responders = Table(
    "ocsp_responders",
    metadata,
    Column("id", Integer, primary_key=True),
    _parent("certification_service_id", "certification_services", nullable=True),
    _parent("intermediate_ca_id", "intermediate_cas", nullable=True),
    Column("url", Text, nullable=False),
    Column("certificate_der", LargeBinary),
    Column("cost_type", String(16), nullable=False),
    CheckConstraint("(certification_service_id IS NULL) <> (intermediate_ca_id IS NULL)", name="one_authority"),
)

timestamping_services = Table(
    "timestamping_services",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False, unique=True),
    Column("certificate_der", LargeBinary, nullable=False),
    Column("cost_type", String(16), nullable=False),
)
