"""XML of the shared parameters in every schema version (PR-GCONF Annex B to D, X-Road globalconf/v2 … v6).

Element order is fixed and an element of a later version is refused in an earlier one, as the schema
would (`schemas` has the table). A document is walked once, and servers name clients that came before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from lxml import etree

from gateway.xroad.digests import Digest
from gateway.xroad.globalconf.elements import (
    CLIENT_ATTRIBUTES,
    Reader,
    base64_element,
    client_element,
    element,
    new_document,
    open_document,
    optional_element,
    read_client,
    serialise,
)
from gateway.xroad.globalconf.schemas import Schema, schema_of
from gateway.xroad.globalconf.shared_parameters import (
    COST_TYPES,
    CSR_FORMATS,
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
)
from gateway.xroad.identifiers import ClientId, GlobalGroupId, MemberId, SecurityServerId, SubsystemId

_MAX_FRESHNESS_S: Final = 2**31 - 1


def parse_shared_parameters(xml: bytes, version: int) -> SharedParameters:
    """Read `shared-params.xml` of a configuration version; MalformedMessage (malformed_global_conf) otherwise."""
    return _SharedParametersReader(schema_of(version)).read(open_document(xml, "conf"))


class _SharedParametersReader:
    """One document being read: its schema and the clients that its servers refer to by XML id."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.instance = ""
        self.by_id: dict[str, ClientId] = {}

    def read(self, conf: Reader) -> SharedParameters:
        self.instance = conf.child("instanceIdentifier").required_text()
        sources = conf.children("source", at_least=1) if self.schema.sources else []
        content = SharedParameters(
            instance=self.instance,
            sources=tuple(map(self.source, sources)),
            approved_cas=tuple(map(self.approved_ca, conf.children("approvedCA"))),
            approved_tsas=tuple(map(self.approved_tsa, conf.children("approvedTSA"))),
            members=tuple(map(self.member, conf.children("member", attributes=("id",)))),
            security_servers=tuple(map(self.security_server, conf.children("securityServer"))),
            global_groups=tuple(map(self.global_group, conf.children("globalGroup"))),
        )
        conf.children("centralService")  # dropped from X-Road; the schema still has room for it
        settings = conf.child("globalSettings")
        classes = tuple(map(self.member_class, settings.children("memberClass")))
        freshness_s = settings.child("ocspFreshnessSeconds").integer(minimum=0, maximum=_MAX_FRESHNESS_S)
        settings.end()
        conf.end(open_content=self.schema.open_content)
        _require_unique(conf, [f"member {member.id}" for member in content.members])
        _require_unique(conf, [f"securityServer {server.id}" for server in content.security_servers])
        _require_unique(conf, [f"globalGroup {group.id}" for group in content.global_groups])
        return replace(content, member_classes=classes, ocsp_freshness_s=freshness_s)

    def source(self, reader: Reader) -> ConfigurationSource:
        address = reader.child("address").text()
        internal = tuple(cert.base64() for cert in reader.children("internalVerificationCert"))
        external = tuple(cert.base64() for cert in reader.children("externalVerificationCert"))
        reader.end()
        return ConfigurationSource(address, internal, external)

    def approved_ca(self, reader: Reader) -> ApprovedCa:
        name = reader.child("name").text()
        only = reader.find("authenticationOnly")
        authentication_only = only is not None and only.boolean()
        top = self.ca_info(reader.child("topCA"))
        intermediates = tuple(map(self.ca_info, reader.children("intermediateCA")))
        profile = reader.child("certificateProfileInfo").token()
        csr_format = reader.find("defaultCsrFormat") if self.schema.csr_format else None
        acme = reader.find("acmeServer") if self.schema.acme else None
        reader.end()
        return ApprovedCa(
            name=name,
            top=top,
            profile=profile,
            intermediates=intermediates,
            authentication_only=authentication_only,
            default_csr_format=None if csr_format is None else csr_format.one_of(CSR_FORMATS),
            acme=None if acme is None else self.acme(acme),
        )

    def ca_info(self, reader: Reader) -> CaInfo:
        certificate = reader.child("cert").base64()
        responders = tuple(map(self.ocsp_responder, reader.children("ocsp")))
        reader.end()
        return CaInfo(certificate, responders)

    def ocsp_responder(self, reader: Reader) -> OcspResponder:
        url = reader.child("url").token()
        certificate = reader.find("cert")
        cost_type = self.cost_type(reader)
        reader.end()
        return OcspResponder(url, None if certificate is None else certificate.base64(), cost_type)

    def acme(self, reader: Reader) -> AcmeServer:
        directory_url = reader.child("directoryURL").token()
        names = ["ipAddress"]
        if self.schema.acme_profiles:
            names += ["authenticationCertificateProfileId", "signingCertificateProfileId"]
        optional = [None if (child := reader.find(name)) is None else child.text() for name in names]
        reader.end()
        return AcmeServer(directory_url, *optional)

    def approved_tsa(self, reader: Reader) -> ApprovedTsa:
        name = reader.child("name").text()
        url = reader.child("url").token()
        certificate = reader.child("cert").base64()
        cost_type = self.cost_type(reader)
        reader.end()
        return ApprovedTsa(name, url, certificate, cost_type)

    def cost_type(self, reader: Reader) -> str | None:
        child = reader.find("costType") if self.schema.costs else None
        return None if child is None else child.one_of(COST_TYPES)

    def member(self, reader: Reader) -> Member:
        member_class = self.member_class(reader.child("memberClass"))
        code = reader.child("memberCode").required_text()
        name = reader.child("name").text()
        member_id = MemberId(self.instance, member_class.code, code)
        self.remember(reader, member_id)
        subsystems = tuple(self.subsystem(sub, member_id) for sub in reader.children("subsystem", attributes=("id",)))
        reader.end()
        return Member(member_id, name, member_class.description, subsystems)

    def subsystem(self, reader: Reader, member: MemberId) -> Subsystem:
        subsystem_id = SubsystemId(member, reader.child("subsystemCode").required_text())
        self.remember(reader, subsystem_id)
        name = reader.find("subsystemName") if self.schema.subsystem_names else None
        reader.end()
        return Subsystem(subsystem_id, None if name is None else name.text())

    def member_class(self, reader: Reader) -> MemberClass:
        code = reader.child("code").required_text()
        description = reader.child("description").text()
        reader.end()
        return MemberClass(code, description)

    def remember(self, reader: Reader, client: ClientId) -> None:
        key = reader.attribute("id")
        if key is None:
            return
        if key in self.by_id:
            raise reader.refuse("globalconf.duplicate", value=key)
        self.by_id[key] = client

    def security_server(self, reader: Reader) -> SecurityServer:
        owner_reference = reader.child("owner")
        owner = self.referred(owner_reference)
        if not isinstance(owner, MemberId):
            raise owner_reference.refuse("globalconf.owner_not_member", value=owner)
        code = reader.child("serverCode").required_text()
        address = reader.find("address")
        algorithm = self.schema.auth_cert_hash
        hashes = frozenset(Digest(algorithm, h.base64()) for h in reader.children("authCertHash"))
        clients = frozenset(map(self.referred, reader.children("client")))
        maintenance = reader.find("inMaintenanceMode") if self.schema.maintenance else None
        reader.end()
        return SecurityServer(
            id=SecurityServerId(owner, code),
            address=None if address is None else address.token(),
            auth_cert_hashes=hashes,
            clients=clients - {owner},
            maintenance=None if maintenance is None else self.maintenance_message(maintenance),
        )

    def referred(self, reader: Reader) -> ClientId:
        client = self.by_id.get(reader.token())
        if client is None:
            raise reader.refuse("globalconf.unknown_reference", value=reader.token()[:64])
        return client

    def maintenance_message(self, reader: Reader) -> str:
        message = reader.find("message")
        reader.end()
        return "" if message is None else message.text()

    def global_group(self, reader: Reader) -> GlobalGroup:
        group = GlobalGroupId(self.instance, reader.child("groupCode").required_text())
        description = reader.child("description").text()
        members = frozenset(map(read_client, reader.children("groupMember", attributes=CLIENT_ATTRIBUTES)))
        reader.end()
        return GlobalGroup(group, description, members)


def _require_unique(conf: Reader, values: list[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise conf.refuse("globalconf.duplicate", value=value)
        seen.add(value)


def build_shared_parameters(parameters: SharedParameters, version: int) -> bytes:
    """Write `shared-params.xml` in a configuration version; what the version cannot say is left out.

    A server's hashes in other algorithms than the version's are left out too: give
    `auth_cert_hashes()` of every certificate, which has them all.
    """
    schema = schema_of(version)
    conf = new_document("conf")
    element(conf, "instanceIdentifier", parameters.instance)
    if schema.sources:
        for source in parameters.sources:
            _write_source(conf, source)
    for ca in parameters.approved_cas:
        _write_ca(conf, ca, schema)
    for tsa in parameters.approved_tsas:
        _write_tsa(conf, tsa, schema)
    ids = _write_members(conf, parameters.members, schema)
    for server in parameters.security_servers:
        _write_server(conf, server, ids, schema)
    for group in parameters.global_groups:
        _write_group(conf, group)
    settings = element(conf, "globalSettings")
    for member_class in parameters.member_classes:
        _write_member_class(settings, member_class.code, member_class.description)
    element(settings, "ocspFreshnessSeconds", str(parameters.ocsp_freshness_s))
    return serialise(conf)


def _write_source(conf: etree._Element, source: ConfigurationSource) -> None:
    node = element(conf, "source")
    element(node, "address", source.address)
    for certificate in source.internal_certificates:
        base64_element(node, "internalVerificationCert", certificate)
    for certificate in source.external_certificates:
        base64_element(node, "externalVerificationCert", certificate)


def _write_ca(conf: etree._Element, ca: ApprovedCa, schema: Schema) -> None:
    node = element(conf, "approvedCA")
    element(node, "name", ca.name)
    element(node, "authenticationOnly", "true" if ca.authentication_only else "false")
    for name, info in (("topCA", ca.top), *(("intermediateCA", info) for info in ca.intermediates)):
        child = element(node, name)
        base64_element(child, "cert", info.certificate_der)
        for responder in info.ocsp_responders:
            _write_responder(child, responder, schema)
    element(node, "certificateProfileInfo", ca.profile)
    if schema.csr_format:
        optional_element(node, "defaultCsrFormat", ca.default_csr_format)
    if schema.acme and ca.acme is not None:
        _write_acme(node, ca.acme, schema)


def _write_responder(node: etree._Element, responder: OcspResponder, schema: Schema) -> None:
    child = element(node, "ocsp")
    element(child, "url", responder.url)
    if responder.certificate_der is not None:
        base64_element(child, "cert", responder.certificate_der)
    if schema.costs:
        optional_element(child, "costType", responder.cost_type)


def _write_acme(node: etree._Element, acme: AcmeServer, schema: Schema) -> None:
    child = element(node, "acmeServer")
    element(child, "directoryURL", acme.directory_url)
    optional_element(child, "ipAddress", acme.ip_address)
    if schema.acme_profiles:
        optional_element(child, "authenticationCertificateProfileId", acme.authentication_profile_id)
        optional_element(child, "signingCertificateProfileId", acme.signing_profile_id)


def _write_tsa(conf: etree._Element, tsa: ApprovedTsa, schema: Schema) -> None:
    node = element(conf, "approvedTSA")
    element(node, "name", tsa.name)
    element(node, "url", tsa.url)
    base64_element(node, "cert", tsa.certificate_der)
    if schema.costs:
        optional_element(node, "costType", tsa.cost_type)


def _write_members(conf: etree._Element, members: tuple[Member, ...], schema: Schema) -> dict[ClientId, str]:
    """Write members, numbered member by member with their subsystems (X-Road SharedParametersV6ToXmlConverter.java)."""
    ids: dict[ClientId, str] = {}
    for member in members:
        node = element(conf, "member")
        node.set("id", ids.setdefault(member.id, f"id{len(ids)}"))
        _write_member_class(node, member.id.member_class, member.class_description)
        element(node, "memberCode", member.id.member_code)
        element(node, "name", member.name)
        for subsystem in member.subsystems:
            child = element(node, "subsystem")
            child.set("id", ids.setdefault(subsystem.id, f"id{len(ids)}"))
            element(child, "subsystemCode", subsystem.id.subsystem_code)
            if schema.subsystem_names:
                optional_element(child, "subsystemName", subsystem.name)
    return ids


def _write_member_class(node: etree._Element, code: str, description: str) -> None:
    child = element(node, "memberClass")
    element(child, "code", code)
    element(child, "description", description)


def _write_server(conf: etree._Element, server: SecurityServer, ids: Mapping[ClientId, str], schema: Schema) -> None:
    node = element(conf, "securityServer")
    element(node, "owner", ids[server.id.owner])
    element(node, "serverCode", server.id.server_code)
    optional_element(node, "address", server.address)
    listed = (digest.value for digest in server.auth_cert_hashes if digest.algorithm is schema.auth_cert_hash)
    for value in sorted(listed):
        base64_element(node, "authCertHash", value)
    for client in sorted(server.clients - {server.id.owner}):
        element(node, "client", ids[client])
    if schema.maintenance and server.maintenance is not None:
        child = element(node, "inMaintenanceMode")
        optional_element(child, "message", server.maintenance or None)


def _write_group(conf: etree._Element, group: GlobalGroup) -> None:
    node = element(conf, "globalGroup")
    element(node, "groupCode", group.id.group_code)
    element(node, "description", group.description)
    for member in sorted(group.members):
        client_element(node, "groupMember", member)
