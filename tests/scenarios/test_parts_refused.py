"""Transport messages whose parts are wrong, as requests to port 5500 and as replies from there.

Each wrong message is made of a right one: two attachments, proven by a hash chain. The first test holds
that the right one passes both ways.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import pytest

from gateway.xroad.bodies import BytesBody
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.signature.signed_message import Signature, SignedMessage
from gateway.xroad.soap.faults import build_soap_fault
from gateway.xroad.soap.message import Attachment, SoapMessage
from tests.landscape import kinds_of
from tests.scenarios.asking import ASK, VISITOR, assert_readable, envelope, new_id
from tests.scenarios.hand_made import HandMadeServer
from tests.scenarios.scene import Scene
from tests.scenarios.stand_in import soap_answer
from tests.scenarios.wire import WireRequest, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

Spoil = Callable[[SignedMessage, HandMadeServer], SignedMessage]
VISITOR_ASK = ServiceId(VISITOR, "ask", "v1")
SECRET: Final = b"what the signature never covered"


def an_attachment(data: bytes, number: int) -> Attachment:
    """An attachment as a package holds it."""
    return Attachment((("content-type", "a/b"), ("Content-ID", f"<{number}@visitor>")), BytesBody(data))


ONE, TWO, THREE = (an_attachment(data, n) for n, data in enumerate((b"first", b"second", SECRET), start=1))


def holding(message: SoapMessage, *attachments: Attachment) -> SoapMessage:
    """Return a message with these attachments."""
    return dataclasses.replace(message, attachments=attachments)


@dataclass(frozen=True)
class Outcome:
    """What became of a wrong message."""

    code: str | None
    text: str
    content: bytes
    kept: list[str]


def outcome_of(content: bytes, kept: list[str]) -> Outcome:
    """Read the fault in an answer."""
    found = re.search(rb"<faultcode>(.*?)</faultcode>.*?<faultstring>(.*?)</faultstring>", content, re.S)
    code, text = (part.decode() for part in found.groups()) if found else (None, "")
    return Outcome(code, text, content, kept)


async def as_request(scene: Scene, spoil: Spoil, respell: Callable[[bytes], bytes]) -> Outcome:
    """Send the message to the provider's port."""
    visitor, query_id = scene.visitor, new_id()
    right = holding(visitor.soap_message(envelope(ASK, VISITOR, query_id)), ONE, TWO)
    headers, body = visitor.request(spoil(visitor.sign(right), visitor))
    asked = len(scene.stand_in.asked)
    with scene.stand_in.answering(http_answer(soap_answer(right.raw))):
        reply = await visitor.send(headers, respell(body))
    kept = kinds_of(scene.federation.provider, query_id)
    if reply.code is not None:
        assert len(scene.stand_in.asked) == asked
    return outcome_of(reply.content, kept)


async def as_reply(scene: Scene, spoil: Spoil, respell: Callable[[bytes], bytes]) -> Outcome:
    """Let the message be the answer to the consumer's question."""
    visitor, query_id = scene.visitor, new_id()

    def answer(request: WireRequest) -> bytes:
        right = visitor.reply_to(visitor.read(request))
        assert isinstance(right, SoapMessage)
        return refitted(visitor.packed(spoil(visitor.sign(holding(right, ONE, TWO)), visitor)), respell)

    with visitor.answering(answer):
        reply = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id))
    return outcome_of(reply.content, kinds_of(scene.federation.consumer, query_id))


def refitted(answer: bytes, respell: Callable[[bytes], bytes]) -> bytes:
    """Change the body of an HTTP answer, and its length."""
    head, _, body = answer.partition(b"\r\n\r\n")
    changed = respell(body)
    return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(changed), head) + b"\r\n\r\n" + changed


Way = Callable[[Scene, Spoil, Callable[[bytes], bytes]], Awaitable[Outcome]]
WAYS = pytest.mark.parametrize("way", [as_request, as_reply], ids=["request", "reply"])
ROLES: dict[Way, str] = {as_request: "server.serverproxy", as_reply: "server.clientproxy"}
KEPT: dict[Way, list[str]] = {as_request: [], as_reply: ["request"]}


def untouched(signed: SignedMessage, _visitor: HandMadeServer) -> SignedMessage:
    """Leave a message as it is."""
    return signed


def as_it_is(body: bytes) -> bytes:
    """Leave bytes as they are."""
    return body


def must_be_refused(outcome: Outcome, way: Way, code: str) -> None:
    """Hold that nothing of a message was believed."""
    assert outcome.code == f"{ROLES[way]}.{code}", (outcome.code, outcome.text)
    assert outcome.kept == KEPT[way]
    assert SECRET not in outcome.content
    assert b"askResponse" not in outcome.content
    assert len(outcome.text) > 20
    assert_readable(outcome.text)


@WAYS
async def test_right_message_passes(scene: Scene, way: Way) -> None:
    outcome = await way(scene, untouched, as_it_is)
    assert outcome.code is None, outcome.text
    assert outcome.kept == ["request", "response"]


# what is signed


def with_attachments(*attachments: Attachment) -> Spoil:
    """Put other attachments under the same signature."""
    return lambda signed, _: SignedMessage(holding(message_of(signed), *attachments), signed.signature)


def message_of(signed: SignedMessage) -> SoapMessage:
    assert isinstance(signed.message, SoapMessage)
    return signed.message


def with_chain(change: Callable[[bytes], bytes]) -> Spoil:
    """Change the hash chain."""

    def spoil(signed: SignedMessage, _visitor: HandMadeServer) -> SignedMessage:
        old = signed.signature
        assert old.hash_chain is not None
        changed = change(old.hash_chain)
        assert changed != old.hash_chain
        return SignedMessage(signed.message, Signature(old.xml, old.hash_chain_result, changed))

    return spoil


def with_result(change: Callable[[bytes], bytes]) -> Spoil:
    """Change the document that is signed in the place of the parts."""

    def spoil(signed: SignedMessage, _visitor: HandMadeServer) -> SignedMessage:
        old = signed.signature
        assert old.hash_chain_result is not None
        changed = change(old.hash_chain_result)
        assert changed != old.hash_chain_result
        return SignedMessage(signed.message, Signature(old.xml, changed, old.hash_chain))

    return spoil


def uncovered(signed: SignedMessage, visitor: HandMadeServer) -> SignedMessage:
    """Sign the message without its attachments."""
    return SignedMessage(signed.message, visitor.sign(holding(message_of(signed))).signature)


def of_others(*, xml: bool = False, result: bool = False, chain: bool = False) -> Spoil:
    """Take parts of the proof from that of a message with other attachments."""

    def spoil(signed: SignedMessage, visitor: HandMadeServer) -> SignedMessage:
        own, other = signed.signature, visitor.sign(holding(message_of(signed), TWO, ONE)).signature
        return SignedMessage(
            signed.message,
            Signature(
                (other if xml else own).xml,
                (other if result else own).hash_chain_result,
                (other if chain else own).hash_chain,
            ),
        )

    return spoil


def with_xml(change: Callable[[bytes], bytes]) -> Spoil:
    """Change the signature document."""

    def spoil(signed: SignedMessage, _visitor: HandMadeServer) -> SignedMessage:
        changed = change(signed.signature.xml)
        assert changed != signed.signature.xml
        return SignedMessage(signed.message, dataclasses.replace(signed.signature, xml=changed))

    return spoil


DOCTYPE: Final = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'


def with_doctype(document: bytes) -> bytes:
    end = document.index(b"?>") + 2 if document.startswith(b"<?xml") else 0
    return document[:end] + DOCTYPE + document[end:]


def before(tag: bytes, more: bytes) -> Callable[[bytes], bytes]:
    """Put bytes in front of the last occurrence of others."""

    def change(document: bytes) -> bytes:
        place = document.rindex(tag)
        return document[:place] + more + document[place:]

    return change


def a_data_ref(document: bytes, name: bytes) -> bytes:
    found = re.search(rb"<hc:DataRef .*?</hc:DataRef>", document, re.S)
    assert found is not None
    return re.sub(rb'URI="[^"]*"', b'URI="' + name + b'"', found[0])


def more_data_refs(name: bytes) -> Callable[[bytes], bytes]:
    return lambda chain: before(b"</hc:HashStep>", a_data_ref(chain, name))(chain)


def swap(one: bytes, other: bytes) -> Callable[[bytes], bytes]:
    return lambda document: other.join(part.replace(other, one) for part in document.split(one))


SIGNATURE_VALUE: Final = rb"(<ds:SignatureValue[^>]*>\s*)(\w)"


def altered(value: re.Match[bytes]) -> bytes:
    """Change the first letter of a value."""
    return value[1] + (b"B" if value[2] == b"A" else b"A")


# Codes, behind the name of the proxy.
TYPE: Final = "service_failed.invalid_content_type"
MIME: Final = "service_failed.mime_parsing_failed"
EXTRA: Final = "service_failed.invalid_message"
VALUE: Final = "signature_verification.invalid_signature_value"
MALFORMED: Final = "signature_verification.malformed_signature"
NO_PART: Final = f"{MALFORMED}.invalid_reference"
UNCOVERED: Final = f"{MALFORMED}.hashchain_unused_inputs"
OTHER_TOP: Final = f"{MALFORMED}.invalid_hash_chain"
OTHER_DIGEST: Final = f"{MALFORMED}.invalid_hash_chain_ref"
BAD_CHAIN: Final = f"{MALFORMED}.malformed_hash_chain"

PROVEN_WRONG: dict[str, tuple[Spoil, str]] = {
    "last attachment missing": (with_attachments(ONE), NO_PART),
    "all attachments missing": (with_attachments(), NO_PART),
    "another attachment": (with_attachments(ONE, TWO, THREE), UNCOVERED),
    "attachments in another order": (with_attachments(TWO, ONE), OTHER_TOP),
    "attachment twice": (with_attachments(ONE, TWO, TWO), UNCOVERED),
    "attachment exchanged": (with_attachments(ONE, THREE), OTHER_TOP),
    "attachments outside the signature": (uncovered, MALFORMED),
    "hash chain of another message": (of_others(chain=True), OTHER_DIGEST),
    "result of another message": (of_others(result=True), OTHER_TOP),
    "result and chain of another message": (of_others(result=True, chain=True), OTHER_TOP),
    "signature of another message": (of_others(xml=True), VALUE),
    "proof of another message": (of_others(xml=True, result=True, chain=True), OTHER_TOP),
    "DOCTYPE in the hash chain": (with_chain(with_doctype), BAD_CHAIN),
    "DOCTYPE in the result": (with_result(with_doctype), BAD_CHAIN),
    "DOCTYPE in the signature": (with_xml(with_doctype), MALFORMED),
    "space in the result": (with_result(lambda document: document + b"\n"), VALUE),
    "hash chain without a part": (
        with_chain(lambda chain: re.sub(rb'<hc:DataRef URI="/attachment2".*?</hc:DataRef>', b"", chain, flags=re.S)),
        OTHER_TOP,
    ),
    "hash chain with a foreign part": (with_chain(more_data_refs(b"/attachment3")), NO_PART),
    "hash chain with a part twice": (with_chain(more_data_refs(b"/attachment2")), BAD_CHAIN),
    "hash chain with a part elsewhere": (with_chain(more_data_refs(b"http://127.0.0.1:1/x")), NO_PART),
    "hash chain with names exchanged": (with_chain(swap(b"/attachment1", b"/attachment2")), OTHER_TOP),
    "hash chain with transforms": (with_chain(before(b"<ds:DigestValue>", b"<hc:Transforms/>")), BAD_CHAIN),
    "hash chain with a step in a circle": (
        with_chain(before(b"</hc:HashStep>", b'<hc:StepRef URI="#STEP0"><ds:DigestValue/></hc:StepRef>')),
        BAD_CHAIN,
    ),
    "hash chain that is no XML": (with_chain(lambda _: b"oops"), BAD_CHAIN),
    "hash chain that is empty": (with_chain(lambda _: b""), BAD_CHAIN),
    "hash chain with more behind it": (with_chain(lambda chain: chain + b"<a/>"), BAD_CHAIN),
    "signature that is no XML": (with_xml(lambda _: b"oops"), MALFORMED),
    "signature value altered": (with_xml(lambda xml: re.sub(SIGNATURE_VALUE, altered, xml)), VALUE),
    "signed twice": (
        with_xml(lambda xml: re.sub(rb"(<ds:Signature .*</ds:Signature>)", rb"\1\1", xml, flags=re.S)),
        MALFORMED,
    ),
    "weak digest named": (with_xml(lambda xml: xml.replace(b"xmlenc#sha512", b"xmldsig-more#md5", 1)), MALFORMED),
    "certificate left out": (
        with_xml(lambda xml: re.sub(rb"<ds:X509Certificate>.*?</ds:X509Certificate>", b"", xml, flags=re.S)),
        MALFORMED,
    ),
    "certificate status left out": (
        with_xml(lambda xml: re.sub(rb"<xades:OCSPValues>.*?</xades:OCSPValues>", b"", xml, flags=re.S)),
        MALFORMED,
    ),
}


@WAYS
@pytest.mark.parametrize("wrong", PROVEN_WRONG)
async def test_message_proven_wrong_is_refused(scene: Scene, way: Way, wrong: str) -> None:
    spoil, code = PROVEN_WRONG[wrong]
    outcome = await way(scene, spoil, as_it_is)
    must_be_refused(outcome, way, code)


# which parts, and in which order


@dataclass(frozen=True)
class Cut:
    """A transport message taken apart at its outer boundary."""

    boundary: bytes
    parts: tuple[bytes, ...]

    def of_type(self, name: bytes) -> bytes:
        """Return the part of a type."""
        (found,) = (part for part in self.parts if part.lower().startswith(b"content-type: " + name))
        return found

    def without(self, *names: bytes) -> tuple[bytes, ...]:
        """Return the parts but for those of some types."""
        dropped = [self.of_type(name) for name in names]
        return tuple(part for part in self.parts if part not in dropped)

    def join(self, parts: Sequence[bytes]) -> bytes:
        """Return a transport message of parts."""
        return b"".join(b"--" + self.boundary + b"\r\n" + part + b"\r\n" for part in parts) + (
            b"--" + self.boundary + b"--\r\n"
        )


def cut(body: bytes) -> Cut:
    """Take a transport message apart."""
    boundary = body[2 : body.index(b"\r\n")]
    *parts, _end = body[len(boundary) + 4 :].split(b"\r\n--" + boundary)
    return Cut(boundary, tuple(part.removeprefix(b"\r\n") for part in parts))


def parts(change: Callable[[Cut], Sequence[bytes]]) -> Callable[[bytes], bytes]:
    """Change the list of parts."""

    def respell(body: bytes) -> bytes:
        taken = cut(body)
        assert taken.join(taken.parts) == body
        return taken.join(change(taken))

    return respell


SOAP_PART, ATTACHED, SIGNED = b"text/xml", b"multipart/mixed", b"signature/"
RESULT_PART, CHAIN_PART = b"application/hash-chain-result", b"application/hash-chain\r"
FAULT_PART: Final = b"content-type: text/xml\r\n\r\n" + build_soap_fault("server.serverproxy.x", "night", "", "d")


def inner(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Change the part that holds the attachments."""
    return parts(lambda c: [change(part) if part == c.of_type(ATTACHED) else part for part in c.parts])


ORDERED_WRONG: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no message": (parts(lambda c: c.without(SOAP_PART)), TYPE),
    "message only": (parts(lambda c: [c.of_type(SOAP_PART)]), "missing_signature"),
    "message twice": (parts(lambda c: [c.of_type(SOAP_PART), *c.parts]), TYPE),
    "signature before the message": (parts(lambda c: [c.of_type(SIGNED), *c.without(SIGNED)]), TYPE),
    "signature twice": (parts(lambda c: [*c.parts, c.of_type(SIGNED)]), EXTRA),
    "no signature": (parts(lambda c: c.without(SIGNED)), "missing_signature"),
    "no proof": (parts(lambda c: c.without(SIGNED, RESULT_PART, CHAIN_PART)), "missing_signature"),
    "attachments before the message": (parts(lambda c: [c.of_type(ATTACHED), *c.without(ATTACHED)]), TYPE),
    "attachments after the hash chain": (
        parts(lambda c: [*c.without(ATTACHED, SIGNED), c.of_type(ATTACHED), c.of_type(SIGNED)]),
        TYPE,
    ),
    "attachments after the signature": (parts(lambda c: [*c.without(ATTACHED), c.of_type(ATTACHED)]), EXTRA),
    "attachments twice": (
        parts(lambda c: [part for one in c.parts for part in ([one] * 2 if one == c.of_type(ATTACHED) else [one])]),
        TYPE,
    ),
    "hash chain without result": (parts(lambda c: c.without(RESULT_PART)), TYPE),
    "result without hash chain": (parts(lambda c: c.without(CHAIN_PART)), TYPE),
    "hash chain before result": (
        parts(lambda c: [*c.without(RESULT_PART, SIGNED), c.of_type(RESULT_PART), c.of_type(SIGNED)]),
        TYPE,
    ),
    "neither hash chain nor result": (parts(lambda c: c.without(RESULT_PART, CHAIN_PART)), MALFORMED),
    "certificate status after the message": (
        parts(lambda c: [*c.without(SIGNED), b"content-type: application/ocsp-response\r\n\r\nx", c.of_type(SIGNED)]),
        TYPE,
    ),
    "unknown part": (parts(lambda c: [b"content-type: application/zip\r\n\r\nPK", *c.parts]), TYPE),
    "part without a type": (parts(lambda c: [b"x-a: b\r\n\r\nx", *c.parts]), TYPE),
    "message called text": (lambda body: body.replace(b"content-type: text/xml", b"content-type: text/plain", 1), TYPE),
    "signature called text": (lambda body: body.replace(b"signature/bdoc-1.0/ts", b"text/plain", 1), TYPE),
    "bytes behind the signature": (parts(lambda c: [*c.parts, b"content-type: text/plain\r\n\r\nmore"]), EXTRA),
    "signature behind a fault": (parts(lambda c: [*c.without(SIGNED), FAULT_PART, c.of_type(SIGNED)]), EXTRA),
    "broken off in the message": (lambda body: body[: body.index(b"</SOAP-ENV:Header>")], MIME),
    "broken off in an attachment": (lambda body: body[: body.index(b"second") + 3], MIME),
    "broken off in the signature": (lambda body: body[:-300], MIME),
    "last boundary missing": (lambda body: body[: body.rindex(b"\r\n--")], MIME),
    "empty body": (lambda _: b"", "missing_soap"),
    "no parts": (parts(lambda _: []), "missing_soap"),
    "another boundary": (lambda body: body.replace(b"xtop", b"xtoq"), "missing_soap"),
    "endless part header": (parts(lambda c: [b"x-a: " + b"a" * 100_000 + b"\r\n" + c.parts[0], *c.parts[1:]]), MIME),
    "part header without a colon": (parts(lambda c: [b"x-a\r\n" + c.parts[0], *c.parts[1:]]), MIME),
    "attachments without a boundary": (
        inner(lambda part: part.replace(b"; boundary=xatt", b"; bundary=xatt", 1)),
        TYPE,
    ),
    "attachments with another boundary": (
        inner(lambda part: part.replace(b"boundary=xatt", b"boundary=yatt", 1)),
        NO_PART,
    ),
    "attachments without an end": (inner(lambda part: part[: part.rindex(b"--xatt")]), MIME),
    "attachment cut in two": (
        inner(
            lambda part: part.replace(
                b"second", b"sec\r\n" + part[part.index(b"--xatt") :].split(b"\r\n")[0] + b"\r\n\r\nond"
            )
        ),
        OTHER_TOP,
    ),
    "more attachments than allowed": (
        inner(
            lambda part: (
                part[: part.rindex(b"--xatt")]
                + (part[part.index(b"--xatt") :].split(b"\r\n")[0] + b"\r\n\r\n\r\n") * 1100
                + part[part.rindex(b"--xatt") :]
            )
        ),
        MIME,
    ),
    "message with a DOCTYPE": (
        lambda body: body.replace(b"<SOAP-ENV:Envelope", DOCTYPE + b"<SOAP-ENV:Envelope", 1),
        "service_failed.invalid_soap",
    ),
    "message altered": (lambda body: body.replace(b">who<", b">you<"), OTHER_TOP),
    "attachment altered": (lambda body: body.replace(b"second", b"sekond"), OTHER_TOP),
}


@WAYS
@pytest.mark.parametrize("wrong", ORDERED_WRONG)
async def test_message_of_wrong_parts_is_refused(scene: Scene, way: Way, wrong: str) -> None:
    respell, code = ORDERED_WRONG[wrong]
    outcome = await way(scene, untouched, respell)
    must_be_refused(outcome, way, code)


@WAYS
@pytest.mark.parametrize(
    "tolerated",
    {
        "words before the first boundary": lambda body: b"This is a message.\r\n" + body,
        "words behind the last boundary": lambda body: body + b"The end.\r\n",
        "header names in capitals": lambda body: body.replace(b"content-type:", b"CONTENT-TYPE:"),
        "types in capitals": lambda body: body.replace(b"signature/bdoc-1.0/ts", b"Signature/BDOC-1.0/TS"),
    }.items(),
    ids=lambda item: item[0],
)
async def test_spelling_that_changes_nothing_passes(
    scene: Scene, way: Way, tolerated: tuple[str, Callable[[bytes], bytes]]
) -> None:
    outcome = await way(scene, untouched, tolerated[1])
    assert outcome.code is None, outcome.text


# faults of the peer in the place of a part


@pytest.mark.parametrize(
    "where",
    {
        "for the message": lambda c: [FAULT_PART],
        "for the signature": lambda c: [*c.without(SIGNED), FAULT_PART],
        "for the whole proof": lambda c: [*c.without(SIGNED, RESULT_PART, CHAIN_PART), FAULT_PART],
        "for the hash chain": lambda c: [*c.without(SIGNED, CHAIN_PART), FAULT_PART],
        "for attachments and proof": lambda c: [c.of_type(SOAP_PART), FAULT_PART],
    }.items(),
    ids=lambda item: item[0],
)
async def test_fault_of_the_peer_reaches_the_caller_whatever_part_it_stands_for(
    scene: Scene, where: tuple[str, Callable[[Cut], Sequence[bytes]]]
) -> None:
    outcome = await as_reply(scene, untouched, parts(where[1]))
    assert outcome.code == "server.serverproxy.x"
    assert FAULT_PART.endswith(outcome.content)
    assert outcome.kept == ["request"]


@pytest.mark.parametrize(
    ("where", "code"),
    {
        "for the message": ((lambda c: [FAULT_PART]), "missing_soap"),
        "for the signature": ((lambda c: [*c.without(SIGNED), FAULT_PART]), "missing_signature"),
    }.values(),
    ids=["for the message", "for the signature"],
)
async def test_fault_in_a_request_is_no_request(
    scene: Scene, where: Callable[[Cut], Sequence[bytes]], code: str
) -> None:
    must_be_refused(await as_request(scene, untouched, parts(where)), as_request, code)


async def test_broken_fault_for_the_signature_is_not_passed_on(scene: Scene) -> None:
    broken = b"content-type: text/xml\r\n\r\n<oops>"
    outcome = await as_reply(scene, untouched, parts(lambda c: [*c.without(SIGNED), broken]))
    must_be_refused(outcome, as_reply, "service_failed.invalid_soap")
