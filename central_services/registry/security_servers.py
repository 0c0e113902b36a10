"""Rules of security servers, their certificates and their clients (X-Road SecurityServerServiceImpl.java)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from central_services.registry import groups, members, store_servers
from central_services.registry.errors import Conflict, NotFound
from central_services.registry.model import AuthCertificate, SecurityServer
from gateway.xroad.identifiers import ClientId, MemberId, SecurityServerId, SubsystemId


def require_server(tx: Connection, server: SecurityServerId) -> SecurityServer:
    """Return a server or refuse."""
    found = store_servers.find_server(tx, server)
    if found is None:
        raise NotFound("security_server_not_found", server)
    return found


def set_address(tx: Connection, server: SecurityServerId, address: str, at: datetime) -> SecurityServer:
    """Change where other servers find this one."""
    require_server(tx, server)
    store_servers.set_address(tx, server, address, at)
    return require_server(tx, server)


def register_certificate(
    tx: Connection, server: SecurityServerId, address: str | None, certificate_der: bytes, at: datetime
) -> None:
    """Register an authentication certificate; owner and server are made if they are not there.

    The owner becomes a member of the group of security server owners.
    """
    if store_servers.find_auth_certificate(tx, certificate_der) is not None:
        raise Conflict("management_request_security_server_exists")
    members.ensure_member(tx, server.owner)
    if store_servers.find_server(tx, server) is None:
        store_servers.add_server(tx, server, address or "", at)
    elif address:
        store_servers.set_address(tx, server, address, at)
    store_servers.add_auth_certificate(tx, server, certificate_der)
    groups.admit_owner(tx, server.owner, at)


def find_certificate(tx: Connection, server: SecurityServerId, row_id: int) -> AuthCertificate:
    """Return a registered certificate of a server by the number the API gives it."""
    require_server(tx, server)
    found = next((item for item in store_servers.auth_certificates(tx, server) if item.id == row_id), None)
    if found is None:
        raise NotFound("ss_auth_certificate_not_found", row_id)
    return found


def delete_server(tx: Connection, server: SecurityServerId) -> None:
    """Remove a server; an owner without any other server leaves the group of owners."""
    require_server(tx, server)
    store_servers.delete_server(tx, server)
    dismiss_if_last(tx, server.owner)


def dismiss_if_last(tx: Connection, owner: MemberId) -> None:
    """Take a member that owns no server any more out of the group of owners."""
    if not store_servers.servers_owned_by(tx, owner):
        groups.dismiss_owner(tx, owner)


def register_client(tx: Connection, server: SecurityServerId, client: ClientId, name: str | None) -> None:
    """Register a client on a server; a subsystem that is not there is made."""
    require_server(tx, server)
    members.ensure_client(tx, client, name)
    if store_servers.find_registration(tx, server, client) is not None:
        raise Conflict("management_request_client_already_registered")
    store_servers.add_registration(tx, server, client)


def require_registration(tx: Connection, server: SecurityServerId, client: ClientId) -> None:
    """Refuse when the client is not registered on the server."""
    require_server(tx, server)
    if store_servers.find_registration(tx, server, client) is None:
        kind = "subsystem" if isinstance(client, SubsystemId) else "member"
        raise NotFound(f"{kind}_not_registered_to_security_server", client, server)
