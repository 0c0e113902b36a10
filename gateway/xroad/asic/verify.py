"""Verify a container offline: message, signature, time-stamp (X-Road AsicContainerVerifier.java).

1. The container is one message, one signature, and nothing beside.
2. The message names the signer: a request its client, an answer the service's client.
3. The signature is of a known form and covers the message and every attachment in the container.
4. The time-stamp is by an approved authority: over the signature value, or over a chain that leads to
   the signature as it stands here; the manifest between them says the same.
5. The signature holds at the time of the stamp, by the checks of `signature.verify`, and so does the
   chain between it and the message.

"Now" is never asked for: a container can be verified for as long as the configuration is kept that
lists its authorities. An attachment may be absent when a chain holds its digest; then the verdict says so.

Where the container says that a part was not kept, as the body of a message that is not to be logged,
its digest may be given as `known` from elsewhere: the log's record. Then everything but the content is
proven, and the verdict says so; without it such a container fails, as it does at the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from gateway.xroad.asic.container import (
    SIGNATURE_ENTRY,
    TIMESTAMP_ENTRY,
    TIMESTAMP_RESULT_ENTRY,
    Container,
    read_container,
)
from gateway.xroad.asic.verdict import (
    AttachmentState,
    Check,
    CheckName,
    Direction,
    Examination,
    Kind,
    Outcome,
    SignedAttachment,
    Verdict,
)
from gateway.xroad.digests import Digest, DigestAlgorithm, digest_of, digest_of_chunks
from gateway.xroad.faults import MalformedMessage, SignatureRefused, XRoadFault
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, ServiceId
from gateway.xroad.pki.certificates import subject_of
from gateway.xroad.pki.tsp import Timestamp, parse_token, verify_token
from gateway.xroad.rest.message import RestResponse, parse_rest_message
from gateway.xroad.signature.hash_chain import SIGNATURE_CHAIN, TIMESTAMP_CHAIN, ChainPart, verify_hash_chain
from gateway.xroad.signature.signed_message import MESSAGE_PART, attachment_part
from gateway.xroad.signature.strict_xml import (
    ACCEPTED_DIGESTS,
    DIGEST_METHOD,
    DIGEST_VALUE,
    attribute_of,
    digest_in,
    exactly,
    parse_strict,
)
from gateway.xroad.signature.verify import (
    check_form,
    check_member,
    check_order,
    check_path,
    check_references,
    check_signed_properties,
    check_statuses,
    check_value,
    signing_certificate_of,
)
from gateway.xroad.signature.xades_reader import XadesSignature, parse_signature
from gateway.xroad.soap.message import XOP_XML, SoapMessage, parse_soap
from gateway.xroad.xml import NS_ASIC_MANIFEST

_MALFORMED: Final = "malformed_signature"
_SIGNATURE_PART: Final = f"/{SIGNATURE_ENTRY}"
_MANIFEST_TAG: Final = f"{{{NS_ASIC_MANIFEST}}}ASiCManifest"
_SIG_REFERENCE: Final = f"{{{NS_ASIC_MANIFEST}}}SigReference"
_DATA_REFERENCE: Final = f"{{{NS_ASIC_MANIFEST}}}DataObjectReference"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

# Returns the configuration in force at a time that a container claims; None when it claims none.
Choose = Callable[[datetime | None], GlobalConf]
# Digests by the names of signed parts (`/message.xml`), for those that were not kept.
Known = Mapping[str, Digest]
_NOTHING: Final[Known] = MappingProxyType({})


def verify_container(container: Container, globalconf: GlobalConf, known: Known = _NOTHING) -> Verdict:
    """Return what the container proves; raises XRoadFault with the first check that fails."""
    walk = _Walk(known)
    walk.globalconf = globalconf
    return walk.verdict(container)


def examine_container(data: bytes | memoryview, trust: GlobalConf | Choose, known: Known = _NOTHING) -> Examination:
    """Return every check with its outcome, for people who want to see them, whatever the bytes are.

    What `trust` raises when it is asked for the configuration of the claimed time passes through.
    """
    walk = _Walk(known)
    verdict, fault, container = None, None, None
    try:
        with walk.step(CheckName.CONTAINER):
            container = read_container(data)
    except XRoadFault as refusal:
        fault = refusal
    walk.globalconf = trust if isinstance(trust, GlobalConf) else trust(_find_claimed_time(container))
    if container is not None:
        try:
            verdict = walk.verdict(container)
        except XRoadFault as refusal:
            fault = refusal
    seen = {check.name for check in walk.checks}
    rest = (Check(name, Outcome.NOT_REACHED, {}) for name in CheckName if name not in seen)
    return Examination((*walk.checks, *rest), verdict, fault)


def claimed_time(container: Container) -> datetime:
    """Return the time in the time-stamp, unproven: by it the configuration to verify with is chosen.

    Raises XRoadFault when there is none to be read.
    """
    token = container.token
    return parse_token(token or _token_of(container, parse_signature(container.signature.xml))).gen_time


def _find_claimed_time(container: Container | None) -> datetime | None:
    try:
        return None if container is None else claimed_time(container)
    except XRoadFault:
        return None  # then no configuration makes it valid, and the examination says why


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a message says of itself."""

    kind: Kind
    direction: Direction
    client: ClientId
    service: ServiceId
    id: str

    @property
    def signer(self) -> ClientId:
        return self.client if self.direction is Direction.REQUEST else self.service.provider


def _read_message(raw: bytes) -> _Facts:
    """Read SOAP, or else the header part of a REST message, which never begins with `<`."""
    if raw.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] == b"<":
        message = parse_soap(raw, XOP_XML)  # of either version: a container keeps no content type
        if not isinstance(message, SoapMessage):
            raise MalformedMessage("invalid_soap", "asic.message_is_fault")
        direction = Direction.RESPONSE if message.is_response else Direction.REQUEST
        headers = message.headers
        return _Facts(Kind.SOAP, direction, headers.client, headers.service, headers.id)
    rest = parse_rest_message(raw)
    direction = Direction.RESPONSE if isinstance(rest, RestResponse) else Direction.REQUEST
    return _Facts(Kind.REST, direction, rest.client, rest.service, rest.id)


@dataclass(slots=True)
class _Walk:
    """One verification, remembering what it has done; `globalconf` is there before anything needs it."""

    known: Known
    globalconf: GlobalConf = field(init=False)
    checks: list[Check] = field(default_factory=list)

    @contextmanager
    def step(self, name: CheckName) -> Iterator[dict[str, object]]:
        """Note how a check ends, with the facts put into what is yielded."""
        facts: dict[str, object] = {}
        try:
            yield facts
        except XRoadFault as refusal:
            self.checks.append(Check(name, Outcome.FAILED, dict(refusal.facts)))
            raise
        self.checks.append(Check(name, Outcome.PASSED, facts))

    def skip(self, name: CheckName) -> None:
        """Note that there is nothing to check."""
        self.checks.append(Check(name, Outcome.NOT_APPLICABLE, {}))

    def verdict(self, container: Container) -> Verdict:
        """Make the checks in order."""
        with self.step(CheckName.MESSAGE) as facts:
            message = _read_message(container.message)
            facts.update(kind=message.kind.value, direction=message.direction.value, id=message.id)
        with self.step(CheckName.SIGNATURE) as facts:
            xades = parse_signature(container.signature.xml)
            facts.update(algorithm=xades.algorithm.name)
        with self.step(CheckName.FORM) as facts:
            check_form(xades, container.signature, [attachment_part(number) for number in container.attachments])
            facts.update(references=" ".join(reference.uri for reference in xades.references))
        stamp = self._timestamp(container, xades)
        at = stamp.time
        parts = _Parts(container, self.known, {reference.uri: reference.digest for reference in xades.references})
        attachments = self._attachments(container, xades, parts)
        with self.step(CheckName.CERTIFICATE) as facts:
            certificate = signing_certificate_of(xades)
            facts.update(subject=subject_of(certificate), serial=certificate.serial_number)
        with self.step(CheckName.MEMBER) as facts:
            facts.update(member=check_member(certificate, message.signer, self.globalconf), signer=message.signer)
        with self.step(CheckName.REFERENCES), parts.saying_what_was_not_kept():
            check_references(xades, container.signature, parts.measure)
        with self.step(CheckName.VALUE):
            check_value(xades, certificate)
        with self.step(CheckName.PROPERTIES) as facts:
            check_signed_properties(xades, certificate, at)
            facts.update(signing_time=xades.signing_time.isoformat())
        with self.step(CheckName.PATH) as facts:
            path = check_path(xades, certificate, message.signer.xroad_instance, self.globalconf, at)
            facts.update(path=" < ".join(subject_of(each) for each in path))
        with self.step(CheckName.STATUS) as facts:
            statuses = check_statuses(xades, path, self.globalconf, at)
            facts.update(produced_at=statuses[0].produced_at.isoformat(), responder=subject_of(statuses[0].responder))
        return Verdict(
            signer=message.signer,
            certificate=certificate,
            path=path,
            kind=message.kind,
            direction=message.direction,
            client=message.client,
            service=message.service,
            id=message.id,
            signing_time=xades.signing_time,
            time=at,
            authority=stamp.authority,
            is_batch_timestamp=container.timestamp_chain_result is not None,
            statuses=statuses,
            attachments=attachments,
            checks=tuple(self.checks),
            message=parts.state_of(MESSAGE_PART),
        )

    def _timestamp(self, container: Container, xades: XadesSignature) -> Timestamp:
        result = container.timestamp_chain_result
        if result is None:
            self.skip(CheckName.TIMESTAMP_CHAIN)
        else:
            with self.step(CheckName.TIMESTAMP_CHAIN):
                _check_timestamp_chain(container, result)
        with self.step(CheckName.TIMESTAMP) as facts:
            token = parse_token(_token_of(container, xades))
            algorithm = token.imprint.algorithm
            if algorithm not in ACCEPTED_DIGESTS:
                raise SignatureRefused(_MALFORMED, "signature.digest_algorithm", algorithm=algorithm.uri)
            imprint = digest_of(xades.value if result is None else result, algorithm)
            stamp = verify_token(token, imprint, self.globalconf.tsa_certificates())
            facts.update(time=stamp.time.isoformat(), authority=subject_of(stamp.authority))
        if container.asic_manifest is None:
            self.skip(CheckName.MANIFEST)
        else:
            with self.step(CheckName.MANIFEST):
                _check_manifest(container.asic_manifest, result)
        return stamp

    def _attachments(self, container: Container, xades: XadesSignature, parts: _Parts) -> tuple[SignedAttachment, ...]:
        result = container.signature.hash_chain_result
        if result is None:
            self.skip(CheckName.SIGNATURE_CHAIN)
            # Whatever is referenced must be there or be known, so REFERENCES decides about these.
            return tuple(
                SignedAttachment(reference.uri, reference.digest, parts.state_of(reference.uri))
                for reference in xades.references
                if reference.uri != MESSAGE_PART
            )
        with self.step(CheckName.SIGNATURE_CHAIN) as facts, parts.saying_what_was_not_kept():
            chain = _check_signature_chain(container, result, parts)
            facts.update(parts=" ".join(part.name for part in chain))
        return tuple(SignedAttachment(part.name, part.stated, parts.state_of(part.name)) for part in chain[1:])


@dataclass(frozen=True, slots=True)
class _Parts:
    """The signed parts that lie in a container, and the digests of those that were not kept.

    `stated` are the digests in SignedInfo. One of another algorithm than the known one cannot be compared
    with it, and is taken at its word, as that of an absent attachment in a chain is.
    """

    container: Container
    known: Known
    stated: Mapping[str, Digest]

    def state_of(self, name: str) -> AttachmentState:
        """Return how far a part is proven by a signature that holds."""
        known, stated = self._find_known(name), self.stated.get(name)
        if known is not None:
            comparable = stated is None or stated.algorithm is known.algorithm
            return AttachmentState.DIGEST_KNOWN if comparable else AttachmentState.DIGEST_ONLY
        is_here = name == MESSAGE_PART or self._holds(name)
        return AttachmentState.VERIFIED if is_here else AttachmentState.DIGEST_ONLY

    def measure(self, name: str, algorithm: DigestAlgorithm) -> bytes | None:
        """Return the digest of a part, None when it is neither here nor known."""
        known, stated = self._find_known(name), self.stated.get(name)
        if known is not None:
            if known.algorithm is algorithm:
                return known.value
            return stated.value if stated is not None and stated.algorithm is algorithm else None
        if name == MESSAGE_PART:
            return algorithm.digest(self.container.message)
        for number, body in self.container.attachments.items():
            if name == attachment_part(number):
                digest: Digest = body.digest
                return (
                    digest.value if digest.algorithm is algorithm else digest_of_chunks(body.chunks(), algorithm).value
                )
        return None

    def resolve(self, name: str, algorithm: DigestAlgorithm) -> bytes | None:
        """Return the digest of a part of a chain; attachments alone may be absent."""
        actual = self.measure(name, algorithm)
        if actual is None and not name.startswith("/attachment"):
            raise SignatureRefused("malformed_signature.invalid_reference", "signature.chain_part_unknown", part=name)
        return actual

    @contextmanager
    def saying_what_was_not_kept(self) -> Iterator[None]:
        """Name it as the reason where a part fails that was not kept; the code stays the reference's."""
        try:
            yield
        except SignatureRefused as refusal:
            name = str(refusal.facts.get("part") or refusal.facts.get("uri") or "")
            if name.removeprefix("/") not in self.container.omitted or name in self.known:
                raise
            text_id = "asic.body_not_logged" if name == MESSAGE_PART else "asic.attachment_not_kept"
            raise SignatureRefused(refusal.code, text_id, part=name) from refusal

    def _find_known(self, name: str) -> Digest | None:
        if name.removeprefix("/") not in self.container.omitted or self._holds(name):
            return None  # what lies here is measured, whatever the manifest says
        return self.known.get(name)

    def _holds(self, attachment: str) -> bool:
        return any(attachment == attachment_part(number) for number in self.container.attachments)


def _check_signature_chain(container: Container, result: bytes, parts: _Parts) -> tuple[ChainPart, ...]:
    chain = verify_hash_chain(result, {SIGNATURE_CHAIN: container.signature.hash_chain or b""}, resolve=parts.resolve)
    check_order(chain)
    covered = {part.name for part in chain}
    for number in container.attachments:
        if attachment_part(number) not in covered:
            raise SignatureRefused(
                "malformed_signature.hashchain_unused_inputs",
                "signature.part_not_covered",
                part=attachment_part(number),
            )
    return chain


def _check_timestamp_chain(container: Container, result: bytes) -> None:
    def resolve(name: str, algorithm: DigestAlgorithm) -> bytes | None:
        if name != _SIGNATURE_PART:
            raise SignatureRefused(_MALFORMED, "signature.chain_part_unknown", part=name)
        return algorithm.digest(container.signature.xml)

    try:
        chain = verify_hash_chain(result, {TIMESTAMP_CHAIN: container.timestamp_chain or b""}, resolve=resolve)
    except SignatureRefused as refusal:
        # The reference reports every failure of this chain under the one code.
        raise SignatureRefused(_MALFORMED, refusal.text_id, **refusal.facts) from refusal
    if len(chain) != 1:
        raise SignatureRefused(_MALFORMED, "asic.timestamp_chain_empty")


def _token_of(container: Container, xades: XadesSignature) -> bytes:
    token = container.token if container.token is not None else xades.unsigned.timestamp
    if token is None or (container.token is None and container.timestamp_chain_result is not None):
        raise SignatureRefused(_MALFORMED, "asic.timestamp_missing")
    return token


def _check_manifest(manifest: bytes, result: bytes | None) -> None:
    """Check that the manifest ties the token to the result that is here (ETSI EN 319 162-1 A.4)."""
    root = parse_strict(manifest, _MALFORMED)
    if root.tag != _MANIFEST_TAG or result is None:
        raise SignatureRefused(_MALFORMED, "asic.manifest")
    token, data = exactly(root, _MALFORMED, _SIG_REFERENCE, _DATA_REFERENCE)
    method, value = exactly(data, _MALFORMED, DIGEST_METHOD, DIGEST_VALUE)
    stated = digest_in(method, value, _MALFORMED)
    uris = attribute_of(token, "URI", _MALFORMED), attribute_of(data, "URI", _MALFORMED)
    if uris != (TIMESTAMP_ENTRY, TIMESTAMP_RESULT_ENTRY) or stated.algorithm.digest(result) != stated.value:
        raise SignatureRefused(_MALFORMED, "asic.manifest")
