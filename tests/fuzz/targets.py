"""The parsers that read what others send, each with inputs to begin from.

A target takes bytes and returns nothing; it may raise only the error its parser documents. Seeds are
made by our own writers, so that mutations start inside the format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from gateway.runtime.http.heads import read_request_head, read_response_head
from gateway.runtime.http.problems import HttpProblem
from gateway.serverconf.descriptions import parse_openapi, parse_wsdl
from gateway.xroad.asic.container import read_container
from gateway.xroad.asic.verify import verify_container
from gateway.xroad.bodies import BytesSink
from gateway.xroad.digests import digest_of
from gateway.xroad.faults import XRoadFault
from gateway.xroad.globalconf.anchor import parse_anchor
from gateway.xroad.globalconf.directory import parse_directory
from gateway.xroad.globalconf.private_parameters_xml import build_private_parameters, parse_private_parameters
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters, parse_shared_parameters
from gateway.xroad.globalconf.verification_conf import read_verification_conf
from gateway.xroad.mime import MultipartParser
from gateway.xroad.pki.certificates import load_certificate
from gateway.xroad.pki.csr import parse_csr
from gateway.xroad.pki.ocsp import verify_ocsp
from gateway.xroad.pki.ocsp_responder import parse_request as parse_ocsp_request
from gateway.xroad.pki.tsp import parse_request, parse_response, parse_token
from gateway.xroad.rest.message import parse_rest_message
from gateway.xroad.rest.target import parse_target
from gateway.xroad.signature.hash_chain import SIGNATURE_CHAIN, verify_hash_chain
from gateway.xroad.signature.xades_reader import parse_signature
from gateway.xroad.soap.message import parse_soap
from gateway.xroad.transport.decoder import Side, TransportDecoder
from gateway.xroad.transport.encoder import TransportEncoder
from tests.factories.globalconf import a_full_shared_parameters, a_private_parameters
from tests.factories.messages import a_rest_request, a_rest_response, a_soap_message, soap_bytes
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


def _decode(data: bytes) -> None:
    decoder = TransportDecoder(
        f"multipart/mixed; boundary=xtop{BOUNDARY.decode()}", side=Side.REQUEST, open_sink=BytesSink
    )
    decoder.feed(data)
    decoder.finish()


def _multipart(data: bytes) -> None:
    parser = MultipartParser(b"b")
    parser.feed(data)
    parser.finish()


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
OPENAPI = b'openapi: "3.0.0"\nservers:\n  - url: /a\npaths:\n  /pets/{id}:\n    get: {}\n    post: {}\n'
HEAD = b"POST /r1/A/B/C/D/E?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX-Road-Client: A/B/C/D\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/xml\r\n\r\n"
MULTIPART = b"--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("latin-1"))


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("soap", lambda d: parse_soap(d, "text/xml"), lambda: [soap_bytes(), a_soap_message().raw]),
        Target("multipart", _multipart, lambda: [MULTIPART]),
        Target("rest-target", _text(parse_target), lambda: [b"/r1/A/B/C/D/E/path%20x?q=1", b"/r1/A/B/C/D%2FX/E/"]),
        Target("rest-part", parse_rest_message, lambda: [a_rest_request().raw, a_rest_response().raw]),
        Target("transport", _decode, lambda: [_transport_request()]),
        Target("signature", parse_signature, lambda: [world().sign(a_rest_request()).xml]),
        Target("hash-chain", _chain, lambda: [_chain_seed()]),
        Target("container", read_container, lambda: [world().container(a_rest_request(body=b"body"))]),
        Target(
            "container-verify",
            lambda d: verify_container(read_container(d), world().globalconf),
            lambda: [world().container(a_rest_request(), batch_stamp=True)],
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
        Target("openapi", parse_openapi, lambda: [OPENAPI, b'{"openapi":"3.1.0","paths":{"/a":{"get":{}}}}']),
        Target("http-request", lambda d: read_request_head(d, 100), lambda: [HEAD], HttpProblem),
        Target("http-response", lambda d: read_response_head(d, 100, method="GET"), lambda: [ANSWER], HttpProblem),
    )
}


def _anchor() -> bytes:
    from tests.factories.globalconf import a_source

    return a_source().anchor_xml()


def _directory() -> bytes:
    from tests.factories.globalconf import a_source

    return next(body for path, body in a_source().answers().items() if b"Verification-certificate-hash" in body)
