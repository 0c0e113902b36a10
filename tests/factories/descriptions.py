"""Descriptions of SOAP services, as providers write them: a WSDL of any operations, with what a test puts in."""

from __future__ import annotations

from collections.abc import Sequence

PROVIDER_ADDRESS = "http://10.0.0.7:8090/soap"
NAMESPACE = "urn:registry"
SOAP11 = "http://schemas.xmlsoap.org/wsdl/soap/"
SOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"


def a_wsdl(
    *operations: str,
    versions: Sequence[str | None] = (None,),
    schemas: str = "",
    messages: str = "",
    headers: str = "",
    soap: Sequence[str] = (SOAP11,),
) -> bytes:
    """A WSDL 1.1 with one binding per version of SOAP and of the services; each operation asks `q` and is told `a`.

    `schemas`, `messages` and `headers` stand where their names say, the last in every input and output.
    """
    names = operations or ("Find",)
    bound = [
        (f"{number}{version or ''}", namespace, version)
        for number, namespace in enumerate(soap)
        for version in versions
    ]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- kept -->
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:tns="{NAMESPACE}"
  xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:p="urn:person" xmlns:x="http://x-road.eu/xsd/xroad.xsd"
  targetNamespace="{NAMESPACE}">
<wsdl:types>
<xsd:schema targetNamespace="{NAMESPACE}" elementFormDefault="qualified"><xsd:import namespace="urn:person"/>
{"".join(map(_elements, names))}</xsd:schema>
<xsd:schema targetNamespace="urn:person" elementFormDefault="qualified">
<xsd:complexType name="Person"><xsd:sequence><xsd:element name="name" type="xsd:string"/></xsd:sequence>
</xsd:complexType></xsd:schema>
{schemas}</wsdl:types>
{messages}{"".join(map(_messages, names))}
<wsdl:portType name="Registry">{"".join(map(_port_type, names))}</wsdl:portType>
{"".join(_binding(*one, names, headers) for one in bound)}
<wsdl:service name="Registry">{"".join(_port(name, namespace) for name, namespace, _ in bound)}</wsdl:service>
</wsdl:definitions>""".encode()


def _elements(name: str) -> str:
    return (
        f'<xsd:element name="{name}"><xsd:complexType><xsd:sequence><xsd:element name="q" type="xsd:string"/>'
        f"</xsd:sequence></xsd:complexType></xsd:element>"
        f'<xsd:element name="{name}Response"><xsd:complexType><xsd:sequence><xsd:element name="a" type="p:Person"/>'
        f"</xsd:sequence></xsd:complexType></xsd:element>"
    )


def _messages(name: str) -> str:
    return "".join(
        f'<wsdl:message name="{n}"><wsdl:part name="body" element="tns:{n}"/></wsdl:message>'
        for n in (name, f"{name}Response")
    )


def _port_type(name: str) -> str:
    return (
        f'<wsdl:operation name="{name}"><wsdl:input message="tns:{name}"/>'
        f'<wsdl:output message="tns:{name}Response"/></wsdl:operation>'
    )


def _binding(name: str, namespace: str, version: str | None, operations: Sequence[str], headers: str) -> str:
    told = f"<x:version>{version}</x:version>" if version else ""
    parts = '<s:body use="literal"/>' + headers
    bound = "".join(
        f'<wsdl:operation name="{operation}"><s:operation soapAction=""/>{told}<wsdl:input>{parts}</wsdl:input>'
        f"<wsdl:output>{parts}</wsdl:output></wsdl:operation>"
        for operation in operations
    )
    return (
        f'<wsdl:binding xmlns:s="{namespace}" name="B{name}" type="tns:Registry"><s:binding style="document" '
        f'transport="http://schemas.xmlsoap.org/soap/http"/>{bound}</wsdl:binding>'
    )


def _port(name: str, namespace: str) -> str:
    address = f'<s:address xmlns:s="{namespace}" location="{PROVIDER_ADDRESS}"/>'
    return f'<wsdl:port name="P{name}" binding="tns:B{name}">{address}</wsdl:port>'
