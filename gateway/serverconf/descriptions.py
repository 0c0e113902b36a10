"""Read WSDL and OpenAPI documents into services and endpoints (X-Road WsdlParser.java, OpenApiParser.java).

Bytes in, facts out: who downloads the document is not said here. YAML is read with the safe loader
and bounded; nothing in a document can make us open another one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.xml import NS_XROAD, parse_xml

NS_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
SOAP_BINDINGS: Final = ("http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/")
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
MAX_DOCUMENT_BYTES: Final = 10 * 1024 * 1024
_PARAMETERS: Final = re.compile(r"(?:\{[^/{}]*\})+")  # several in a row are still one run without a slash


@dataclass(frozen=True, slots=True)
class DescribedService:
    """A service that a WSDL describes."""

    code: str
    version: str | None
    title: str | None
    url: str


@dataclass(frozen=True, slots=True)
class DescribedApi:
    """A REST service that an OpenAPI document describes; paths are glob rules (`{x}` became `*`)."""

    url: str
    endpoints: tuple[tuple[str, str], ...]


def parse_wsdl(document: bytes) -> tuple[DescribedService, ...]:
    """Return the services of a WSDL 1.1: one per operation of each SOAP binding that a port offers.

    Raises MalformedMessage (invalid_xml, or invalid_request when it describes no SOAP service).
    """
    root = parse_xml(document)
    if root.tag != f"{{{NS_WSDL}}}definitions":
        raise MalformedMessage("invalid_request", "descriptions.not_wsdl", root=str(root.tag)[:100])
    bindings = {
        str(element.get("name")): element
        for element in root.iterfind(f"{{{NS_WSDL}}}binding")
        if any(element.find(f"{{{ns}}}binding") is not None for ns in SOAP_BINDINGS)
    }
    found: dict[tuple[str, str | None], DescribedService] = {}
    for port in root.iterfind(f"{{{NS_WSDL}}}service/{{{NS_WSDL}}}port"):
        binding = bindings.get(str(port.get("binding", "")).rpartition(":")[2])
        location = _location(port)
        if binding is None or location is None:
            continue
        for operation in binding.iterfind(f"{{{NS_WSDL}}}operation"):
            service = _operation(root, binding, operation, location)
            found.setdefault((service.code, service.version), service)
    if not found:
        raise MalformedMessage("invalid_request", "descriptions.no_service")
    return tuple(found.values())


def _location(port: Any) -> str | None:
    for namespace in SOAP_BINDINGS:
        address = port.find(f"{{{namespace}}}address")
        if address is not None:
            return str(address.get("location", ""))
    return None


def _operation(root: Any, binding: Any, operation: Any, location: str) -> DescribedService:
    code = str(operation.get("name", ""))
    version = operation.findtext(f"{{{NS_XROAD}}}version")
    port_type = str(binding.get("type", "")).rpartition(":")[2]
    title = root.findtext(
        f"{{{NS_WSDL}}}portType[@name='{port_type}']/{{{NS_WSDL}}}operation[@name='{code}']"
        f"/{{{NS_WSDL}}}documentation/{{{NS_XROAD}}}title"
    ) if "'" not in port_type + code else None  # fmt: skip
    return DescribedService(code, (version or "").strip() or None, (title or "").strip() or None, location)


def parse_openapi(document: bytes) -> DescribedApi:
    """Return the base address and the endpoints of an OpenAPI 3 document, JSON or YAML.

    Raises MalformedMessage (invalid_request) for anything else.
    """
    tree = _load(document)
    if not isinstance(tree, dict) or not str(tree.get("openapi", "")).startswith("3."):
        raise MalformedMessage("invalid_request", "descriptions.not_openapi")
    servers = tree.get("servers")
    url = servers[0].get("url", "") if isinstance(servers, list) and servers and isinstance(servers[0], dict) else ""
    paths = tree.get("paths")
    endpoints = [
        (method.upper(), _PARAMETERS.sub("*", str(path).replace("*", r"\*")))
        for path, item in (paths if isinstance(paths, dict) else {}).items()
        if isinstance(item, dict)
        for method in METHODS
        if method in item
    ]
    return DescribedApi(str(url), tuple(dict.fromkeys(endpoints)))


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases: with them a small document can grow without bound."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose one node, unless it stands for another one."""
        if self.check_event(yaml.events.AliasEvent):
            raise MalformedMessage("invalid_request", "descriptions.yaml_aliases")
        return super().compose_node(parent, index)


def _load(document: bytes) -> Any:
    if len(document) > MAX_DOCUMENT_BYTES:
        raise MalformedMessage(
            "invalid_request", "descriptions.too_large", size_bytes=len(document), limit_bytes=MAX_DOCUMENT_BYTES
        )
    try:
        text = document.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            return json.loads(text)
        return yaml.load(text, _PlainLoader)  # noqa: S506  a safe loader, and stricter
    except XRoadFault:
        raise
    except (ValueError, RecursionError, yaml.YAMLError) as cause:
        raise MalformedMessage("invalid_request", "descriptions.unreadable", reason=type(cause).__name__) from cause
