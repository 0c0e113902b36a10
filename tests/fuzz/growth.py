"""Inputs that grow: for each parser, what grows in them that a careless reader would walk twice.

A grower takes a number and returns an input about that much larger. Some inputs are lawful and some are
not; what is held of all is that twice the input costs about twice the time.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from gateway.runtime.http.streams import READ_BYTES
from gateway.xroad.bodies import BytesSink
from gateway.xroad.mime import MultipartParser
from gateway.xroad.soap.package import PackageReader
from gateway.xroad.transport.decoder import Side, TransportDecoder
from tests.factories.messages import soap_bytes
from tests.fuzz.targets import TARGETS, WSDL, WSDL_OF_OWN

Grow = Callable[[int], bytes]
Run = Callable[[bytes], object]

_SOAP = soap_bytes()
_HEADER_END = _SOAP.index(b"Header>", _SOAP.index(b"Header>") + 1)
_HEADER_CLOSE = _SOAP.rindex(b"</", 0, _HEADER_END)
_BODY_CLOSE = _SOAP.rindex(b"</", 0, _SOAP.rindex(b"</", 0, _SOAP.rindex(b"Envelope>") - 2) - 1)


def _in_header(more: bytes) -> bytes:
    return _SOAP[:_HEADER_CLOSE] + more + _SOAP[_HEADER_CLOSE:]


def _in_body(more: bytes) -> bytes:
    return _SOAP[:_BODY_CLOSE] + more + _SOAP[_BODY_CLOSE:]


def _attributes(count: int) -> bytes:
    return b"<a " + b" ".join(b'b%d="c"' % number for number in range(count)) + b"/>"


def _namespaces(count: int) -> bytes:
    return b"".join(b'<n%d:a xmlns:n%d="urn:%d"/>' % (number, number, number) for number in range(count))


def _parts(count: int, content: bytes = b"x") -> bytes:
    return b"".join(b"--b\r\nContent-Type: a/b\r\n\r\n" + content + b"\r\n" for _ in range(count)) + b"--b--\r\n"


def _package_of(count: int) -> bytes:
    soap = b"--b\r\nContent-Type: text/xml\r\n\r\n" + _SOAP + b"\r\n"
    return b"multipart/related; boundary=b\n" + soap + _parts(count)


def _whole_package(data: bytes) -> None:
    content_type, _, body = data.partition(b"\n")
    reader = PackageReader(content_type.decode("latin-1"), open_sink=BytesSink)
    reader.feed(body)
    reader.finish()


def _split_package(data: bytes) -> None:
    content_type, _, body = data.partition(b"\n")
    reader = PackageReader(content_type.decode("latin-1"), open_sink=BytesSink)
    for start in range(0, len(body), 1460):
        reader.feed(body[start : start + 1460])
    reader.finish()


def _large_package(data: bytes) -> None:
    reader = PackageReader("multipart/related; boundary=b", open_sink=BytesSink)
    for start in range(0, len(data), READ_BYTES):
        reader.feed(data[start : start + READ_BYTES])
    reader.finish()


def _large_multipart(data: bytes) -> None:
    parser = MultipartParser(b"b")
    for start in range(0, len(data), READ_BYTES):
        parser.feed(data[start : start + READ_BYTES])
    parser.finish()


def _split_transport(data: bytes) -> None:
    decoder = TransportDecoder("multipart/mixed; boundary=b", side=Side.REQUEST, open_sink=BytesSink)
    for start in range(0, len(data), 1460):
        decoder.feed(data[start : start + 1460])
    decoder.finish()


def _whole_transport(data: bytes) -> None:
    decoder = TransportDecoder("multipart/mixed; boundary=b", side=Side.REQUEST, open_sink=BytesSink)
    decoder.feed(data)
    decoder.finish()


def _transport_of(message: bytes, content_type: bytes = b"text/xml") -> bytes:
    return b"--b\r\ncontent-type: " + content_type + b"\r\n\r\n" + message + b"\r\n--b--\r\n"


def _rest_request(headers: bytes) -> bytes:
    return b"GET\r\n/r1/A/B/C/D/E\r\nX-Road-Client:A/B/C/D\r\nX-Road-Id:1\r\nx-road-request-id:2\r\n" + headers


def _uxp(headers: bytes) -> bytes:
    return b"GET /restapi/a\nUxp-Client:A/B/C/D\nUXP-SERVICE:A/B/C/D/E/v1\nUxp-Purpose-Ids:P\n" + headers


def _bound_operations(count: int) -> bytes:
    one = b"<operation name='op%d'><x:version>v1</x:version></operation>"
    more = b"".join(one % number for number in range(count))
    return WSDL.replace(b"</binding>", more + b"</binding>")


def _messages(count: int) -> bytes:
    one = b"<message name='m%d'><part name='id' element='x:id'/></message>"
    more = b"".join(one % number for number in range(count))
    return WSDL_OF_OWN.replace(b"<portType", more + b"<portType", 1)


def _schemas(count: int) -> bytes:
    xsd = b"http://www.w3.org/2001/XMLSchema"
    one = b"<schema xmlns='%b' targetNamespace='urn:%d'><include schemaLocation='a'/></schema>"
    more = b"".join(one % (xsd, number) for number in range(count))
    return WSDL_OF_OWN.replace(b"</types>", more + b"</types>", 1)


_CERTIFICATE = b"<ds:X509Certificate>" + base64.b64encode(b"x" * 300) + b"</ds:X509Certificate>"


_GET = b"GET / HTTP/1.1\r\nHost: a\r\n"


@dataclass(frozen=True)
class Growth:
    """How an input grows, from where on, and who reads it."""

    run: Run
    grow: Grow
    start: int


def _of(target: str, grow: Grow, start: int) -> Growth:
    return Growth(TARGETS[target].run, grow, start)


GROWTHS: dict[str, Growth] = {
    "soap: elements in the body": _of("soap", lambda n: _in_body(b"<a/>" * n), 30_000),
    "soap: text in the body": _of("soap", lambda n: _in_body(b"x" * n), 2_000_000),
    "soap: lines in the body": _of("soap", lambda n: _in_body(b"x\r\n" * n), 500_000),
    "soap: references in the body": _of("soap", lambda n: _in_body(b"&amp;" * n), 200_000),
    "soap: CDATA in the body": _of("soap", lambda n: _in_body(b"<![CDATA[x]]>" * n), 60_000),
    "soap: comments in the body": _of("soap", lambda n: _in_body(b"<!-- x -->" * n), 60_000),
    "soap: attributes": _of("soap", lambda n: _in_body(_attributes(n)), 10_000),
    "soap: namespaces": _of("soap", lambda n: _in_body(_namespaces(n)), 10_000),
    "soap: depth": _of("soap", lambda n: _in_body(b"<a>" * n + b"</a>" * n), 30_000),
    "soap: elements in the header": _of("soap", lambda n: _in_header(b"<a/>" * n), 30_000),
    "soap: text in the header": _of("soap", lambda n: _in_header(b"<a>" + b"x " * n + b"</a>"), 500_000),
    "soap: header that is nearly known": _of("soap", lambda n: _in_header(b"<id>x</" * n), 20_000),
    "soap: ends that are none": _of("soap", lambda n: _SOAP[:_BODY_CLOSE] + b"</a" * n, 200_000),
    "soap: bytes before it": _of("soap", lambda n: b" " * n + _SOAP, 1_000_000),
    "soap: bytes behind it": _of("soap", lambda n: _SOAP + b"\n" * n, 1_000_000),
    "soap: DOCTYPE": _of("soap", lambda n: b"<!DOCTYPE a [" + b"<!ENTITY b 'c'>" * n + b"]>" + _SOAP, 30_000),
    "package: parts whole": Growth(_whole_package, _package_of, 400),
    "package: parts split": Growth(_split_package, _package_of, 400),
    "package: large part": Growth(_large_package, lambda n: _package_of(1)[33:-7] + b"x" * n, 4_000_000),
    "package: lines split": Growth(_split_package, lambda n: _package_of(1)[:-5] + b"\r\n--" * n, 200_000),
    "package: nearly boundaries": Growth(_split_package, lambda n: _package_of(1)[:-7] + b"\r\n--c" * n, 200_000),
    "multipart: parts": _of("multipart", _parts, 450),
    "multipart: large part": Growth(_large_multipart, lambda n: _parts(1, b"x" * n), 4_000_000),
    "multipart: nearly boundaries": _of("multipart", lambda n: _parts(1, b"\r\n--a" * n), 200_000),
    "multipart: boundary without a line": _of("multipart", lambda n: _parts(1, b"--b" * n), 300_000),
    "multipart: line ends": _of("multipart", lambda n: _parts(1, b"\n" * n), 1_000_000),
    "multipart: preamble": _of("multipart", lambda n: b"x\r\n" * n + _parts(1), 500_000),
    "multipart: epilogue": _of("multipart", lambda n: _parts(1) + b"--b\r\n" * n, 200_000),
    "multipart: header of a part": _of("multipart", lambda n: b"--b\r\n" + b"a: b\r\n" * n, 200_000),
    "multipart: header without an end": _of("multipart", lambda n: b"--b\r\na: " + b"b" * n, 1_000_000),
    "rest: segments": _of("rest-target", lambda n: b"/r1/A/B/C/D/E" + b"/a" * n, 200_000),
    "rest: escapes": _of("rest-target", lambda n: b"/r1/A/B/C/D/E/" + b"%41" * n, 200_000),
    "rest: escapes in an identifier": _of("rest-target", lambda n: b"/r1/A/B/C/D/" + b"%41" * n, 200_000),
    "rest: dots": _of("rest-target", lambda n: b"/r1/A/B/C/D/E/" + b"./" * n, 200_000),
    "rest: query": _of("rest-target", lambda n: b"/r1/A/B/C/D/E?" + b"a=b&" * n, 200_000),
    "rest: headers": _of("rest-part", lambda n: _rest_request(b"a:b\r\n" * n), 20_000),
    "rest: the same header": _of("rest-part", lambda n: _rest_request(b"X-Road-Id:b\r\n" * n), 20_000),
    "rest: long header": _of("rest-part", lambda n: _rest_request(b"a:" + b"b" * n + b"\r\n"), 500_000),
    "rest: empty lines": _of("rest-part", lambda n: _rest_request(b"\r\n" * n), 100_000),
    "uxp: headers": _of("uxp-request", lambda n: _uxp(b"a:b\n" * n), 20_000),
    "uxp: purposes": _of("uxp-request", lambda n: _uxp(b"Uxp-Purpose-Id:b\n" * n), 20_000),
    "uxp: query": _of("uxp-request", lambda n: _uxp(b"").replace(b"/a", b"/a?" + b"queryId=b&" * n, 1), 50_000),
    "uxp: path": _of("uxp-request", lambda n: _uxp(b"").replace(b"/a", b"/a" * n, 1), 200_000),
    "transport: large message split": Growth(_split_transport, lambda n: _transport_of(_in_body(b"x" * n)), 1_000_000),
    "transport: large message whole": Growth(_whole_transport, lambda n: _transport_of(_in_body(b"x" * n)), 2_000_000),
    "transport: certificate statuses": Growth(
        _whole_transport, lambda n: _transport_of(b"x" * n, b"application/ocsp-response") * 8, 10_000
    ),
    "transport: preamble": Growth(_split_transport, lambda n: b"--c\r\n" * n + _transport_of(_SOAP), 200_000),
    "transport: REST head": Growth(
        _split_transport,
        lambda n: _transport_of(_rest_request(b"a:b\r\n" * n), b"application/x-road-rest-request"),
        10_000,
    ),
    "wsdl: operations": _of("wsdl", _bound_operations, 2_000),
    "wsdl: comments": _of("wsdl", lambda n: WSDL.replace(b"<service", b"<!-- x -->" * n + b"<service", 1), 20_000),
    "wsdl-for-callers: operations": _of("wsdl-for-callers", _bound_operations, 2_000),
    "wsdl-for-callers: messages": _of("wsdl-for-callers", _messages, 2_000),
    "wsdl-for-callers: schemas": _of("wsdl-for-callers", _schemas, 1_000),
    "wsdl-hidden: ports": _of(
        "wsdl-hidden",
        lambda n: WSDL.replace(
            b"</service>", b'<port name="q" binding="b"><s:address location="http://h/"/></port>' * n + b"</service>"
        ),
        2_000,
    ),
    "signature: references": _of(
        "signature",
        lambda n: TARGETS["signature"].seeds()[0].replace(
            b"</ds:SignedInfo>", b'<ds:Reference URI="/a"/>' * n + b"</ds:SignedInfo>"
        ),
        5_000,
    ),
    "signature: certificates": _of(
        "signature",
        lambda n: TARGETS["signature"].seeds()[0].replace(
            b"</ds:X509Data>",
            _CERTIFICATE * n + b"</ds:X509Data>",
        ),
        1_000,
    ),
    "http: headers": _of("http-request", lambda n: _GET + b"A: b\r\n" * n + b"\r\n", 20_000),
    "http: long header": _of(
        "http-request", lambda n: b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * n + b"\r\n\r\n", 500_000
    ),
}  # fmt: skip
