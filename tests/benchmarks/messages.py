"""What is sent through the gateways: SOAP of 1.5 KB each way, the header echoed as it came, and large bodies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

NAMESPACE: Final = "https://surma.example/benchmarks"
OPERATION: Final = "GetPerson"
VERSION: Final = "v1"
SIZE_BYTES: Final = 1536
BULK: Final = "bulk"
PIECE: Final = os.urandom(256 * 1024)
PACKAGE_TYPE: Final = 'multipart/related; type="text/xml"; boundary=b'

INSTANCE: Final = "BENCH"
CLIENT: Final = "GOV/10000001/SNAP"
PROVIDER: Final = "GOV/10000002/DEMOGRAPHIC"

_NAMES: Final = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
_HEADER_END: Final = b"</E:Header>"


def _parts(client: str) -> str:
    values = (INSTANCE, *client.split("/"))
    return "".join(f"<id:{name}>{value}</id:{name}>" for name, value in zip(_NAMES, values, strict=True))


_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:xrd="http://x-road.eu/xsd/xroad.xsd" xmlns:id="http://x-road.eu/xsd/identifiers"><E:Header>'
    f'<xrd:client id:objectType="SUBSYSTEM">{_parts(CLIENT)}</xrd:client>'
    f'<xrd:service id:objectType="SERVICE">{_parts(PROVIDER)}<id:serviceCode>{OPERATION}</id:serviceCode>'
    f"<id:serviceVersion>{VERSION}</id:serviceVersion></xrd:service>"
    "<xrd:userId>clerk-1</xrd:userId><xrd:protocolVersion>4.0</xrd:protocolVersion><xrd:id>"
).encode()
_AFTER_ID: Final = (
    f'</xrd:id></E:Header><E:Body><d:{OPERATION} xmlns:d="{NAMESPACE}"><d:unzr>19910824-00026</d:unzr><d:note>'
).encode()
_END: Final = f"</d:note></d:{OPERATION}></E:Body></E:Envelope>".encode()
_ANSWER: Final = f'<E:Body><d:{OPERATION}Response xmlns:d="{NAMESPACE}"><d:person>'.encode()
_ANSWER_END: Final = f"</d:person></d:{OPERATION}Response></E:Body></E:Envelope>".encode()


def request(query_id: str) -> bytes:
    """Return a request of 1.5 KB with this id."""
    head = _HEAD + query_id.encode() + _AFTER_ID
    return head + b"x" * (SIZE_BYTES - len(head) - len(_END)) + _END


def answer_to(request: bytes) -> bytes:
    """Return an answer of the same size: its envelope and header are the request's."""
    head = request[: request.index(_HEADER_END) + len(_HEADER_END)] + _ANSWER
    return head + b"y" * max(0, SIZE_BYTES - len(head) - len(_ANSWER_END)) + _ANSWER_END


def is_answer(body: bytes) -> bool:
    """Whether this is the registry's answer and no fault."""
    return _ANSWER_END in body


def large(size_bytes: int) -> Iterator[bytes]:
    """Yield a body of this size without making it first."""
    while size_bytes:
        yield PIECE[:size_bytes]
        size_bytes -= min(size_bytes, len(PIECE))


def package(query_id: str, size_bytes: int) -> Iterator[bytes]:
    """Yield a request in a package, with one attachment of this size."""
    yield b"--b\r\nContent-Type: text/xml; charset=UTF-8\r\n\r\n" + request(query_id)
    yield b"\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-ID: <a@bench>\r\n\r\n"
    yield from large(size_bytes)
    yield b"\r\n--b--\r\n"
