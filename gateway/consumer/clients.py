"""Which information system is calling, and may it speak for that client (X-Road MessageProcessorBase.java).

A client must be registered on this server and its information system must connect as the client's
connection type asks. The server's own internal certificate always passes: calls from itself.
"""

from __future__ import annotations

from gateway.exchange.requests import InboundRequest
from gateway.serverconf.model import ClientStatus, ConnectionType, LocalClient, ServerConf
from gateway.xroad.faults import AccessRefused
from gateway.xroad.identifiers import ClientId


def authenticate(
    client: ClientId, request: InboundRequest, conf: ServerConf, internal_certificate: bytes | None
) -> LocalClient:
    """Return the client when this information system may speak for it.

    Raises AccessRefused: unknown_member when the client is not registered here,
    ssl_authentication_failed when the connection is not what the client asks for.
    """
    local = conf.find_client(client)
    if local is None:
        raise AccessRefused("unknown_member", "clients.unknown", client=client, server=conf.server)
    if local.status is not ClientStatus.REGISTERED:
        status = local.status.value
        raise AccessRefused(
            "unknown_member", "clients.not_registered", client=client, server=conf.server, status=status
        )
    check_connection(local, request, internal_certificate)
    return local


def check_connection(local: LocalClient, request: InboundRequest, internal_certificate: bytes | None) -> None:
    """Hold the connection against the client's connection type (X-Road IsAuthentication.java)."""
    if local.connection_type is ConnectionType.HTTP:
        return
    if not request.is_tls:
        kind = "HTTPS NO AUTH" if local.connection_type is ConnectionType.HTTPS_NO_AUTH else "HTTPS"
        raise AccessRefused("ssl_authentication_failed", "clients.plaintext", client=local.id, kind=kind)
    if local.connection_type is ConnectionType.HTTPS_NO_AUTH:
        return
    if request.peer_certificate is None:
        raise AccessRefused("ssl_authentication_failed", "clients.no_certificate", client=local.id)
    if request.peer_certificate not in local.tls_certificates and request.peer_certificate != internal_certificate:
        raise AccessRefused("ssl_authentication_failed", "clients.other_certificate", client=local.id)
