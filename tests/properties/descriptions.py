"""Strategies for descriptions: WSDLs of any operations and versions, with and without X-Road schemas of their own."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.factories.descriptions import SOAP11, SOAP12, a_wsdl

_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,10}", fullmatch=True)
_OWN_SCHEMAS = (
    '<xsd:schema targetNamespace="http://x-road.eu/xsd/xroad.xsd">'
    '<xsd:element name="id" type="xsd:string"/></xsd:schema>',
    '<xsd:schema><xsd:import namespace="http://x-road.eu/xsd/xroad.xsd" schemaLocation="x.xsd"/></xsd:schema>',
    '<xsd:schema targetNamespace="http://x-road.eu/xsd/identifiers">'
    '<xsd:include schemaLocation="http://x-road.eu/xsd/identifiers.xsd"/></xsd:schema>',
)


@dataclass(frozen=True, slots=True)
class Described:
    """A description and one service in it."""

    document: bytes
    code: str
    version: str | None


@st.composite
def wsdls(draw: st.DrawFn) -> Described:
    """A WSDL 1.1 that binds the service."""
    names = draw(st.lists(_NAMES, min_size=1, max_size=4, unique_by=str.lower))
    versions = draw(st.lists(st.none() | st.sampled_from(["v1", "v2"]), min_size=1, max_size=2, unique=True))
    document = a_wsdl(
        *names,
        versions=versions,
        schemas="".join(draw(st.lists(st.sampled_from(_OWN_SCHEMAS), unique=True))),
        soap=draw(st.lists(st.sampled_from([SOAP11, SOAP12]), min_size=1, unique=True)),
    )
    return Described(document, draw(st.sampled_from(names)), draw(st.sampled_from(versions)))
