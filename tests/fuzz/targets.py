"""The parsers that read what others send, each with inputs to begin from.

A target takes bytes and returns nothing; it may raise only the error its parser documents. Seeds are
made by our own writers, so that mutations start inside the format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from gateway.runtime.http.heads import read_request_head, read_response_head
from gateway.runtime.http.problems import HttpProblem
from gateway.serverconf.descriptions import parse_openapi, parse_wsdl
from gateway.serverconf.openapi_servers import hide_servers
from gateway.xroad.asic.container import read_container
from gateway.xroad.asic.verify import verify_container
from gateway.xroad.bodies import BytesSink
from gateway.xroad.checkpoint import build_checkpoint, build_export, parse_export
from gateway.xroad.digests import digest_of
from gateway.xroad.faults import XRoadFault
from gateway.xroad.globalconf.anchor import parse_anchor
from gateway.xroad.globalconf.directory import parse_directory
from gateway.xroad.globalconf.private_parameters_xml import build_private_parameters, parse_private_parameters
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters, parse_shared_parameters
from gateway.xroad.globalconf.verification_conf import read_verification_conf
from gateway.xroad.metadata.wsdl import hide_addresses, rewrite_for_callers
from gateway.xroad.mime import MultipartParser, PartData
from gateway.xroad.pki.certificates import load_certificate
from gateway.xroad.pki.csr import parse_csr
from gateway.xroad.pki.ocsp import verify_ocsp
from gateway.xroad.pki.ocsp_responder import parse_request as parse_ocsp_request
from gateway.xroad.pki.tsp import parse_request, parse_response, parse_token
from gateway.xroad.rest.message import build_rest_request, parse_rest_message
from gateway.xroad.rest.target import parse_target
from gateway.xroad.rest.uxp import to_xroad
from gateway.xroad.signature.hash_chain import SIGNATURE_CHAIN, verify_hash_chain
from gateway.xroad.signature.xades_reader import parse_signature
from gateway.xroad.soap.envelope import scan_envelope
from gateway.xroad.soap.known_headers import scan_known
from gateway.xroad.soap.message import SoapMessage, parse_soap
from gateway.xroad.soap.package import PackageReader, answer_content_type, package_content_type, write_package
from gateway.xroad.transport.decoder import Side, TransportDecoder
from gateway.xroad.transport.encoder import TransportEncoder
from gateway.xroad.xml import NS_SOAP11, NS_SOAP12
from tests.factories.descriptions import a_wsdl
from tests.factories.globalconf import a_full_shared_parameters, a_private_parameters
from tests.factories.ledger import a_checkpoint
from tests.factories.messages import a_rest_request, a_rest_response, a_soap_message, an_attachment, soap_bytes
from tests.factories.pki import NOON, a_hierarchy, a_token, an_ocsp_response
from tests.factories.signatures import World, a_world

BOUNDARY = b"A" * 30


@dataclass(frozen=True)
class Target:
    """A parser, what it may raise, and inputs to begin from."""

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    refuses_with: type[Exception] = XRoadFault


@cache
def world() -> World:
    return a_world()


def _transport_request() -> bytes:
    signed = world().signed(a_rest_request())
    return b"".join(TransportEncoder((b"ocsp",), boundary=BOUNDARY).encode(signed))


def _transport_soap() -> bytes:
    message = a_soap_message(attachments=(an_attachment(), an_attachment(b"")))
    return b"".join(TransportEncoder((b"ocsp",), boundary=BOUNDARY).encode(world().signed(message)))


def _decoded(pieces: Iterable[bytes], side: Side) -> object:
    content_type = f"multipart/mixed; boundary=xtop{BOUNDARY.decode()}"
    decoder = TransportDecoder(content_type, side=side, open_sink=BytesSink)
    for piece in pieces:
        decoder.feed(piece)
    return decoder.finish()


def _decode(data: bytes, side: Side = Side.REQUEST) -> None:
    """Read a transport message in one piece and in many: it must be the same message.

    Of several flaws, another may be met first.
    """
    pieces = [data[start : start + 97] for start in range(0, len(data), 97)]
    whole, split = _outcome(lambda: _decoded([data], side)), _outcome(lambda: _decoded(pieces, side))
    assert whole == split or (isinstance(whole, str) and isinstance(split, str))
    _decoded([data], side)


def _transport_reply() -> bytes:
    return b"".join(TransportEncoder(boundary=BOUNDARY).encode(world().signed(a_rest_response())))


def _package(data: bytes) -> None:
    content_type, _, body = data.partition(b"\n")
    reader = PackageReader(content_type.decode("latin-1"), open_sink=BytesSink)
    for start in range(0, len(body), 701):
        reader.feed(body[start : start + 701])
    message = reader.finish()
    if isinstance(message, SoapMessage):
        package_content_type(message), answer_content_type(message), b"".join(write_package(message))


def _package_seed() -> bytes:
    message = a_soap_message(attachments=(an_attachment(), an_attachment(b"")))
    return package_content_type(message).encode() + b"\n" + b"".join(write_package(message))


def _outcome(read: Callable[[], object]) -> object:
    """Return what a reader returns, or the code it refuses with."""
    try:
        return read()
    except XRoadFault as fault:
        return fault.code


def _events(pieces: Iterable[bytes]) -> list[object]:
    """Read a multipart in pieces and return its parts: headers and content."""
    parser = MultipartParser(b"b")
    parts: list[object] = []
    content: list[bytes] = []
    for event in (*(event for piece in pieces for event in parser.feed(piece)), *parser.finish()):
        if isinstance(event, PartData):
            content.append(event.data)
        else:
            parts += [b"".join(content), event]
            content.clear()
    return parts


def _multipart(data: bytes) -> None:
    """Read a multipart in one piece, byte by byte, and in halves: it must be the same multipart."""
    small = data[:4096]
    whole = _outcome(lambda: _events([small]))
    assert whole == _outcome(lambda: _events(small[at : at + 1] for at in range(len(small))))
    assert whole == _outcome(lambda: _events([small[: len(small) // 2], small[len(small) // 2 :]]))
    _events([data])


def _known_soap(data: bytes) -> None:
    """Read an envelope as one of a known caller: it must be what the scanner sees in it."""
    scan_known(soap_bytes())
    assert _outcome(lambda: scan_known(data)) == _outcome(lambda: scan_envelope(data))
    scan_known(data)


def _status(data: bytes) -> None:
    hierarchy = a_hierarchy()
    verify_ocsp(
        data, hierarchy.issuing.certificate, hierarchy.root.certificate, responders=(), at=NOON, freshness_s=3600
    )


def _status_seed() -> bytes:
    hierarchy = a_hierarchy()
    return an_ocsp_response(hierarchy.issuing.certificate, hierarchy.root.certificate, hierarchy.responder)


def _chain(data: bytes) -> None:
    result, _, chain = data.partition(b"\0")
    verify_hash_chain(result, {SIGNATURE_CHAIN: chain})


def _chain_seed() -> bytes:
    signature = world().sign(a_rest_request(body=b"body"))
    assert signature.hash_chain_result is not None
    assert signature.hash_chain is not None
    return signature.hash_chain_result + b"\0" + signature.hash_chain


WSDL = b"""<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:x="http://x-road.eu/xsd/xroad.xsd"><binding name="b" type="t"><s:binding/><operation name="op">
<x:version>v1</x:version></operation></binding><service name="s"><port name="p" binding="b">
<s:address location="http://h/"/></port></service></definitions>"""
WSDL_OF_OWN = WSDL.replace(b"<definitions ", b'<definitions targetNamespace="urn:o" xmlns:t="urn:o" ').replace(
    b"<binding ",
    b'<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="http://x-road.eu/xsd/xroad.xsd">'
    b'<include schemaLocation="http://x-road.eu/xsd/xroad.xsd"/></schema></types>'
    b'<message name="h"><part name="id" element="x:id"/></message>'
    b'<portType name="t"><operation name="op"><input message="t:h"/></operation></portType><binding ',
)
OPENAPI_SERVERS = b'{"openapi":"3.1.0","servers":[{"url":"http://h:1/a"},{"url":"{x}"}],"paths":{}}'
OPENAPI = b'openapi: "3.0.0"\nservers:\n  - url: /a\npaths:\n  /pets/{id}:\n    get: {}\n    post: {}\n'
HEAD = b"POST /r1/A/B/C/D/E?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX-Road-Client: A/B/C/D\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/xml\r\n\r\n"
SOAP12 = soap_bytes().replace(NS_SOAP11.encode(), NS_SOAP12.encode())
MULTIPART = b"--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("latin-1"))


UXP = (
    b"GET /restapi/a%20b?queryId=q-1&userId=u\nUxp-Client:A/B/C/D\nUXP-SERVICE:A/B/C/D/E/v1\nUxp-Purpose-Ids:P1,P2\n",
    b"POST /restapi\nuxp-client:A/B/C\nuxp-service:A/B/C/PD_D/E\nUxp-QueryID:q\nUxp-UserId:u\nPurpose-Id:P\n",
)


def _uxp_request(data: bytes) -> object:
    """Read a request to `/restapi` as the consumer proxy does; the text is a line of the request and its headers."""
    first, *lines = data.decode("latin-1").split("\n")
    method, _, target = first.partition(" ")
    headers = [(name, value) for name, _, value in (line.partition(":") for line in lines if line)]
    said = to_xroad(method, target, headers, transaction_id="t")
    return build_rest_request(method, said.target, said.headers, request_id="t", new_id="n")


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("soap", lambda d: parse_soap(d, "text/xml"), lambda: [soap_bytes(), a_soap_message().raw]),
        Target(
            "package",
            _package,
            lambda: [_package_seed(), b"text/xml\n" + soap_bytes(), b"application/soap+xml\n" + SOAP12],
        ),
        Target("multipart", _multipart, lambda: [MULTIPART]),
        Target("rest-target", _text(parse_target), lambda: [b"/r1/A/B/C/D/E/path%20x?q=1", b"/r1/A/B/C/D%2FX/E/"]),
        Target("uxp-request", _uxp_request, lambda: UXP),
        Target("rest-part", parse_rest_message, lambda: [a_rest_request().raw, a_rest_response().raw]),
        Target("soap-known", _known_soap, lambda: [soap_bytes(), a_soap_message().raw, SOAP12]),
        Target("transport", _decode, lambda: [_transport_request(), _transport_soap()]),
        Target("transport-reply", lambda d: _decode(d, Side.RESPONSE), lambda: [_transport_reply(), _transport_soap()]),
        Target("signature", parse_signature, lambda: [world().sign(a_rest_request()).xml]),
        Target("hash-chain", _chain, lambda: [_chain_seed()]),
        Target("container", read_container, lambda: [world().container(a_rest_request(body=b"body"))]),
        Target(
            "container-verify",
            lambda d: verify_container(read_container(d), world().globalconf),
            lambda: [world().container(a_rest_request(), batch_stamp=True)],
        ),
        Target(
            "checkpoint",
            lambda d: parse_export(d.splitlines(keepends=True)),
            lambda: [_checkpoint(), b"".join(build_export(_checkpoint(), 3, [bytes([n]) * 32 for n in range(1, 4)]))],
        ),
        Target("anchor", parse_anchor, lambda: [b"<a/>", _anchor()]),
        Target("directory", parse_directory, lambda: [_directory()]),
        Target(
            "shared-parameters",
            lambda d: parse_shared_parameters(d, 6),
            lambda: [build_shared_parameters(a_full_shared_parameters(), 6)],
        ),
        Target(
            "private-parameters",
            lambda d: parse_private_parameters(d, 3),
            lambda: [build_private_parameters(a_private_parameters(), 3)],
        ),
        Target("verification-conf", read_verification_conf, lambda: [b"PK\x05\x06" + bytes(18)]),
        Target("certificate", load_certificate, lambda: [a_hierarchy().root.der]),
        Target("csr", parse_csr, lambda: [b"0\x03\x02\x01\x00"]),
        Target("ocsp-response", _status, lambda: [_status_seed()]),
        Target("ocsp-request", parse_ocsp_request, lambda: [b"0\x03\x02\x01\x00"]),
        Target("timestamp-token", parse_token, lambda: [a_token(digest_of(b"x"), a_hierarchy().tsa)]),
        Target("timestamp-response", parse_response, lambda: [b"0\x05\x30\x03\x02\x01\x02"]),
        Target("timestamp-request", parse_request, lambda: [b"0\x03\x02\x01\x01"]),
        Target("wsdl", parse_wsdl, lambda: [WSDL]),
        Target(
            "wsdl-for-callers",
            lambda d: rewrite_for_callers(d, "op", "v1", "http://127.0.0.1/"),
            lambda: [WSDL_OF_OWN, a_wsdl("op", "other", versions=("v1", None))],
        ),
        Target("wsdl-hidden", hide_addresses, lambda: [WSDL]),
        Target("openapi-servers", hide_servers, lambda: [OPENAPI, OPENAPI_SERVERS]),
        Target("openapi", parse_openapi, lambda: [OPENAPI, b'{"openapi":"3.1.0","paths":{"/a":{"get":{}}}}']),
        Target("http-request", lambda d: read_request_head(d, 100), lambda: [HEAD], HttpProblem),
        Target("http-response", lambda d: read_response_head(d, 100, method="GET"), lambda: [ANSWER], HttpProblem),
    )
}


@cache
def _checkpoint() -> bytes:
    return build_checkpoint(a_checkpoint())


def _anchor() -> bytes:
    from tests.factories.globalconf import a_source

    return a_source().anchor_xml()


def _directory() -> bytes:
    from tests.factories.globalconf import a_source

    return next(body for path, body in a_source().answers().items() if b"Verification-certificate-hash" in body)
