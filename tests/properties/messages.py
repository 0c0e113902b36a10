"""Strategies for messages: SOAP headers and envelopes, REST requests, multiparts, and ways to split bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import strategies as st

from gateway.xroad.soap.headers import RepresentedParty, SecurityToken, SoapHeaders
from tests.properties import identifiers

_XML_TEXT = st.characters(
    exclude_categories=("Cs",),
    exclude_characters="".join(map(chr, [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])),
)
texts: st.SearchStrategy[str] = st.text(_XML_TEXT, max_size=40)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}")
names: st.SearchStrategy[str] = st.from_regex(_NAME, fullmatch=True)


@st.composite
def soap_headers(draw: st.DrawFn) -> SoapHeaders:
    """A header whose service code can be the beginning of an element's name."""
    service = draw(identifiers.services)
    service = type(service)(service.provider, draw(names), service.service_version)
    optional = st.none() | texts
    return SoapHeaders(
        client=draw(identifiers.clients),
        service=service,
        id=draw(texts),
        user_id=draw(optional),
        issue=draw(optional),
        represented_party=draw(st.none() | st.builds(RepresentedParty, optional, texts)),
        security_server=draw(st.none() | identifiers.servers),
        security_token=draw(st.none() | st.builds(SecurityToken, optional, texts)),
    )


@dataclass(frozen=True, slots=True)
class PlainPart:
    """One part of a multipart: headers and content."""

    headers: tuple[tuple[str, str], ...]
    content: bytes


_HEADER_NAME = st.from_regex(re.compile(r"[A-Za-z][A-Za-z0-9-]{0,15}"), fullmatch=True)
_HEADER_VALUE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30
).map(lambda value: value.strip(" \t"))
header_lists = st.lists(st.tuples(_HEADER_NAME, _HEADER_VALUE), max_size=4).map(tuple)
boundaries: st.SearchStrategy[bytes] = st.from_regex(re.compile(rb"[A-Za-z]{30}"), fullmatch=True)


@st.composite
def multiparts(draw: st.DrawFn) -> tuple[bytes, tuple[PlainPart, ...]]:
    """A boundary and parts whose contents look as much like delimiters as they can without being any."""
    boundary = draw(boundaries)
    pieces = st.sampled_from(
        [
            b"\r",
            b"\n",
            b"\r\n",
            b"-",
            b"--",
            b"--" + boundary[:5],
            b"\r\n--" + boundary[:-1],
            boundary,
            b"x",
            b"\x00\xff",
        ]
    )
    contents = st.lists(pieces | st.binary(max_size=5), max_size=8).map(b"".join)
    contents = contents.filter(lambda data: b"--" + boundary not in b"\r\n" + data)
    parts = draw(st.lists(st.builds(PlainPart, header_lists, contents), max_size=4))
    return boundary, tuple(parts)


@st.composite
def splits(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes in several pieces."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
