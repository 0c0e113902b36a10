"""VerifiedMessage -> AuthorisedRequest, or refuse: the only place where one is made.

What is asked: the service is ours, of the right kind, allowed for this client, and switched on. The
services of the security server itself need no right, and become a BuiltInRequest instead.
Everything is proven before: an unproven caller does not learn what exists here (the reference asks
for access first).
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.provider.metaservices import is_built_in
from gateway.serverconf.access import decide, rule_path
from gateway.serverconf.model import ClientStatus, ServerConf, ServiceRecord
from gateway.xroad.facts import fact
from gateway.xroad.faults import AccessRefused
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, SecurityServerId, ServiceId
from gateway.xroad.rest.message import RestRequest
from gateway.xroad.signature.signed_message import VerifiedMessage
from gateway.xroad.soap.message import SoapMessage


@fact
class AuthorisedRequest:
    """A proven request for a service that its client may call; `service` says where and how."""

    verified: VerifiedMessage
    client: ClientId
    service: ServiceRecord


@dataclass(frozen=True, slots=True)
class BuiltInRequest:
    """A proven request that the security server answers itself; any client may make it."""

    verified: VerifiedMessage
    client: ClientId


def client_and_service(message: SoapMessage | RestRequest) -> tuple[ClientId, ServiceId, SecurityServerId | None]:
    """Return who asks for what, and for which security server if the request names one."""
    if isinstance(message, SoapMessage):
        return message.headers.client, message.headers.service, message.headers.security_server
    return message.client, message.service, message.security_server


def check_provider_is_here(service: ServiceId, target: SecurityServerId | None, conf: ServerConf) -> None:
    """Refuse a request meant for another server or for a provider that is not registered here.

    Raises AccessRefused: invalid_security_server (for REST too, which the reference forgets) or unknown_member.
    """
    if target is not None and target != conf.server:
        raise AccessRefused("invalid_security_server", "routing.other_server", server=conf.server, target=target)
    local = conf.find_client(service.provider)
    if local is None or local.status is not ClientStatus.REGISTERED:
        raise AccessRefused(
            "unknown_member", "routing.provider_not_here", provider=service.provider, server=conf.server
        )


def authorise(
    verified: VerifiedMessage, conf: ServerConf, globalconf: GlobalConf
) -> AuthorisedRequest | BuiltInRequest:
    """Return the request with the service it may call, or as one for us.

    Raises AccessRefused: unknown_service, service_type, access_denied or service_disabled.
    """
    message = verified.signed.message
    assert isinstance(message, SoapMessage | RestRequest)
    client, service, _ = client_and_service(message)
    if is_built_in(message):
        return BuiltInRequest(verified, client)
    method = message.method if isinstance(message, RestRequest) else None
    path = rule_path(message.service_path) if isinstance(message, RestRequest) else None
    record = decide(conf, client, service, method=method, path=path, in_global_group=globalconf.is_in_group)
    return AuthorisedRequest(verified, client, record)
