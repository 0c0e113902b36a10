"""XML of the private parameters (PR-GCONF Annex B, X-Road globalconf/v2 and v3; V3 only tolerates more at the end)."""

from __future__ import annotations

from typing import Final

from gateway.xroad.globalconf.anchor import read_anchor, write_anchor
from gateway.xroad.globalconf.elements import (
    CLIENT_ATTRIBUTES,
    Reader,
    base64_element,
    client_element,
    element,
    new_document,
    open_document,
    read_client,
    serialise,
)
from gateway.xroad.globalconf.private_parameters import ManagementService, PrivateParameters
from gateway.xroad.globalconf.schemas import schema_of

_MAX_INTERVAL_S: Final = 2**31 - 1


def parse_private_parameters(xml: bytes, version: int) -> PrivateParameters:
    """Read `private-params.xml` of a configuration version; MalformedMessage (malformed_global_conf) otherwise."""
    schema = schema_of(version)
    conf = open_document(xml, "conf")
    instance = conf.child("instanceIdentifier").required_text()
    anchors = tuple(map(read_anchor, conf.children("configurationAnchor")))
    management_service = _read_management_service(conf.child("managementService"))
    interval_s = conf.child("timeStampingIntervalSeconds").integer(minimum=0, maximum=_MAX_INTERVAL_S)
    conf.end(open_content=schema.open_content)
    return PrivateParameters(instance, management_service, interval_s, anchors)


def _read_management_service(reader: Reader) -> ManagementService:
    address = reader.child("authCertRegServiceAddress").token()
    certificate = reader.find("authCertRegServiceCert")
    provider = read_client(reader.child("managementRequestServiceProviderId", attributes=CLIENT_ATTRIBUTES))
    reader.end()
    return ManagementService(address, None if certificate is None else certificate.base64(), provider)


def build_private_parameters(parameters: PrivateParameters, version: int) -> bytes:
    """Write `private-params.xml` in a configuration version."""
    schema_of(version)
    conf = new_document("conf")
    element(conf, "instanceIdentifier", parameters.instance)
    for anchor in parameters.anchors:
        write_anchor(element(conf, "configurationAnchor"), anchor)
    service = parameters.management_service
    node = element(conf, "managementService")
    element(node, "authCertRegServiceAddress", service.auth_cert_registration_address)
    if service.auth_cert_registration_certificate is not None:
        base64_element(node, "authCertRegServiceCert", service.auth_cert_registration_certificate)
    client_element(node, "managementRequestServiceProviderId", service.provider)
    element(conf, "timeStampingIntervalSeconds", str(parameters.timestamping_interval_s))
    return serialise(conf)
