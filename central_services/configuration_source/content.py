"""Registry facts -> shared and private parameters (PR-GCONF Annex B; X-Road SharedParametersLoader.java)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from central_services.configuration_source.addresses import host_of, source_address
from central_services.registry import model
from central_services.registry.model import RegistryContent
from gateway.xroad.globalconf.private_parameters import ManagementService, PrivateParameters
from gateway.xroad.globalconf.shared_parameters import (
    AcmeServer,
    ApprovedCa,
    ApprovedTsa,
    CaInfo,
    ConfigurationSource,
    GlobalGroup,
    Member,
    MemberClass,
    OcspResponder,
    SecurityServer,
    SharedParameters,
    Subsystem,
    auth_cert_hashes,
)
from gateway.xroad.identifiers import ClientId, GlobalGroupId, MemberId, SecurityServerId


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What the source says of itself: its port, the certificates of its keys, and the management certificate."""

    port: int
    internal_certificates: tuple[bytes, ...]
    external_certificates: tuple[bytes, ...]
    management_certificate: bytes


def shared_parameters(registry: RegistryContent, source: SourceFacts) -> SharedParameters:
    """Return what every member is told."""
    parameters = registry.parameters
    return SharedParameters(
        instance=parameters.instance,
        ocsp_freshness_s=parameters.ocsp_freshness_s,
        sources=(
            ConfigurationSource(
                source_address(parameters.address, source.port),
                source.internal_certificates,
                source.external_certificates,
            ),
        ),
        approved_cas=tuple(map(_approved_ca, registry.certification_services)),
        approved_tsas=tuple(
            ApprovedTsa(tsa.name, tsa.url, tsa.certificate_der, tsa.cost_type.value)
            for tsa in registry.timestamping_services
        ),
        members=_members(registry),
        security_servers=_servers(registry),
        global_groups=_groups(registry),
        member_classes=tuple(MemberClass(item.code, item.description) for item in registry.member_classes),
    )


def private_parameters(registry: RegistryContent, source: SourceFacts) -> PrivateParameters:
    """Return what only the servers of the own instance are told; needs a provider of management services."""
    parameters = registry.parameters
    assert parameters.management_provider is not None
    url = parameters.auth_cert_reg_url.replace("%{centralServerAddress}", host_of(parameters.address))
    return PrivateParameters(
        instance=parameters.instance,
        management_service=ManagementService(url, source.management_certificate, parameters.management_provider),
        timestamping_interval_s=parameters.timestamping_interval_s,
    )


def _responder(item: model.OcspResponder) -> OcspResponder:
    return OcspResponder(item.url, item.certificate_der, item.cost_type.value)


def _approved_ca(item: model.CertificationService) -> ApprovedCa:
    said = item.settings
    acme = None
    if said.acme_directory_url:
        acme = AcmeServer(
            said.acme_directory_url, said.acme_ip_address, said.acme_auth_profile_id, said.acme_sign_profile_id
        )
    return ApprovedCa(
        name=item.name,
        top=CaInfo(item.certificate_der, tuple(map(_responder, item.ocsp_responders))),
        profile=said.profile,
        intermediates=tuple(
            CaInfo(below.certificate_der, tuple(map(_responder, below.ocsp_responders)))
            for below in item.intermediate_cas
        ),
        authentication_only=said.authentication_only,
        default_csr_format=said.default_csr_format.value,
        acme=acme,
    )


def _members(registry: RegistryContent) -> tuple[Member, ...]:
    descriptions = {item.code: item.description for item in registry.member_classes}
    subsystems: dict[MemberId, list[Subsystem]] = defaultdict(list)
    for item in registry.subsystems:
        subsystems[item.id.member].append(Subsystem(item.id, item.name))
    return tuple(
        Member(item.id, item.name, descriptions[item.id.member_class], tuple(subsystems[item.id]))
        for item in registry.members
    )


def _servers(registry: RegistryContent) -> tuple[SecurityServer, ...]:
    """Only enabled registrations are told: that is how a client is disabled."""
    clients: dict[SecurityServerId, set[ClientId]] = defaultdict(set)
    for registration in registry.registrations:
        if registration.enabled:
            clients[registration.server].add(registration.client)
    certificates: dict[SecurityServerId, list[bytes]] = defaultdict(list)
    for certificate in registry.auth_certificates:
        certificates[certificate.server].append(certificate.certificate_der)
    return tuple(
        SecurityServer(
            id=item.id,
            address=item.address,
            auth_cert_hashes=frozenset().union(*map(auth_cert_hashes, certificates[item.id])),
            clients=frozenset(clients[item.id]),
            maintenance=(item.maintenance_mode_message or "") if item.in_maintenance_mode else None,
        )
        for item in registry.servers
    )


def _groups(registry: RegistryContent) -> tuple[GlobalGroup, ...]:
    members: dict[str, set[ClientId]] = defaultdict(set)
    for item in registry.group_members:
        members[item.group_code].add(item.client)
    return tuple(
        GlobalGroup(
            GlobalGroupId(registry.parameters.instance, item.code), item.description, frozenset(members[item.code])
        )
        for item in registry.groups
    )
