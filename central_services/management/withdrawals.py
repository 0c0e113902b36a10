"""What an operator takes away leaves a deletion request on record, as if the center had asked for it.

So the history of a server tells the end of every registration, whoever ended it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from central_services.management import decisions
from central_services.management.model import NewRequest, Origin, RequestType
from central_services.registry import security_servers, store_servers
from gateway.xroad.identifiers import ClientId, SecurityServerId


def withdraw_client(tx: Connection, server: SecurityServerId, client: ClientId, at: datetime) -> None:
    """End the registration of a client on a server."""
    security_servers.require_registration(tx, server, client)
    decisions.submit(tx, NewRequest(RequestType.CLIENT_DELETION, Origin.CENTER, server, client), at)


def withdraw_certificate(tx: Connection, server: SecurityServerId, row_id: int, at: datetime) -> None:
    """End the registration of an authentication certificate."""
    found = security_servers.find_certificate(tx, server, row_id)
    new = NewRequest(RequestType.AUTH_CERT_DELETION, Origin.CENTER, server, certificate_der=found.certificate_der)
    decisions.submit(tx, new, at)


def withdraw_server(tx: Connection, server: SecurityServerId, at: datetime) -> None:
    """End every registration on a server, then remove it."""
    security_servers.require_server(tx, server)
    comment = f"{server} deletion"
    for registration in store_servers.registrations_on(tx, server):
        new = NewRequest(RequestType.CLIENT_DELETION, Origin.CENTER, server, registration.client, comments=comment)
        decisions.submit(tx, new, at)
    for certificate in store_servers.auth_certificates(tx, server):
        new = NewRequest(
            RequestType.AUTH_CERT_DELETION,
            Origin.CENTER,
            server,
            certificate_der=certificate.certificate_der,
            comments=comment,
        )
        decisions.submit(tx, new, at)
    security_servers.delete_server(tx, server)
