"""What SOAP carries between two information systems: attachments, packages, bytes as they were, and SOAP 1.2."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import gc
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lxml import etree

from gateway.xroad.asic.container import read_container
from gateway.xroad.asic.verdict import AttachmentState
from gateway.xroad.asic.verify import verify_container
from gateway.xroad.bodies import BytesBody
from gateway.xroad.digests import digest_of
from gateway.xroad.identifiers import SecurityServerId
from gateway.xroad.pki.keys import algorithm_for, ecdsa_der_to_raw, sign_digest
from gateway.xroad.signature.signed_message import Signature, SignedMessage
from gateway.xroad.soap.faults import build_soap12_fault, build_soap_fault
from gateway.xroad.soap.headers import RepresentedParty, SecurityToken
from gateway.xroad.soap.message import Attachment, SoapMessage
from gateway.xroad.xml import NS_SOAP11, NS_SOAP12
from tests.landscape import eventually, kinds_of, records_of
from tests.scenarios.asking import (
    ASK,
    DEMOGRAPHIC,
    SNAP,
    SOAP_TYPE,
    STANDIN,
    VISITOR,
    Reply,
    envelope,
    new_id,
)
from tests.scenarios.hand_made import VISITOR_SERVER, HandMadeServer
from tests.scenarios.scene import Scene
from tests.scenarios.stand_in import soap_answer
from tests.scenarios.test_evidence import all_documents, documents, run
from tests.scenarios.wire import Answer, WireRequest, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

BOUNDARY = "MIME_1"
PACKAGE = f'multipart/related; type="text/xml"; start="<root@is>"; boundary="{BOUNDARY}"'
MTOM = f'multipart/related; type="application/xop+xml"; start="<root@is>"; start-info="text/xml"; boundary={BOUNDARY}'
SOAP12_TYPE = 'application/soap+xml; charset=UTF-8; action="urn:ask"'
SIGNATURE_VALUE = re.compile(rb'(<ds:SignatureValue Id="signature-value">)[^<]*(</ds:SignatureValue>)')
REQUEST_HASH = re.compile(rb"<([\w.]+:)?requestHash [^>]*>[^<]*</([\w.]+:)?requestHash>")
REQUEST_HASH_AND_SPACE = re.compile(rb"\s*" + REQUEST_HASH.pattern)

Part = tuple[str, bytes]


def package(*parts: Part, boundary: str = BOUNDARY) -> bytes:
    """Return a multipart as an information system writes it: heads without `Content-Type` first, then contents."""
    pieces = [f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n" for head, content in parts]
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()


def root(soap: bytes, content_type: str = SOAP_TYPE) -> Part:
    """Return the SOAP part."""
    return f"Content-Type: {content_type}\r\nContent-ID: <root@is>", soap


def in_the_reference_form(body: bytes) -> bytes:
    """Return a package as the reference passes it on: the type in front, its name written in its way."""
    return body.replace(b"\r\nContent-Type: ", b"\r\ncontent-type:")


def echoed(request: WireRequest) -> bytes:
    """Answer rightly, in the package of the question."""
    return http_answer(soap_answer(request.body), request.header("content-type"))


def without_hash(raw: bytes) -> bytes:
    """Return an answer without the one thing that the gateway adds to it."""
    found = REQUEST_HASH.findall(raw)
    assert len(found) == 1
    return REQUEST_HASH.sub(b"", raw)


def spooled(scene: Scene) -> list[str]:
    """Return the files that lie in the spools of both gateways."""
    return [path.name for gateway in scene.federation.gateways.values() for path in gateway.spool.directory.iterdir()]


@contextmanager
def without_collector() -> Iterator[None]:
    """Show that nothing waits for the garbage collector, nor for who keeps the failure, as log records do."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# attachments

ATTACHMENTS: dict[str, tuple[Part, ...]] = {
    "none": (),
    "bytes": (("Content-Type: application/octet-stream\r\nContent-ID: <a@is>", bytes(range(256)) * 3),),
    "base64 as it is": (
        ("Content-Type: image/png\r\nContent-Transfer-Encoding: base64", base64.encodebytes(bytes(range(90)))),
    ),
    "empty": (("Content-Type: text/plain\r\nContent-ID: <e@is>", b""),),
    "line ends at its end": (("Content-Type: text/plain", b"text\r\n\r\n\n"),),
    "what looks like a boundary": (("Content-Type: text/plain", b"--MIME_\r\n--MIM\r\n-- MIME_1"),),
    "more than memory holds": (("Content-Type: application/zip", b"\x00\xff\r\n" * 100_000),),
    "many": tuple((f"Content-Type: text/plain\r\nContent-ID: <p{n}@is>", b"%d" % n) for n in range(40)),
}


@pytest.mark.parametrize("name", ATTACHMENTS)
async def test_package_reaches_the_service_and_its_answer_comes_home(scene: Scene, name: str) -> None:
    soap = envelope()
    sent = package(root(soap), *ATTACHMENTS[name])
    with scene.stand_in.answering(echoed), without_collector():
        reply = await scene.caller.soap(sent, PACKAGE)
        assert reply.code is None, reply.text
        assert spooled(scene) == []
    heard = scene.stand_in.asked[-1]
    expected = in_the_reference_form(sent)
    if not ATTACHMENTS[name]:  # the reference writes a package of one part with its other encoder
        expected = expected.replace(b"content-type:", b"content-type: ")
    assert heard.header("content-type") == PACKAGE
    assert heard.body == expected
    assert reply.headers["content-type"] == f"{PACKAGE};charset=utf-8"
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert without_hash(reply.content) == soap_answer(expected)


async def test_plain_question_may_be_answered_with_a_package(scene: Scene) -> None:
    part = ("Content-Type: application/pdf\r\nContent-ID: <d@is>", b"%PDF-1.7\r\n")

    def answer(request: WireRequest) -> bytes:
        return http_answer(package(root(soap_answer(request.body)), part), PACKAGE)

    with scene.stand_in.answering(answer):
        reply = await scene.caller.soap(envelope())
    assert reply.headers["content-type"] == f"{PACKAGE};charset=utf-8"
    assert reply.content.endswith(in_the_reference_form(b"\r\n" + package(part)[2:])[2:])


async def test_package_may_be_answered_plainly(scene: Scene) -> None:
    soap = envelope()
    with scene.stand_in.answering(lambda request: http_answer(soap_answer(soap))):
        reply = await scene.caller.soap(package(root(soap), *ATTACHMENTS["bytes"]), PACKAGE)
    assert reply.headers["content-type"] == "text/xml;charset=utf-8"
    assert without_hash(reply.content) == soap_answer(soap)


async def test_mtom_package_passes_unchanged(scene: Scene) -> None:
    include = '<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:data@is"/>'
    xop = 'application/xop+xml; charset=UTF-8; type="text/xml"'
    soap = envelope(question=include)
    sent = package(root(soap, xop), ("Content-Type: application/octet-stream\r\nContent-ID: <data@is>", b"\x89PNG"))
    with scene.stand_in.answering(echoed):
        reply = await scene.caller.soap(sent, MTOM)
    assert reply.code is None, reply.text
    assert scene.stand_in.asked[-1].header("content-type") == MTOM
    assert scene.stand_in.asked[-1].body == in_the_reference_form(sent)
    assert f"content-type:{xop}\r\n".encode() in reply.content
    assert include.encode() in reply.content


async def test_reference_to_an_attachment_passes_unchanged(scene: Scene) -> None:
    soap = envelope(question="cid:ref@is")
    sent = package(root(soap), ("Content-Type: text/csv\r\nContent-ID: <ref@is>", b"a;b\n"))
    with scene.stand_in.answering(echoed):
        reply = await scene.caller.soap(sent, PACKAGE)
    assert b">cid:ref@is<" in reply.content
    assert b"Content-ID: <ref@is>\r\n\r\na;b\n\r\n--MIME_1--" in reply.content


async def test_first_part_is_the_soap_whatever_start_says(scene: Scene) -> None:
    sent = package(root(envelope()), ("Content-Type: text/xml\r\nContent-ID: <other@is>", b"<other/>"))
    with scene.stand_in.answering(echoed):
        reply = await scene.caller.soap(sent, PACKAGE.replace("root@is", "other@is"))
    assert reply.code is None, reply.text


BROKEN: dict[str, tuple[str, bytes, str, str]] = {
    "no boundary": ("multipart/related", b"", "client.invalid_content_type", "boundary"),
    "no parts": (PACKAGE, b"", "client.missing_soap", "no parts"),
    "broken off": (PACKAGE, package(root(b"<a/>"))[:-8], "client.mime_parsing_failed", "broke off"),
    "first part is none": (
        PACKAGE,
        package(("Content-Type: text/plain", b"x")),
        "client.invalid_content_type",
        "text/plain",
    ),
    "part without a type": (PACKAGE, package(("Content-ID: <a>", b"x")), "client.invalid_content_type", "part 1"),
    "broken off in a large attachment": (
        PACKAGE,
        package(root(envelope()), ("Content-Type: a/b", b"x" * 300_000))[:-100],
        "client.mime_parsing_failed",
        "part 2",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_package_that_cannot_be_read_is_refused(scene: Scene, name: str) -> None:
    content_type, body, code, words = BROKEN[name]
    with without_collector():
        reply = await scene.caller.soap(body, content_type)
        assert spooled(scene) == []
    assert reply.code == code
    assert words in reply.text


# evidence


async def test_attachments_are_signed_on_both_ways(scene: Scene) -> None:
    query_id = new_id()
    attachments = ATTACHMENTS["bytes"] + ATTACHMENTS["empty"]
    with scene.stand_in.answering(echoed):
        reply = await scene.caller.soap(package(root(envelope(query_id=query_id)), *attachments), PACKAGE)
    assert reply.code is None, reply.text
    digests = [digest_of(content) for _, content in attachments]
    for gateway in scene.federation.gateways.values():
        for record in records_of(gateway, query_id):
            assert [body.digest for body in record.bodies] == [digest.value for digest in digests]
    for container in await all_documents(scene, query_id):
        verdict = verify_container(read_container(container), scene.federation.consumer.configuration.current())
        assert [(each.name, each.digest) for each in verdict.attachments] == [
            ("/attachment1", digests[0]),
            ("/attachment2", digests[1]),
        ]


def with_attachment(visitor: HandMadeServer, soap: bytes, data: bytes) -> SoapMessage:
    """Return a message of the visitor with one attachment."""
    headers = (("content-type", "application/zip"), ("Content-ID", "<z@visitor>"))
    return dataclasses.replace(visitor.soap_message(soap), attachments=(Attachment(headers, BytesBody(data)),))


async def test_attachments_of_a_signature_over_each_part_are_kept_and_proven(scene: Scene) -> None:
    query_id, visitor, data = new_id(), scene.visitor, b"PK\x03\x04 not really"
    message = with_attachment(visitor, envelope(client=VISITOR, query_id=query_id), data)
    with scene.stand_in.answering(http_answer(soap_answer(message.raw))):
        reply = await visitor.send(*visitor.request(signed_part_by_part(visitor, message)))
    assert reply.code is None, reply.text
    assert scene.stand_in.asked[-1].body.endswith(data + b"\r\n--" + own_boundary(scene.stand_in.asked[-1]) + b"--\r\n")
    container = (await documents(scene, scene.federation.provider, STANDIN, query_id))[0]
    verdict = verify_container(read_container(container), scene.federation.provider.configuration.current())
    assert [(each.name, each.state) for each in verdict.attachments] == [("/attachment1", AttachmentState.VERIFIED)]
    assert b"".join(read_container(container).attachments[1].chunks()) == data


async def test_surma_verify_proves_attachments_of_either_kind_of_signature(scene: Scene, tmp_path: Path) -> None:
    chained, single, data = new_id(), new_id(), b"\x00attached"
    with scene.stand_in.answering(echoed):
        sent = package(root(envelope(query_id=chained)), ("Content-Type: a/b", data))
        assert (await scene.caller.soap(sent, PACKAGE)).code is None
    message = with_attachment(scene.visitor, envelope(client=VISITOR, query_id=single), data)
    with scene.stand_in.answering(http_answer(soap_answer(message.raw))):
        await scene.visitor.send(*scene.visitor.request(signed_part_by_part(scene.visitor, message)))
    provider = scene.federation.provider
    containers = await documents(scene, provider, STANDIN, chained) + await documents(scene, provider, STANDIN, single)
    files = [tmp_path / f"{number}.asice" for number in range(len(containers))]
    for file, container in zip(files, containers, strict=True):
        file.write_bytes(container)
    history, anchor = provider.paths.history, scene.federation.anchor
    command = (sys.executable, "-m", "gateway.cli", "verify", "--history", history, "--anchor", anchor, "--json")
    told = await run(*command, *files)
    assert told.returncode == 0, told.stdout + told.stderr
    results = json.loads(told.stdout)["results"]
    assert [one["result"] for one in results] == ["valid"] * 4
    assert [[each["name"] for each in one["attachments"]] for one in results] == [["/attachment1"]] * 3 + [[]]


def signed_part_by_part(visitor: HandMadeServer, message: SoapMessage) -> SignedMessage:
    """Sign as newer products do: no chain, one reference for the message and one for each attachment."""
    plain = visitor.sign(dataclasses.replace(message, attachments=())).signature.xml
    references = "".join(
        f'<ds:Reference URI="/attachment{number}"><ds:DigestMethod Algorithm="{attachment.body.digest.algorithm.uri}"/>'
        f"<ds:DigestValue>{attachment.body.digest.base64}</ds:DigestValue></ds:Reference>"
        for number, attachment in enumerate(message.attachments, start=1)
    )
    end = plain.index(b"</ds:Reference>") + len(b"</ds:Reference>")
    longer = plain[:end] + references.encode() + plain[end:]
    (info,) = etree.fromstring(longer).iter("{http://www.w3.org/2000/09/xmldsig#}SignedInfo")
    key = visitor.signing.key
    algorithm = algorithm_for(key)
    value = sign_digest(key, algorithm, algorithm.digest_algorithm.digest(etree.tostring(info, method="c14n")))
    octets = ecdsa_der_to_raw(value, key.public_key())
    xml = SIGNATURE_VALUE.sub(lambda found: found[1] + base64.b64encode(octets) + found[2], longer)
    return SignedMessage(message, Signature(xml))


def own_boundary(request: WireRequest) -> bytes:
    """Return the boundary of a package."""
    found = re.search(r"boundary=([^;]+)", request.header("content-type") or "")
    assert found is not None
    return found[1].encode()


async def test_boundary_that_a_peer_named_to_split_a_signed_part_is_noticed(scene: Scene) -> None:
    visitor, before = scene.visitor, len(scene.stand_in.asked)
    data = b"signed as one\r\n--split\r\nContent-Type: a/b\r\n\r\nread as two"
    signed = visitor.sign(with_attachment(visitor, envelope(client=VISITOR), data))
    headers, body = visitor.request(signed)
    named = tuple(
        (name, "multipart/related; boundary=split" if name == "x-original-content-type" else value)
        for name, value in headers
    )
    reply = await visitor.send(named, body)
    assert reply.code == "server.serverproxy.service_failed.mime_parsing_failed"
    assert "Part 2" in reply.text
    assert len(scene.stand_in.asked) == before


# spool


FAILURES: dict[str, tuple[Answer | bytes, str]] = {
    "fault of the service": (http_answer(build_soap_fault("soap:Server", "night")), "soap:Server"),
    "another status": (http_answer(b"", status="404 Not Found"), "server.serverproxy.service_failed.http_error"),
    "another id": (
        lambda request: http_answer(
            soap_answer(request.body).replace(b"<xrd:id>", b"<xrd:id>x"), request.header("content-type")
        ),
        "server.serverproxy.service_failed.inconsistent_response",
    ),
    "a package broken off": (
        lambda request: http_answer(soap_answer(request.body)[:-30], request.header("content-type")),
        "server.serverproxy.service_failed.mime_parsing_failed",
    ),
    "a package without parts": (
        http_answer(f"--{BOUNDARY}--\r\n".encode(), PACKAGE),
        "server.serverproxy.service_failed.invalid_message",
    ),
    "a fault in a package": (
        http_answer(
            package(root(build_soap_fault("soap:Client", "no")), *ATTACHMENTS["more than memory holds"]), PACKAGE
        ),
        "soap:Client",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_spool_is_empty_after_a_failure(scene: Scene, name: str) -> None:
    answer, code = FAILURES[name]
    sent = package(root(envelope()), *ATTACHMENTS["more than memory holds"])
    with scene.stand_in.answering(answer), without_collector():
        reply = await scene.caller.soap(sent, PACKAGE)
        assert spooled(scene) == []
    assert reply.code == code, reply.text


async def test_spool_is_empty_after_a_request_that_is_not_allowed(scene: Scene) -> None:
    closed = dataclasses.replace(ASK, service_code="askSecretly")
    with without_collector():
        sent = package(root(envelope(closed)), *ATTACHMENTS["more than memory holds"])
        reply = await scene.caller.soap(sent, PACKAGE)
        assert spooled(scene) == []
    assert reply.code == "server.serverproxy.access_denied"


async def test_spool_is_empty_after_a_caller_who_hangs_up(scene: Scene) -> None:
    gateway = scene.federation.consumer
    sent = package(root(envelope()), ("Content-Type: a/b", b"x" * 400_000))
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {PACKAGE}\r\nContent-Length: {len(sent)}\r\n\r\n"
    _, writer = await asyncio.open_connection(gateway.settings.address, gateway.settings.consumer.http_port)
    with without_collector():
        writer.write(head.encode() + sent[:300_000])
        await writer.drain()
        await eventually(lambda: spooled(scene) != [])
        writer.transport.abort()
        await eventually(lambda: spooled(scene) == [])


async def test_spool_of_the_provider_is_empty_after_a_peer_who_hangs_up(scene: Scene) -> None:
    visitor, data = scene.visitor, b"x" * 400_000
    headers, whole = visitor.request(visitor.sign(with_attachment(visitor, envelope(client=VISITOR), data)))
    seen: list[list[str]] = []

    async def broken_off() -> AsyncIterator[bytes]:
        yield whole[:300_000]
        await eventually(lambda: spooled(scene) != [])
        seen.append(spooled(scene))
        raise ConnectionResetError

    with without_collector():
        with pytest.raises(ConnectionResetError):
            await visitor.send(headers, broken_off())  # type: ignore[arg-type]
        await eventually(lambda: spooled(scene) == [])
    assert len(seen[0]) == 1


# bytes as they were

ODD = (
    envelope(question="%s")
    .replace(
        b"<s:question>%s",
        b"\r\n  <s:question  a='1'\t>\xd0\x96&#1110;<![CDATA[<raw> & ]]><!-- c -->&lt;\xf0\x9d\x84\x9e <?pi data?>",
    )
    .replace(
        b"<SOAP-ENV:Header>",
        b"<SOAP-ENV:Header>\n\t<n:Token xmlns:n='http://nais.gov.ua/api/sevdeir/EDR' SOAP-ENV:mustUnderstand='1'>"
        b" kept <n:x/></n:Token>\n\t",
    )
)


@pytest.mark.parametrize("front", [b"", b"\xef\xbb\xbf"])
async def test_bytes_of_the_question_and_of_the_answer_are_not_touched(scene: Scene, front: bytes) -> None:
    sent = front + ODD.replace(
        b'<?xml version="1.0" encoding="UTF-8"?>', b"<?xml version='1.0'?>\r\n<!-- before -->\r\n"
    )
    with scene.stand_in.answering(lambda request: http_answer(soap_answer(request.body))):
        reply = await scene.caller.soap(sent, SOAP_TYPE)
    assert reply.code is None, reply.text
    assert scene.stand_in.asked[-1].body == sent
    assert REQUEST_HASH_AND_SPACE.sub(b"", reply.content) == soap_answer(sent)


async def test_any_order_and_prefix_of_header_fields_is_understood(scene: Scene) -> None:
    head, rest = envelope().split(b"<SOAP-ENV:Header>")
    fields, body = rest.split(b"</SOAP-ENV:Header>")
    turned = [match[0] for match in re.finditer(rb"<xrd:(\w+).*?</xrd:\1>", fields)][::-1]
    assert b"".join(turned[::-1]) == fields
    sent = head + b"<SOAP-ENV:Header>" + b"".join(turned) + b"</SOAP-ENV:Header>" + body
    sent = re.sub(rb"(</?|xmlns:)xrd\b", rb"\1x.y", re.sub(rb"(</?|xmlns:|\s)id(?=[:=])", rb"\1_i", sent))
    reply = await scene.caller.soap(sent)
    assert reply.code is None, reply.text
    assert b"</x.y:id><x.y:requestHash " in reply.content
    assert without_hash(reply.content) == soap_answer(sent)


async def test_other_charset_passes_under_its_own_name(scene: Scene) -> None:
    named = "text/xml; charset=windows-1251"
    text = envelope(question="Київ").decode().replace("UTF-8", "windows-1251").encode("windows-1251")
    with scene.stand_in.answering(echoed):
        reply = await scene.caller.soap(text, named)
    assert scene.stand_in.asked[-1].body == text
    assert scene.stand_in.asked[-1].header("content-type") == named
    assert reply.headers["content-type"] == named
    assert without_hash(reply.content) == soap_answer(text)


@pytest.mark.parametrize("action", [None, "", '""', '"urn:ask"', '"http://stand-in.test/ask?x=1#y"'])
async def test_soap_action_reaches_the_service_as_it_was(scene: Scene, action: str | None) -> None:
    headers = {} if action is None else {"SOAPAction": action}
    reply = await scene.caller.soap(envelope(), **headers)
    assert reply.code is None, reply.text
    assert scene.stand_in.asked[-1].header("soapaction") == (action or "")


@pytest.mark.parametrize("action", ["urn:ask", "'urn:ask'", '"urn:ask', '"', '"a b"'])
async def test_soap_action_that_is_no_quoted_uri_is_refused(scene: Scene, action: str) -> None:
    reply = await scene.caller.soap(envelope(), SOAPAction=action)
    assert reply.code == "client.invalid_soap_action"
    assert action in reply.text


async def test_empty_id_is_an_id(scene: Scene) -> None:
    sent = re.sub(rb"<xrd:id>[^<]*</xrd:id>", b"<xrd:id/>", envelope())
    reply = await scene.caller.soap(sent)
    assert reply.code is None, reply.text
    assert b"<xrd:id/>" in reply.content


async def test_repeated_id_is_refused(scene: Scene) -> None:
    sent = re.sub(rb"(<xrd:id>[^<]*</xrd:id>)", rb"\1\1", envelope())
    assert (await scene.caller.soap(sent)).code == "client.duplicate_header_field"


# extensions


async def test_extensions_reach_the_service_and_are_held_against_the_answer(scene: Scene) -> None:
    own = SecurityServerId(STANDIN.member, scene.federation.server_of(scene.federation.provider).code)
    party = RepresentedParty("COM", "7007")
    token = SecurityToken("urn:ietf:params:oauth:token-type:jwt", "aaa.bbb.ccc")
    sent = envelope(issue="case 12 & more", represented_party=party, security_token=token, security_server=own)
    reply = await scene.caller.soap(sent)
    assert reply.code is None, reply.text
    assert scene.stand_in.asked[-1].body == sent
    assert without_hash(reply.content) == soap_answer(sent)
    lost = re.sub(rb"<repr:partyClass>.*?</repr:partyClass>", b"", soap_answer(sent))
    with scene.stand_in.answering(http_answer(lost)):
        reply = await scene.caller.soap(sent)
    assert reply.code == "server.serverproxy.service_failed.inconsistent_response"
    assert "representedParty" in reply.text


async def test_request_for_a_security_server_that_does_not_serve_the_provider_is_refused(scene: Scene) -> None:
    reply = await scene.caller.soap(envelope(security_server=VISITOR_SERVER))
    assert reply.code == "server.clientproxy.invalid_security_server"
    assert "SS-VISITOR" in reply.text


async def test_request_meant_for_another_server_is_refused_by_the_provider(scene: Scene) -> None:
    message = scene.visitor.soap_message(envelope(client=VISITOR, security_server=VISITOR_SERVER))
    reply = await scene.visitor.send(*scene.visitor.request(scene.visitor.sign(message)))
    assert reply.code == "server.serverproxy.service_failed.invalid_security_server"
    assert "SS-VISITOR" in reply.text


# answers that help


async def test_get_on_a_soap_address_is_told_how_to_ask(scene: Scene) -> None:
    reply = await scene.caller.soap(b"", None, method="GET")
    assert reply.code == "client.invalid_http_method"
    assert "POST" in reply.text
    assert "/r1/" in reply.text


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b'<xrd:client id:objectType="SUBSYSTEM">', b'<xrd:client id:objectType="SERVICE">'),
        (b'<xrd:service id:objectType="SERVICE">', b'<xrd:service id:objectType="SUBSYSTEM">'),
        (b'<xrd:client id:objectType="SUBSYSTEM">', b'<xrd:client objectType="SUBSYSTEM">'),
        (b'<xrd:client id:objectType="SUBSYSTEM">', b"<xrd:client>"),
    ],
)
async def test_wrong_object_type_is_named(scene: Scene, right: bytes, wrong: bytes) -> None:
    sent = envelope()
    assert right in sent
    reply = await scene.caller.soap(sent.replace(right, wrong))
    assert reply.code == "client.invalid_xml"
    assert "objectType" in reply.text
    assert "http://x-road.eu/xsd/identifiers" in reply.text


async def test_client_and_service_in_each_others_place_are_noticed(scene: Scene) -> None:
    reply = await scene.caller.soap(envelope(dataclasses.replace(ASK, provider=SNAP), DEMOGRAPHIC))
    assert reply.code == "server.clientproxy.unknown_member"
    assert "swap" in reply.text


async def test_request_that_came_to_the_wrong_server_is_told_the_right_one(scene: Scene) -> None:
    reply = await scene.owner.soap(envelope())
    assert reply.code == "server.clientproxy.unknown_member"
    assert scene.federation.server_of(scene.federation.consumer).code in reply.text


async def test_fault_code_that_nobody_knows_passes_byte_for_byte(scene: Scene) -> None:
    fault = build_soap_fault("Server.Future.NeverSeen_yet", "Зайнято & <b>", None, None)
    service = dataclasses.replace(ASK, provider=VISITOR)
    with scene.visitor.answering(lambda _: http_answer(fault)):
        reply = await scene.caller.soap(envelope(service))
    assert reply.content == fault


# SOAP 1.2


def soap12(raw: bytes) -> bytes:
    """Return a message as SOAP 1.2."""
    return raw.replace(NS_SOAP11.encode(), NS_SOAP12.encode())


def echoed12(request: WireRequest) -> bytes:
    """Answer rightly, in the version of the question."""
    return http_answer(soap_answer(request.body), "application/soap+xml; charset=utf-8")


async def test_soap_12_passes_unchanged_and_is_answered_in_kind(scene: Scene) -> None:
    query_id = new_id()
    sent = soap12(envelope(query_id=query_id))
    with scene.stand_in.answering(echoed12):
        reply = await scene.caller.soap(sent, SOAP12_TYPE)
    assert reply.code is None, reply.text
    assert scene.stand_in.asked[-1].body == sent
    assert scene.stand_in.asked[-1].header("content-type") == SOAP12_TYPE
    assert reply.headers["content-type"] == "application/soap+xml; charset=utf-8"
    assert without_hash(reply.content) == soap_answer(sent)
    for container in await all_documents(scene, query_id):
        verify_container(read_container(container), scene.federation.consumer.configuration.current())


async def test_package_of_soap_12_passes_unchanged(scene: Scene) -> None:
    content_type = PACKAGE.replace("text/xml", "application/soap+xml")
    sent = package(root(soap12(envelope()), "application/soap+xml"), *ATTACHMENTS["bytes"])
    with scene.stand_in.answering(echoed):
        reply = await scene.caller.soap(sent, content_type)
    assert reply.code is None, reply.text
    assert scene.stand_in.asked[-1].body == in_the_reference_form(sent)
    assert without_hash(reply.content) == soap_answer(in_the_reference_form(sent))


async def test_answer_without_a_header_is_completed_in_soap_12_too(scene: Scene) -> None:
    bare = re.sub(rb"<SOAP-ENV:Header>.*</SOAP-ENV:Header>", b"", soap_answer(soap12(envelope())))
    with scene.stand_in.answering(http_answer(bare, "application/soap+xml")):
        reply = await scene.caller.soap(soap12(envelope()), SOAP12_TYPE)
    assert reply.code is None, reply.text
    assert NS_SOAP11.encode() not in reply.content
    assert REQUEST_HASH.search(reply.content) is not None


def fault12(reply: Reply) -> tuple[str, str]:
    """Return value and subcode of a SOAP 1.2 fault, which the reply must be."""
    assert reply.headers["content-type"] == "application/soap+xml;charset=utf-8"
    assert b"faultcode" not in reply.content
    values = [element.text or "" for element in etree.fromstring(reply.content).iter(f"{{{NS_SOAP12}}}Value")]
    return values[0], values[1]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda raw: raw.replace(b"<xrd:id>", b"<xrd:id/><xrd:id>"), ("env:Sender", "client.duplicate_header_field")),
        (lambda raw: raw[:-9], ("env:Sender", "client.invalid_soap")),
        (lambda raw: raw.replace(b">SNAP<", b">NOBODY<"), ("env:Receiver", "server.clientproxy.unknown_member")),
        (lambda raw: raw.replace(b"ask", b"ask_"), ("env:Receiver", "server.serverproxy.unknown_service")),
    ],
)
async def test_fault_of_a_gateway_is_soap_12_for_who_asked_in_it(
    scene: Scene, spoil: Callable[[bytes], bytes], expected: tuple[str, str]
) -> None:
    reply = await scene.caller.soap(spoil(soap12(envelope())), SOAP12_TYPE)
    assert fault12(reply) == expected


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "500 Internal Server Error"])
async def test_fault_of_the_service_in_soap_12_passes_byte_for_byte(scene: Scene, status: str) -> None:
    fault = build_soap12_fault("client.unzr", "немає", language="uk")
    with scene.stand_in.answering(http_answer(fault, "application/soap+xml", status=status)):
        reply = await scene.caller.soap(soap12(envelope()), SOAP12_TYPE)
    assert reply.content == fault
    assert reply.headers["content-type"] == "application/soap+xml;charset=utf-8"


async def test_fault_of_soap_11_is_translated_for_who_asked_in_soap_12(scene: Scene) -> None:
    with scene.stand_in.answering(http_answer(build_soap_fault("soap:VersionMismatch", "only 1.1"))):
        reply = await scene.caller.soap(soap12(envelope()), SOAP12_TYPE)
    assert reply.headers["content-type"] == "application/soap+xml;charset=utf-8"
    assert b"<faultcode>soap:VersionMismatch</faultcode>" in reply.content
    assert b">only 1.1</env:Text>" in reply.content


async def test_service_that_answers_in_the_other_version_is_named(scene: Scene) -> None:
    with scene.stand_in.answering(http_answer(soap_answer(envelope()))):
        reply = await scene.caller.soap(soap12(envelope()), SOAP12_TYPE)
    assert fault12(reply)[1] == "server.serverproxy.service_failed.invalid_content_type"
    assert b"SOAP 1.2" in reply.content
    with scene.stand_in.answering(http_answer(soap_answer(soap12(envelope())), "application/soap+xml")):
        other = await scene.caller.soap(envelope())
    assert other.code == "server.serverproxy.service_failed.invalid_content_type"


@pytest.mark.parametrize(
    ("content_type", "raw"),
    [(SOAP12_TYPE, envelope()), (SOAP_TYPE, soap12(envelope()))],
    ids=["named 1.2", "named 1.1"],
)
async def test_envelope_of_another_version_than_its_content_type_is_refused(
    scene: Scene, content_type: str, raw: bytes
) -> None:
    reply = await scene.caller.soap(raw, content_type)
    assert b"client.invalid_soap" in reply.content
    assert b"Send SOAP 1.1 as text/xml and SOAP 1.2 as application/soap+xml" in reply.content


@pytest.mark.parametrize(
    "code",
    ["server.serverproxy.service_failed.invalid_content_type", "Server.ServerProxy.ServiceFailed.InvalidContentType"],
)
async def test_peer_that_does_not_know_soap_12_is_explained(scene: Scene, code: str) -> None:
    refusal = build_soap_fault(code, "Invalid content type for SOAP message: application/soap+xml", "", "id")
    service = dataclasses.replace(ASK, provider=VISITOR)
    query_id = new_id()
    with scene.visitor.answering(lambda _: http_answer(refusal)):
        reply = await scene.caller.soap(soap12(envelope(service, query_id=query_id)), SOAP12_TYPE)
    assert fault12(reply) == ("env:Receiver", "server.clientproxy.service_failed.invalid_content_type")
    assert b"Send the request as SOAP 1.1" in reply.content
    assert code.encode() in reply.content
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
