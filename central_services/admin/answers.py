"""Facts of the registry as JSON, in the fields of the reference's schemas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from central_services.registry.model import (
    CertificationService,
    GlobalGroup,
    IntermediateCa,
    OcspResponder,
    SecurityServer,
    TimestampingService,
)
from gateway.runtime.admin_api import api_time, bad_request, decode_id, encode_id
from gateway.runtime.certificate_details import certificate_details
from gateway.xroad.identifiers import ClientId, MemberId, SecurityServerId, SubsystemId, client_of, server_of

T = TypeVar("T")

MAX_PAGE = 1000


def parse_client_id(text: str) -> ClientId:
    """Read `INST:CLASS:CODE[:SUB]`."""
    return client_of(decode_id(text, 3, 4))


def parse_member_id(text: str) -> MemberId:
    """Read `INST:CLASS:CODE`."""
    return MemberId(*decode_id(text, 3, code="invalid_member_id"))


def parse_subsystem_id(text: str) -> SubsystemId:
    """Read `INST:CLASS:CODE:SUB`."""
    *member, subsystem = decode_id(text, 4, code="invalid_subsystem_id")
    return SubsystemId(MemberId(*member), subsystem)


def parse_server_id(text: str) -> SecurityServerId:
    """Read `INST:CLASS:CODE:SERVER`."""
    return server_of(decode_id(text, 4))


def client_id(client: ClientId) -> dict[str, Any]:
    """Return a ClientId."""
    shown = {
        "instance_id": client.xroad_instance,
        "type": client.object_type,
        "member_class": client.member.member_class,
        "member_code": client.member.member_code,
        "encoded_id": encode_id(client.parts),
    }
    if client.subsystem_code is not None:
        shown["subsystem_code"] = client.subsystem_code
    return shown


def client(identifier: ClientId, member_name: str | None) -> dict[str, Any]:
    """Return a Client."""
    return {"member_name": member_name, "client_id": client_id(identifier)}


def server_id(server: SecurityServerId) -> dict[str, Any]:
    """Return a SecurityServerId."""
    return {
        "instance_id": server.owner.xroad_instance,
        "type": server.object_type,
        "member_class": server.owner.member_class,
        "member_code": server.owner.member_code,
        "encoded_id": encode_id(server.parts),
        "server_code": server.server_code,
    }


def security_server(server: SecurityServer) -> dict[str, Any]:
    """Return a SecurityServer."""
    return {
        "server_id": server_id(server.id),
        "server_address": server.address,
        "owner_name": server.owner_name,
        "created_at": api_time(server.created_at),
        "updated_at": api_time(server.updated_at),
        "in_maintenance_mode": server.in_maintenance_mode,
        "maintenance_mode_message": server.maintenance_mode_message,
    }


def group(item: GlobalGroup) -> dict[str, Any]:
    """Return a GlobalGroupResource."""
    return {
        "code": item.code,
        "description": item.description,
        "member_count": item.member_count,
        "created_at": api_time(item.created_at),
        "updated_at": api_time(item.updated_at),
    }


def certification_service(item: CertificationService) -> dict[str, Any]:
    """Return an ApprovedCertificationService."""
    details = certificate_details(item.certificate_der)
    return {
        "id": item.id,
        "name": item.name,
        "issuer_distinguished_name": details["issuer_distinguished_name"],
        "subject_distinguished_name": details["subject_distinguished_name"],
        "not_before": details["not_before"],
        "not_after": details["not_after"],
        "certificate_profile_info": item.settings.profile,
        "tls_auth": item.settings.authentication_only,
        "default_csr_format": item.settings.default_csr_format.value,
        "acme_server_directory_url": item.settings.acme_directory_url,
        "acme_server_ip_address": item.settings.acme_ip_address,
        "authentication_certificate_profile_id": item.settings.acme_auth_profile_id,
        "signing_certificate_profile_id": item.settings.acme_sign_profile_id,
    }


def intermediate_ca(item: IntermediateCa) -> dict[str, Any]:
    """Return a CertificateAuthority."""
    return {"id": item.id, "ca_certificate": certificate_details(item.certificate_der)}


def ocsp_responder(item: OcspResponder) -> dict[str, Any]:
    """Return an OcspResponder."""
    return {
        "id": item.id,
        "url": item.url,
        "cost_type": item.cost_type.value,
        "has_certificate": item.certificate_der is not None,
    }


def timestamping_service(item: TimestampingService, interval_s: int) -> dict[str, Any]:
    """Return a TimestampingService."""
    return {
        "id": item.id,
        "name": item.name,
        "url": item.url,
        "cost_type": item.cost_type.value,
        "timestamping_interval": interval_s,
        "certificate": certificate_details(item.certificate_der),
    }


def page(items: Sequence[T], limit: int, offset: int) -> tuple[Sequence[T], dict[str, int]]:
    """Return the wanted items and a PagingMetadata about them."""
    if not 0 < limit <= MAX_PAGE or offset < 0:
        raise bad_request("invalid_pagination_properties")
    wanted = items[offset : offset + limit]
    return wanted, {"total_items": len(items), "items": len(wanted), "limit": limit, "offset": offset}
