"""Tables of the registry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "certification_services",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("certificate_der", sa.LargeBinary(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("authentication_only", sa.Boolean(), nullable=False),
        sa.Column("default_csr_format", sa.String(length=3), nullable=False),
        sa.Column("acme_directory_url", sa.Text(), nullable=True),
        sa.Column("acme_ip_address", sa.Text(), nullable=True),
        sa.Column("acme_auth_profile_id", sa.Text(), nullable=True),
        sa.Column("acme_sign_profile_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "global_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("group_code", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("group_code"),
    )
    op.create_table(
        "member_classes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )
    op.create_table(
        "registry_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    op.create_table(
        "system_parameters",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "timestamping_services",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("certificate_der", sa.LargeBinary(), nullable=False),
        sa.Column("cost_type", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("url"),
    )
    op.create_table(
        "global_group_members",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("xroad_instance", sa.String(length=255), nullable=False),
        sa.Column("member_class", sa.String(length=255), nullable=False),
        sa.Column("member_code", sa.String(length=255), nullable=False),
        sa.Column("subsystem_code", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["global_groups.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("group_id", "xroad_instance", "member_class", "member_code", "subsystem_code"),
    )
    op.create_index(op.f("ix_global_group_members_group_id"), "global_group_members", ["group_id"], unique=False)
    op.create_table(
        "intermediate_cas",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("certification_service_id", sa.Integer(), nullable=False),
        sa.Column("certificate_der", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["certification_service_id"], ["certification_services.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_intermediate_cas_certification_service_id"),
        "intermediate_cas",
        ["certification_service_id"],
        unique=False,
    )
    op.create_table(
        "members",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("xroad_instance", sa.String(length=255), nullable=False),
        sa.Column("member_class", sa.String(length=255), nullable=False),
        sa.Column("member_code", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["member_class"], ["member_classes.code"], onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("member_class", "member_code"),
    )
    op.create_table(
        "ocsp_responders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("certification_service_id", sa.Integer(), nullable=True),
        sa.Column("intermediate_ca_id", sa.Integer(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("certificate_der", sa.LargeBinary(), nullable=True),
        sa.Column("cost_type", sa.String(length=16), nullable=False),
        sa.CheckConstraint("(certification_service_id IS NULL) <> (intermediate_ca_id IS NULL)", name="one_authority"),
        sa.ForeignKeyConstraint(["certification_service_id"], ["certification_services.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["intermediate_ca_id"], ["intermediate_cas.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_ocsp_responders_certification_service_id"),
        "ocsp_responders",
        ["certification_service_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_ocsp_responders_intermediate_ca_id"), "ocsp_responders", ["intermediate_ca_id"], unique=False
    )
    op.create_table(
        "security_servers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("server_code", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("in_maintenance_mode", sa.Boolean(), nullable=False),
        sa.Column("maintenance_mode_message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["members.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("owner_id", "server_code"),
    )
    op.create_index(op.f("ix_security_servers_owner_id"), "security_servers", ["owner_id"], unique=False)
    op.create_table(
        "subsystems",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("subsystem_code", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("member_id", "subsystem_code"),
    )
    op.create_index(op.f("ix_subsystems_member_id"), "subsystems", ["member_id"], unique=False)
    op.create_table(
        "auth_certificates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("security_server_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("certificate_der", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["security_server_id"], ["security_servers.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sha256"),
    )
    op.create_index(
        op.f("ix_auth_certificates_security_server_id"), "auth_certificates", ["security_server_id"], unique=False
    )
    op.create_table(
        "server_clients",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("security_server_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("subsystem_id", sa.Integer(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.CheckConstraint("(member_id IS NULL) <> (subsystem_id IS NULL)", name="one_client"),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["security_server_id"], ["security_servers.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subsystem_id"], ["subsystems.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("security_server_id", "member_id"),
        sa.UniqueConstraint("security_server_id", "subsystem_id"),
    )
    op.create_index(op.f("ix_server_clients_member_id"), "server_clients", ["member_id"], unique=False)
    op.create_index(
        op.f("ix_server_clients_security_server_id"), "server_clients", ["security_server_id"], unique=False
    )
    op.create_index(op.f("ix_server_clients_subsystem_id"), "server_clients", ["subsystem_id"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("server_clients")
    op.drop_table("auth_certificates")
    op.drop_table("subsystems")
    op.drop_table("security_servers")
    op.drop_table("ocsp_responders")
    op.drop_table("members")
    op.drop_table("intermediate_cas")
    op.drop_table("global_group_members")
    op.drop_table("timestamping_services")
    op.drop_table("system_parameters")
    op.drop_table("registry_version")
    op.drop_table("member_classes")
    op.drop_table("global_groups")
    op.drop_table("certification_services")
