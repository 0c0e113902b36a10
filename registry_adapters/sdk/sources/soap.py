"""An existing SOAP 1.1 service, without X-Road, behind a registry's operations (document/literal).

    service = SoapApi("https://kennels.example/ws", namespace="urn:kennels")
    found = service.call("GetKennel", {"number": asked.number}, nothing=("Client.NotFound",))
    kennel = pick(Kennel, found["kennel"]) if found else None

An answer is read as plain data: an element with children is a dict by local names, one that comes
several times a list, any other its text.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping
from typing import Any, Final

from lxml import etree

from gateway.xroad.faults import XRoadFault
from gateway.xroad.xml import NS_SOAP11, NS_XSI, parse_xml
from registry_adapters.sdk.errors import RegistryError, RequestError
from registry_adapters.sdk.fields_xml import text_of
from registry_adapters.sdk.sources.http import MAX_ANSWER_BYTES, TIMEOUT_S, Asker

_NIL: Final = f"{{{NS_XSI}}}nil"
_ENVELOPE: Final = f"{{{NS_SOAP11}}}Envelope"


class SoapApi:
    """The service at `url` whose elements are in `namespace`; `qualified` says whether the inner ones are too."""

    def __init__(
        self,
        url: str,
        namespace: str,
        *,
        action: str = "",
        qualified: bool = True,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_ANSWER_BYTES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._namespace = namespace
        self._inner = f"{{{namespace}}}" if qualified else ""
        sent = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": f'"{action}"', **(headers or {})}
        self._asker = Asker(url, sent, timeout_s, max_bytes, tls)

    def close(self) -> None:
        """Close the connections."""
        self._asker.close()

    def call(
        self, operation: str, fields: Mapping[str, Any], *, nothing: Collection[str] = ()
    ) -> dict[str, Any] | None:
        """Return the answer's body element as a dict, or None for a fault whose code `nothing` names.

        Raises RequestError for a fault that is the caller's (Client), UnavailableError for any other failure.
        """
        reply = self._asker.ask("POST", "", content=self._envelope(operation, fields))
        try:
            root = parse_xml(reply.content)
        except XRoadFault as cause:
            raise self._asker.unusable(f"status {reply.status}, no XML") from cause
        body = root.find(f"{{{NS_SOAP11}}}Body/*") if root.tag == _ENVELOPE else None
        if body is None:
            raise self._asker.unusable(f"status {reply.status}, no SOAP body")
        if body.tag == f"{{{NS_SOAP11}}}Fault":
            code = body.findtext("faultcode", "").strip().rpartition(":")[2]
            if code in nothing:
                return None
            raise self._error(code[:100])
        data = _data_of(body)
        return data if isinstance(data, dict) else {}

    def _error(self, code: str) -> RegistryError:
        if code.partition(".")[0] == "Client":
            return RequestError("registry.source_refused", status=code)
        return self._asker.unavailable(f"fault {code}")

    def _envelope(self, operation: str, fields: Mapping[str, Any]) -> bytes:
        envelope = etree.Element(f"{{{NS_SOAP11}}}Envelope")
        body = etree.SubElement(envelope, f"{{{NS_SOAP11}}}Body")
        asked = etree.SubElement(body, f"{{{self._namespace}}}{operation}")
        self._write(asked, fields)
        return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")

    def _write(self, parent: etree._Element, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            for item in value if isinstance(value, list | tuple) else (value,):
                if item is None:
                    continue
                child = etree.SubElement(parent, self._inner + name)
                if isinstance(item, Mapping):
                    self._write(child, item)
                else:
                    child.text = str(item).lower() if isinstance(item, bool) else str(item)


def _data_of(element: etree._Element) -> Any:
    """Return an element as plain data; deep trees are refused by the parser already."""
    if element.get(_NIL) in ("true", "1"):
        return None
    children = list(element.iterchildren(tag=etree.Element))
    if not children:
        return text_of(element)
    data: dict[str, Any] = {}
    for child in children:
        name, held = etree.QName(child).localname, _data_of(child)
        if name not in data:
            data[name] = held
        elif isinstance(data[name], list):
            data[name].append(held)
        else:
            data[name] = [data[name], held]
    return data
