"""The list of clients: XML or JSON by Accept (PR-META 2, X-Road MetadataClientRequestProcessor.java)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree

from gateway.xroad.faults import AccessRefused
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId
from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD

XML_TYPE: Final = "text/xml; charset=UTF-8"
JSON_TYPE: Final = "application/json; charset=utf-8"
_PARTS: Final = (
    ("xRoadInstance", "xroad_instance"),
    ("memberClass", "member_class"),
    ("memberCode", "member_code"),
    ("subsystemCode", "subsystem_code"),
)
# XML 1.0 2.2: names come from configurations of other instances, which were read as XML or not at all.
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class ListedClient:
    """A member or subsystem; `name` is the member's in both cases."""

    id: ClientId
    name: str | None
    subsystem_name: str | None = None


def clients_of(globalconf: GlobalConf, instance: str) -> tuple[ListedClient, ...]:
    """Return every member of an instance, each followed by its subsystems, registered or not.

    Raises AccessRefused (internal_error, as X-Road answers) for an instance that is not known.
    """
    if instance not in globalconf.shared:
        known = ", ".join(sorted(globalconf.shared))
        raise AccessRefused("internal_error", "metadata.unknown_instance", instance=instance[:100], known=known)
    return tuple(describe(client, globalconf) for client in globalconf.clients(instance))


def describe(client: ClientId, globalconf: GlobalConf) -> ListedClient:
    """Return a client with the names that the global configuration has for it."""
    subsystem_name = None if client.subsystem_code is None else globalconf.subsystem_name(client)
    return ListedClient(client, globalconf.member_name(client), subsystem_name)


def accepts_json(accept: Iterable[str]) -> bool:
    """Tell whether any Accept header names JSON; parameters, its weight among them, are not looked at."""
    items = (item for value in accept for item in value.split(","))
    return any(item.partition(";")[0].strip().lower() == "application/json" for item in items)


def build_client_list_xml(clients: Iterable[ListedClient]) -> bytes:
    """Return the list as XML."""
    root = etree.Element(f"{{{NS_XROAD}}}clientList", nsmap={"id": NS_IDENTIFIERS, "xrd": NS_XROAD})
    for client in clients:
        entry = etree.SubElement(root, f"{{{NS_XROAD}}}member")
        kind = {f"{{{NS_IDENTIFIERS}}}objectType": client.id.object_type}
        identifier = etree.SubElement(entry, f"{{{NS_XROAD}}}id", kind)
        for (name, _), value in zip(_PARTS, client.id.parts, strict=False):
            etree.SubElement(identifier, f"{{{NS_IDENTIFIERS}}}{name}").text = _legal(value)
        for name, text in (("name", client.name), ("subsystemName", client.subsystem_name)):
            if text is not None:
                etree.SubElement(entry, f"{{{NS_XROAD}}}{name}").text = _legal(text)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def build_client_list_json(clients: Iterable[ListedClient]) -> bytes:
    """Return the list as JSON; what is not known is left out."""
    answer = {"member": [_entry(client) for client in clients]}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _entry(client: ListedClient) -> dict[str, Any]:
    parts = {name: value for (_, name), value in zip(_PARTS, client.id.parts, strict=False)}
    entry = {
        "id": {"object_type": client.id.object_type, **parts},
        "name": client.name,
        "subsystem_name": client.subsystem_name,
    }
    return {name: value for name, value in entry.items() if value is not None}


def _legal(text: str) -> str:
    return _ILLEGAL.sub("", text)
