"""Signed messages and containers made in process: `a_world()` holds the keys and the trust in them.

The instance is that of `factories.messages`, so its messages can be signed as they are; everything
happens at NOON. Options break one thing at a time.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from lxml import etree

from gateway.xroad.asic.container import BatchTimestamp, build_container
from gateway.xroad.bodies import Body
from gateway.xroad.digests import Digest, DigestAlgorithm, KeyKind, SignatureAlgorithm, digest_of
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.shared_parameters import ApprovedCa, ApprovedTsa, CaInfo, OcspResponder
from gateway.xroad.globalconf.shared_parameters_xml import parse_shared_parameters
from gateway.xroad.identifiers import MemberId
from gateway.xroad.pki.keys import ecdsa_der_to_raw, sign_digest
from gateway.xroad.signature import xades
from gateway.xroad.signature.hash_chain import TIMESTAMP_CHAIN, build_hash_chains
from gateway.xroad.signature.signed_message import (
    Message,
    Part,
    Signature,
    SignedMessage,
    SigningIdentity,
    bodies_of,
    parts_of,
)
from gateway.xroad.xml import C14N_EXCLUSIVE, NS_DS, NS_XADES, canonicalise
from tests.factories import globalconf as configurations
from tests.factories.messages import INSTANCE, a_member, a_provider
from tests.factories.pki import EC, FIVRK, NOON, Hierarchy, Issued, a_hierarchy, kind_of
from tests.factories.recordings import vectors

ALGORITHMS = {EC: SignatureAlgorithm.ECDSA_SHA512, "RSA": SignatureAlgorithm.RSA_SHA512}


@dataclass(frozen=True)
class World:
    """A hierarchy, members with signing certificates below it, and the configuration that lists it."""

    hierarchy: Hierarchy
    globalconf: GlobalConf
    _signers: dict[tuple[MemberId, str], Issued] = field(default_factory=dict)

    def signer(self, member: MemberId | None = None, *, below: str = "root") -> Issued:
        member = member or a_member()
        authority = self.hierarchy.root if below == "root" else self.hierarchy.issuing
        key = (member, below)
        if key not in self._signers:
            self._signers[key] = authority.signer(member)
        return self._signers[key]

    def identity(
        self,
        member: MemberId | None = None,
        *,
        below: str = "root",
        signer: Issued | None = None,
        algorithm: SignatureAlgorithm | None = None,
        ocsp_responses: Sequence[bytes] | None = None,
    ) -> SigningIdentity:
        issued = signer or self.signer(member, below=below)
        root, issuing = self.hierarchy.root, self.hierarchy.issuing
        extras = (issuing.der,) if below == "issuing" else ()
        if ocsp_responses is None:
            ocsp_responses = [self.hierarchy.status_of(issued.certificate, root if below == "root" else issuing)]
            if extras:
                ocsp_responses.append(self.hierarchy.status_of(issuing.certificate))
        return SigningIdentity(
            member or a_member(),
            issued.der,
            extras,
            tuple(ocsp_responses),
            algorithm or ALGORITHMS[kind_of(issued.key)],
            f"{member}",
        )

    def key_of(self, identity: SigningIdentity) -> Issued:
        return next(issued for issued in self._signers.values() if issued.der == identity.certificate_der)

    def sign(
        self,
        message: Message | Sequence[Part],
        identity: SigningIdentity | None = None,
        *,
        signer: Issued | None = None,
        at: datetime = NOON,
    ) -> Signature:
        """Sign a message, or parts, as our own gateway does."""
        identity = identity or self.identity(_signer_of(message))
        parts = message if isinstance(message, Sequence) else parts_of(message)
        unsigned = xades.prepare(parts, identity, at)
        key = (signer or self.key_of(identity)).key
        return xades.assemble(unsigned, sign_digest(key, identity.algorithm, unsigned.digest))

    def sign_batch(
        self, requests: Sequence[Sequence[Part]], identity: SigningIdentity | None = None
    ) -> list[Signature]:
        """Sign several messages with one signature."""
        identity = identity or self.identity()
        batch = xades.prepare_batch(requests, identity, NOON)
        return xades.assemble_batch(batch, sign_digest(self.key_of(identity).key, identity.algorithm, batch.digest))

    def signed(self, message: Message, **options: object) -> SignedMessage:
        """Return a message with its signature."""
        return SignedMessage(message, self.sign(message, **options))  # type: ignore[arg-type]

    def stamped(self, signature: Signature, at: datetime = NOON + timedelta(seconds=2)) -> Signature:
        """Return the signature with a time-stamp of its own."""
        value = etree.fromstring(signature.xml).find(f".//{{{NS_DS}}}SignatureValue")
        assert value is not None

        imprint = digest_of(base64.b64decode(value.text or ""), DigestAlgorithm.SHA512)
        token = self.hierarchy.timestamp(imprint, at)
        return Signature(xades.add_timestamp(signature.xml, token), signature.hash_chain_result, signature.hash_chain)

    def batch_stamp(
        self, signatures: Sequence[Signature], at: datetime = NOON + timedelta(seconds=2)
    ) -> list[BatchTimestamp]:
        """Return one time-stamp over several signatures."""
        inputs = [[Part("/META-INF/signatures.xml", digest_of(signature.xml))] for signature in signatures]
        chains = build_hash_chains(inputs, chain_name=TIMESTAMP_CHAIN)
        token = self.hierarchy.timestamp(digest_of(chains.result), at)
        return [BatchTimestamp(token, chains.result, chain) for chain in chains.chains]

    def container(
        self, message: Message, *, batch_stamp: bool = False, keep_attachments: bool = True, **options: object
    ) -> bytes:
        """Return a container of a message that we sign and stamp."""
        signature = self.sign(message, **options)  # type: ignore[arg-type]
        kept: dict[int, Body] = dict(enumerate(bodies_of(message), start=1)) if keep_attachments else {}
        omitted = () if keep_attachments else range(1, len(bodies_of(message)) + 1)
        if batch_stamp:
            other = self.sign([Part("/message.xml", digest_of(b"another"))])
            stamp = self.batch_stamp([signature, other])[0]
            return build_container(
                message.raw, signature, at=NOON, attachments=kept, timestamp=stamp, omitted=list(omitted)
            )
        return build_container(message.raw, self.stamped(signature), at=NOON, attachments=kept, omitted=list(omitted))


def _signer_of(message: Message | Sequence[Part]) -> MemberId:
    if isinstance(message, Sequence):
        return a_member()
    is_response = getattr(message, "is_response", hasattr(message, "status"))
    headers = getattr(message, "headers", None)
    facts = headers if hasattr(headers, "client") else message
    return facts.service.provider.member if is_response else facts.client.member  # type: ignore[union-attr]


@lru_cache(maxsize=4)
def a_world(kind: str = EC) -> World:
    """The same world for a whole session, of EC or RSA keys."""
    hierarchy = a_hierarchy(kind)
    world = World(hierarchy, a_configuration(hierarchy))
    for member in (a_member(), a_provider().member):
        world.signer(member)
    return world


def a_configuration(hierarchy: Hierarchy, **changes: object) -> GlobalConf:
    """Return a configuration that approves the hierarchy's CAs, responder and TSA."""
    responders = (OcspResponder("http://ca.test:8888/ocsp", hierarchy.responder.der),)
    approved = ApprovedCa(
        "Test CA",
        CaInfo(hierarchy.root.der, responders),
        FIVRK,
        intermediates=(CaInfo(hierarchy.issuing.der, responders),),
    )
    facts: dict[str, object] = {
        "approved_cas": (approved,),
        "approved_tsas": (ApprovedTsa("Test TSA", "http://tsa.test:8899", hierarchy.tsa.der),),
        **changes,
    }
    return configurations.a_globalconf(configurations.a_shared_parameters(INSTANCE, **facts))


# What newer generations write


def a_newer_signature(
    world: World, message: Message, *, at: datetime = NOON, references: Sequence[Part] | None = None
) -> Signature:
    """Sign as newer generations do: ds:Signature as root, exclusive C14N, V2 certificate, generated Ids."""
    identity = world.identity(_signer_of(message))
    issued = world.key_of(identity)
    parts = parts_of(message) if references is None else references
    listed = "".join(
        _newer_reference(f' Id="r-id-1-{n}" URI="{part.name}"', part.digest) for n, part in enumerate(parts)
    )
    formats = "".join(
        f'<xades:DataObjectFormat ObjectReference="#r-id-1-{n}"><xades:MimeType>application/octet-stream'
        f"</xades:MimeType></xades:DataObjectFormat>"
        for n, _ in enumerate(parts)
    )
    ocsp = "".join(
        f"<xades:EncapsulatedOCSPValue>{_b64(der)}</xades:EncapsulatedOCSPValue>" for der in identity.ocsp_responses
    )
    properties = (
        f'<xades:SignedProperties Id="xades-id-1"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{at:%Y-%m-%dT%H:%M:%SZ}</xades:SigningTime>"
        f"<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>{_method()}"
        f"<ds:DigestValue>{digest_of(issued.der).base64}</ds:DigestValue></xades:CertDigest></xades:Cert>"
        f"</xades:SigningCertificateV2></xades:SignedSignatureProperties>"
        f"<xades:SignedDataObjectProperties>{formats}</xades:SignedDataObjectProperties></xades:SignedProperties>"
    )

    def document(properties_digest: Digest, value: bytes) -> bytes:
        transform = f'<ds:Transforms><ds:Transform Algorithm="{C14N_EXCLUSIVE}"/></ds:Transforms>'
        own = _newer_reference(
            f' Type="{xades.SIGNED_PROPERTIES_TYPE}" URI="#xades-id-1"', properties_digest, transform
        )
        return (
            f'<?xml version="1.0" encoding="UTF-8" standalone="no"?><ds:Signature xmlns:ds="{NS_DS}" Id="id-1">'
            f'<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{C14N_EXCLUSIVE}"/>'
            f'<ds:SignatureMethod Algorithm="{identity.algorithm.uri}"/>{listed}{own}</ds:SignedInfo>'
            f'<ds:SignatureValue Id="value-id-1">{_b64(value)}</ds:SignatureValue>'
            f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{_b64(issued.der)}</ds:X509Certificate></ds:X509Data>"
            f'</ds:KeyInfo><ds:Object><xades:QualifyingProperties xmlns:xades="{NS_XADES}" Target="#id-1">{properties}'
            f"<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:RevocationValues><xades:OCSPValues>"
            f"{ocsp}</xades:OCSPValues></xades:RevocationValues></xades:UnsignedSignatureProperties>"
            f"</xades:UnsignedProperties></xades:QualifyingProperties></ds:Object></ds:Signature>"
        ).encode()

    draft = document(digest_of(b""), b"-")
    digest = digest_of(_canonical(draft, f"{{{NS_XADES}}}SignedProperties"))
    info = _canonical(document(digest, b"-"), f"{{{NS_DS}}}SignedInfo")
    value = sign_digest(issued.key, identity.algorithm, identity.algorithm.digest_algorithm.digest(info))
    if identity.algorithm.kind is KeyKind.ECDSA:
        value = ecdsa_der_to_raw(value, issued.certificate.public_key())  # type: ignore[arg-type]
    return Signature(document(digest, value))


def _canonical(document: bytes, tag: str) -> bytes:
    element = etree.fromstring(document).find(f".//{tag}")
    assert element is not None
    return canonicalise(element, C14N_EXCLUSIVE)


def _newer_reference(attributes: str, digest: Digest, transforms: str = "") -> str:
    return (
        f"<ds:Reference{attributes}>{transforms}{_method(digest.algorithm)}"
        f"<ds:DigestValue>{digest.base64}</ds:DigestValue></ds:Reference>"
    )


def _method(algorithm: DigestAlgorithm = DigestAlgorithm.SHA512) -> str:
    return f'<ds:DigestMethod Algorithm="{algorithm.uri}"/>'


def _b64(data: bytes) -> str:

    return base64.b64encode(data).decode()


# Taking signatures and containers apart


def resign(world: World, xml: bytes, change: Callable[[bytes], bytes], member: MemberId | None = None) -> bytes:
    """Change a signature of ours and sign it anew with the member's key, all digests recomputed.

    What the signer itself did wrong, not somebody on the way.
    """

    identity = world.identity(member)
    changed = change(xml)
    root = etree.fromstring(changed)
    properties = root.find(f".//{{{NS_XADES}}}SignedProperties")
    for reference in root.iterfind(f".//{{{NS_DS}}}Reference"):
        if reference.get("URI", "").startswith("#") and properties is not None:
            old = reference.findtext(f"{{{NS_DS}}}DigestValue") or ""
            changed = changed.replace(old.encode(), digest_of(canonicalise(properties)).base64.encode())
    root = etree.fromstring(changed)
    info, value = root.find(f".//{{{NS_DS}}}SignedInfo"), root.find(f".//{{{NS_DS}}}SignatureValue")
    assert info is not None
    assert value is not None
    signed = sign_digest(
        world.key_of(identity).key,
        identity.algorithm,
        identity.algorithm.digest_algorithm.digest(canonicalise(info)),
    )
    if identity.algorithm.kind is KeyKind.ECDSA:
        signed = ecdsa_der_to_raw(signed, world.key_of(identity).certificate.public_key())  # type: ignore[arg-type]
    return changed.replace((value.text or "").strip().encode(), base64.b64encode(signed))


def unzip(container: bytes) -> dict[str, bytes]:
    """Return the entries of a container in their order."""
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rezip(entries: Mapping[str, bytes] | Sequence[tuple[str, bytes]], *, comment: bytes = b"") -> bytes:
    """Return a zip archive of these entries, as another program writes it."""
    buffer = io.BytesIO()
    pairs = entries.items() if isinstance(entries, Mapping) else entries
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = comment
        for name, data in pairs:
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 21, 12, 0, 0)), data)
    return buffer.getvalue()


# Recorded by the reference


def recorded_globalconf(version: int = 6) -> GlobalConf:
    """Return the configuration that the recorded vectors are verified with."""
    folder = vectors() / "trust" / f"globalconf-v{version}" / "TEST"
    shared = parse_shared_parameters((folder / "shared-params.xml").read_bytes(), version)
    return GlobalConf.of("TEST", {"TEST": shared}, None, datetime(2046, 1, 1, tzinfo=UTC), version=version)


def entry_times(container: bytes) -> list[datetime]:
    """Return the time of each entry, from its extended time-stamp (extra field `UT`)."""
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        extras = [entry.extra for entry in archive.infolist()]
    return [datetime.fromtimestamp(int.from_bytes(extra[5:9], "little"), UTC) for extra in extras]
