"""What a management request needs to be acceptable, and what it changes in the registry when approved.

This is the only way of a request into the registry. The checks follow the handlers of the reference;
stricter is: an authentication certificate must be for TLS and not for signing too, and be issued by
an authority that is approved here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlalchemy import Connection

from central_services.management import store
from central_services.management.model import NewRequest, Origin, RequestType, Status
from central_services.registry import authorities, groups, members, security_servers, store_servers
from central_services.registry import store as registry_store
from central_services.registry.errors import Conflict, Invalid, NotFound, RegistryError
from gateway.xroad.identifiers import ClientId, MemberId, SubsystemId


def check(tx: Connection, new: NewRequest, at: datetime) -> None:
    """Refuse a request that could not be granted as things stand."""
    instance = members.require_instance(tx)
    named = [new.server.owner, *([new.client.member] if new.client is not None else [])]
    for member in named:
        if member.xroad_instance != instance:
            raise Invalid("management_request_member_not_found", member)
    if new.type.names_client and new.client is None:
        raise Invalid("management_request_client_registration_not_found")
    _CHECKS[new.type](tx, new, at)


def apply(tx: Connection, new: NewRequest, at: datetime) -> None:
    """Do what an approved request asks for, and note that the registry has changed."""
    _EFFECTS[new.type](tx, new, at)
    registry_store.bump_version(tx)


def _client(new: NewRequest) -> ClientId:
    assert new.client is not None
    return new.client


def _check_auth_cert_registration(tx: Connection, new: NewRequest, at: datetime) -> None:
    if new.origin is Origin.CENTER and registry_store.find_member(tx, new.server.owner) is None:
        raise NotFound("management_request_server_owner_not_found")
    certificate = _read_auth_certificate(tx, new, at)
    if store_servers.find_auth_certificate(tx, authorities.der_of(certificate)) is not None:
        raise Conflict("management_request_security_server_exists")
    if new.address is not None and not new.address.strip():
        raise Invalid("management_request_invalid_server_address")


def _read_auth_certificate(tx: Connection, new: NewRequest, at: datetime) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(new.certificate_der or b"")
    except ValueError as cause:
        raise Invalid("management_request_invalid_auth_certificate") from cause
    valid = certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
    if not valid or not _is_for_tls(certificate) or authorities.issuer_among_approved(tx, certificate) is None:
        raise Invalid("management_request_invalid_auth_certificate")
    return certificate


def _is_for_tls(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    if usage.content_commitment:
        return False
    try:
        extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return usage.digital_signature or usage.key_encipherment or usage.data_encipherment
    return ExtendedKeyUsageOID.CLIENT_AUTH in extended


def _register_certificate(tx: Connection, new: NewRequest, at: datetime) -> None:
    assert new.certificate_der is not None
    security_servers.register_certificate(tx, new.server, new.address, new.certificate_der, at)


def _check_client_registration(tx: Connection, new: NewRequest, _at: datetime) -> None:
    client = _client(new)
    if client == new.server.owner:
        raise Invalid("management_request_cannot_register_owner")
    if new.origin is Origin.CENTER:
        if store_servers.find_server(tx, new.server) is None:
            raise Conflict("management_request_server_not_found", new.server)
        if registry_store.find_member(tx, client.member) is None:
            raise Conflict("management_request_member_not_found", client)
    if store_servers.find_registration(tx, new.server, client) is not None:
        raise Conflict("management_request_client_already_registered")


def _register_client(tx: Connection, new: NewRequest, _at: datetime) -> None:
    if store_servers.find_server(tx, new.server) is None:
        raise Invalid("management_request_server_not_found", new.server)
    security_servers.register_client(tx, new.server, _client(new), new.subsystem_name)


def _check_owner_change(tx: Connection, new: NewRequest, _at: datetime) -> None:
    client = _client(new)
    if not isinstance(client, MemberId):
        raise Invalid("management_request_owner_must_be_member")
    if client == new.server.owner:
        raise Invalid("management_request_client_already_owner")
    if store_servers.find_registration(tx, new.server, client) is None:
        raise Invalid("management_request_owner_must_be_client")
    taken = {server.id.server_code for server in store_servers.servers_owned_by(tx, client)}
    if new.server.server_code in taken:
        raise Invalid("management_request_server_code_exists")


def _change_owner(tx: Connection, new: NewRequest, at: datetime) -> None:
    """Old and new owner swap places: the old one stays a client."""
    client = _client(new)
    assert isinstance(client, MemberId)
    _check_owner_change(tx, new, at)
    store_servers.delete_registration(tx, new.server, client)
    store_servers.set_owner(tx, new.server, client, at)
    moved = type(new.server)(client, new.server.server_code)
    store_servers.add_registration(tx, moved, new.server.owner)
    groups.admit_owner(tx, client, at)
    security_servers.dismiss_if_last(tx, new.server.owner)


def _check_client_deletion(tx: Connection, new: NewRequest, _at: datetime) -> None:
    if store_servers.find_registration(tx, new.server, _client(new)) is None and not _registrations(tx, new):
        raise NotFound("management_request_client_registration_not_found")


def _registrations(tx: Connection, new: NewRequest) -> tuple[int, ...]:
    sought = NewRequest(RequestType.CLIENT_REGISTRATION, new.origin, new.server, new.client)
    return tuple(item.id for item in store.find_like(tx, sought, Status.WAITING, Status.DECLINED))


def _delete_client(tx: Connection, new: NewRequest, at: datetime) -> None:
    """Remove the registration, or revoke the request for one that still waits."""
    client = _client(new)
    if store_servers.find_registration(tx, new.server, client) is not None:
        store_servers.delete_registration(tx, new.server, client)
        return
    sought = NewRequest(RequestType.CLIENT_REGISTRATION, new.origin, new.server, client)
    for waiting in store.find_like(tx, sought, Status.WAITING):
        processing = store.processing_of(tx, waiting.id)
        assert processing is not None
        store.set_status(tx, processing, Status.REVOKED, at)


def _check_auth_cert_deletion(tx: Connection, new: NewRequest, _at: datetime) -> None:
    found = store_servers.find_auth_certificate(tx, new.certificate_der or b"")
    if found is None or found.server != new.server:
        raise NotFound("ss_auth_certificate_not_found")


def _delete_certificate(tx: Connection, new: NewRequest, _at: datetime) -> None:
    found = store_servers.find_auth_certificate(tx, new.certificate_der or b"")
    assert found is not None
    store_servers.delete_auth_certificate(tx, found.id)


def _check_registered(tx: Connection, new: NewRequest, _at: datetime) -> None:
    if store_servers.find_registration(tx, new.server, _client(new)) is None:
        raise NotFound("management_request_server_client_not_found")
    if new.type is RequestType.CLIENT_DISABLE and registry_store.read_parameters(tx).management_provider == new.client:
        raise Invalid("mr_forbidden_disable_management_service_client")


def _set_enabled(tx: Connection, new: NewRequest, _at: datetime) -> None:
    store_servers.set_enabled(tx, new.server, _client(new), new.type is RequestType.CLIENT_ENABLE)


def _check_rename(tx: Connection, new: NewRequest, at: datetime) -> None:
    if not isinstance(_client(new), SubsystemId):
        raise Invalid("management_request_only_subsystem_rename_allowed")
    if not (new.subsystem_name or "").strip():
        raise Invalid("management_request_invalid_subsystem_name")
    _check_registered(tx, new, at)


def _rename(tx: Connection, new: NewRequest, _at: datetime) -> None:
    client = _client(new)
    assert isinstance(client, SubsystemId)
    registry_store.rename_subsystem(tx, client, new.subsystem_name)


def _check_address(tx: Connection, new: NewRequest, _at: datetime) -> None:
    _check_server(tx, new)
    if not (new.address or "").strip():
        raise Invalid("management_request_invalid_server_address")


def _check_server(tx: Connection, new: NewRequest) -> None:
    if store_servers.find_server(tx, new.server) is None:
        raise NotFound("management_request_server_not_found", new.server)


def _change_address(tx: Connection, new: NewRequest, at: datetime) -> None:
    store_servers.set_address(tx, new.server, new.address or "", at)


def _check_maintenance(tx: Connection, new: NewRequest, _at: datetime) -> None:
    _check_server(tx, new)
    server = security_servers.require_server(tx, new.server)
    wanted = new.type is RequestType.MAINTENANCE_MODE_ENABLE
    if server.in_maintenance_mode == wanted:
        state = "already" if wanted else "not"
        raise Conflict(f"management_request_server_{state}_in_maintenance_mode")
    provider = registry_store.read_parameters(tx).management_provider
    if wanted and provider is not None and store_servers.find_registration(tx, new.server, provider) is not None:
        raise RegistryError("mr_forbidden_enable_maintenance_mode_for_management_service")


def _set_maintenance(tx: Connection, new: NewRequest, at: datetime) -> None:
    store_servers.set_maintenance(tx, new.server, new.type is RequestType.MAINTENANCE_MODE_ENABLE, new.message, at)


_Rule = Callable[[Connection, NewRequest, datetime], None]

_CHECKS: Final[dict[RequestType, _Rule]] = {
    RequestType.AUTH_CERT_REGISTRATION: _check_auth_cert_registration,
    RequestType.CLIENT_REGISTRATION: _check_client_registration,
    RequestType.OWNER_CHANGE: _check_owner_change,
    RequestType.CLIENT_DELETION: _check_client_deletion,
    RequestType.CLIENT_DISABLE: _check_registered,
    RequestType.CLIENT_ENABLE: _check_registered,
    RequestType.CLIENT_RENAME: _check_rename,
    RequestType.AUTH_CERT_DELETION: _check_auth_cert_deletion,
    RequestType.ADDRESS_CHANGE: _check_address,
    RequestType.MAINTENANCE_MODE_ENABLE: _check_maintenance,
    RequestType.MAINTENANCE_MODE_DISABLE: _check_maintenance,
}

_EFFECTS: Final[dict[RequestType, _Rule]] = {
    RequestType.AUTH_CERT_REGISTRATION: _register_certificate,
    RequestType.CLIENT_REGISTRATION: _register_client,
    RequestType.OWNER_CHANGE: _change_owner,
    RequestType.CLIENT_DELETION: _delete_client,
    RequestType.CLIENT_DISABLE: _set_enabled,
    RequestType.CLIENT_ENABLE: _set_enabled,
    RequestType.CLIENT_RENAME: _rename,
    RequestType.AUTH_CERT_DELETION: _delete_certificate,
    RequestType.ADDRESS_CHANGE: _change_address,
    RequestType.MAINTENANCE_MODE_ENABLE: _set_maintenance,
    RequestType.MAINTENANCE_MODE_DISABLE: _set_maintenance,
}
