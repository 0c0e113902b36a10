"""Read everything that is published in one transaction, so that no part speaks of another moment."""

from __future__ import annotations

from sqlalchemy import Connection

from central_services.registry import store, store_authorities, store_groups, store_servers
from central_services.registry.model import RegistryContent


def read_content(tx: Connection) -> RegistryContent:
    """Return the registry as it stands."""
    return RegistryContent(
        version=store.version_of(tx),
        parameters=store.read_parameters(tx),
        member_classes=store.member_classes(tx),
        members=store.members(tx),
        subsystems=store.subsystems(tx),
        servers=store_servers.servers(tx),
        auth_certificates=store_servers.auth_certificates(tx),
        registrations=store_servers.registrations(tx),
        groups=store_groups.groups(tx),
        group_members=store_groups.group_members(tx),
        certification_services=store_authorities.certification_services(tx),
        timestamping_services=store_authorities.timestamping_services(tx),
    )
