"""Hash chains: one signature or time-stamp over many inputs (X-Road HashChainBuilder.java, HashChainVerifier.java).

    leaf    = the digest of a part, or H(DigestList(parts)) when a request has several
    inner   = H(DigestList(left, right)); an odd node rises unchanged
    result  = the top, in a small document of its own: that document is what gets signed or stamped

A chain document is the path from the top to one leaf, with the digests of the siblings. Its bytes are
covered by nothing; only the digests in it are. So names and order of the parts are checked beside the
digests, a `Transforms` element is refused (it would let a message change without changing its digest),
and so is everything that a walk does not reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from lxml import etree

from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.signature.signed_message import Part
from gateway.xroad.signature.strict_xml import (
    DIGEST_METHOD,
    DIGEST_VALUE,
    attribute_of,
    children_of,
    digest_algorithm_of,
    digest_in,
    exactly,
    local_name,
    only_attributes,
    parse_strict,
    stated_digest,
)
from gateway.xroad.xml import NS_DS, NS_HASH_CHAIN

SIGNATURE_RESULT: Final = "/sig-hashchainresult.xml"
SIGNATURE_CHAIN: Final = "/sig-hashchain.xml"
TIMESTAMP_RESULT: Final = "/ts-hashchainresult.xml"
TIMESTAMP_CHAIN: Final = "/ts-hashchain.xml"

MAX_STEPS: Final = 64  # a batch of 2^60 and a step for the parts
MAX_CHILDREN: Final = 1024  # parts of one request

_MALFORMED: Final = "malformed_signature.malformed_hash_chain"
_INVALID: Final = "malformed_signature.invalid_hash_chain"
_INVALID_REF: Final = "malformed_signature.invalid_hash_chain_ref"
_UNRESOLVED: Final = "malformed_signature.invalid_reference"
_UNUSED: Final = "malformed_signature.hashchain_unused_inputs"

_RESULT_TAG: Final = f"{{{NS_HASH_CHAIN}}}HashChainResult"
_CHAIN_TAG: Final = f"{{{NS_HASH_CHAIN}}}HashChain"
_DEFAULT_METHOD_TAG: Final = f"{{{NS_HASH_CHAIN}}}DefaultDigestMethod"
_STEP_TAG: Final = f"{{{NS_HASH_CHAIN}}}HashStep"
_STEP_REF_TAG: Final = f"{{{NS_HASH_CHAIN}}}StepRef"
_VALUE_TAG: Final = f"{{{NS_HASH_CHAIN}}}HashValue"
_DATA_REF_TAG: Final = f"{{{NS_HASH_CHAIN}}}DataRef"

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NAMESPACES: Final = f'xmlns:hc="{NS_HASH_CHAIN}" xmlns:ds="{NS_DS}"'


# Building


@dataclass(frozen=True, slots=True)
class HashChains:
    """The result that is signed, and one chain document for each input, in their order."""

    result: bytes
    chains: tuple[bytes, ...]


def build_hash_chains(
    inputs: Sequence[Sequence[Part]],
    *,
    chain_name: str = SIGNATURE_CHAIN,
    algorithm: DigestAlgorithm = DigestAlgorithm.SHA512,
) -> HashChains:
    """Build the chains over `inputs`: the parts of one request after the other.

    Raises RuntimeError for no input, an input without parts, or a single part: those need no chain.
    """
    if not inputs or not all(inputs) or (len(inputs) == 1 and len(inputs[0]) == 1):
        raise RuntimeError("a hash chain needs at least two parts or two requests")
    levels = _levels([_leaf(parts, algorithm) for parts in inputs], algorithm)
    top = levels[-1][0]
    chains = tuple(_build_chain(parts, _siblings(levels, n), algorithm) for n, parts in enumerate(inputs))
    return HashChains(_build_result(chain_name, top), chains)


def encode_digest_list(digests: Iterable[Digest]) -> bytes:
    """Return DER of SEQUENCE OF { OCTET STRING digest, UTF8String URI, SEQUENCE {} } (X-Road DigestList.java)."""
    items = []
    for digest in digests:
        value = digest.value
        items.append(_tlv(0x30, b"\x04" + bytes((len(value),)) + value + _algorithm_der(digest.algorithm)))
    return _tlv(0x30, b"".join(items))


@lru_cache(maxsize=8)
def _algorithm_der(algorithm: DigestAlgorithm) -> bytes:
    # The member after the URI is a list of transforms that is always empty.
    return _tlv(0x0C, algorithm.uri.encode("ascii")) + b"\x30\x00"


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _hash_of(digests: Iterable[Digest], algorithm: DigestAlgorithm) -> Digest:
    return Digest(algorithm, algorithm.digest(encode_digest_list(digests)))


def _leaf(parts: Sequence[Part], algorithm: DigestAlgorithm) -> Digest:
    return parts[0].digest if len(parts) == 1 else _hash_of((part.digest for part in parts), algorithm)


def _levels(leaves: list[Digest], algorithm: DigestAlgorithm) -> list[list[Digest]]:
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [_hash_of(below[n : n + 2], algorithm) for n in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        levels.append(above)
    return levels


@dataclass(frozen=True, slots=True)
class _Sibling:
    digest: Digest
    is_left: bool


def _siblings(levels: list[list[Digest]], index: int) -> list[_Sibling]:
    """Return the siblings on the way from leaf `index` to the top, the uppermost first."""
    siblings = []
    for level in levels[:-1]:
        other = index ^ 1
        if other < len(level):
            siblings.append(_Sibling(level[other], is_left=other < index))
        index //= 2
    return siblings[::-1]


def _build_result(chain_name: str, top: Digest) -> bytes:
    return (
        f'{_HEAD}<hc:HashChainResult {_NAMESPACES} URI="{chain_name}#STEP0">\n'
        f'    <ds:DigestMethod Algorithm="{top.algorithm.uri}"/>\n'
        f"    <ds:DigestValue>{top.base64}</ds:DigestValue>\n"
        f"</hc:HashChainResult>\n"
    ).encode("ascii")


def _build_chain(parts: Sequence[Part], siblings: list[_Sibling], algorithm: DigestAlgorithm) -> bytes:
    data = [_reference_xml(f'DataRef URI="{part.name}"', "DataRef", part.digest, algorithm) for part in parts]
    steps = [] if len(parts) == 1 else ["".join(data)]
    own = data[0] if len(parts) == 1 else f'        <hc:StepRef URI="#STEP{len(siblings)}"/>\n'
    for depth in range(len(siblings) - 1, -1, -1):
        value = _reference_xml("HashValue", "HashValue", siblings[depth].digest, algorithm)
        steps.append(value + own if siblings[depth].is_left else own + value)
        own = f'        <hc:StepRef URI="#STEP{depth}"/>\n'
    body = "".join(
        f'    <hc:HashStep id="STEP{n}">\n{step}    </hc:HashStep>\n' for n, step in enumerate(reversed(steps))
    )
    return (
        f"{_HEAD}<hc:HashChain {_NAMESPACES}>\n"
        f'    <hc:DefaultDigestMethod Algorithm="{algorithm.uri}"/>\n{body}</hc:HashChain>\n'
    ).encode("ascii")


def _reference_xml(opening: str, name: str, digest: Digest, default: DigestAlgorithm) -> str:
    method = (
        "" if digest.algorithm is default else f'            <ds:DigestMethod Algorithm="{digest.algorithm.uri}"/>\n'
    )
    return (
        f"        <hc:{opening}>\n{method}"
        f"            <ds:DigestValue>{digest.base64}</ds:DigestValue>\n        </hc:{name}>\n"
    )


# Verifying


@dataclass(frozen=True, slots=True)
class ChainPart:
    """A part that a chain names: what it states, and whether the data was there to be compared."""

    name: str
    stated: Digest
    compared: bool


# Returns the digest of the data called so, None when it is not at hand; refuses names that mean nothing.
Resolve = Callable[[str, DigestAlgorithm], bytes | None]


def verify_hash_chain(
    result: bytes,
    chains: Mapping[str, bytes],
    *,
    inputs: Mapping[str, Digest] | None = None,
    resolve: Resolve | None = None,
) -> tuple[ChainPart, ...]:
    """Return the parts that the chain proves to stand behind `result`, in their order.

    `inputs` are digests taken while the parts came in: they go into the walk instead of the stated
    ones, each must be used, and afterwards the stated ones must say the same, so that what we accept
    today can be verified from the log. Other data is asked of `resolve` and compared on the way.

    Raises SignatureRefused (malformed_signature.…): malformed_hash_chain for documents that are not
    what the format says, invalid_reference for a part nobody can resolve, invalid_hash_chain_ref for
    data that differs, invalid_hash_chain for a wrong top, hashchain_unused_inputs for parts left over.
    """
    uri, expected = _read_result(result)
    walk = _Walk(chains, inputs or {}, resolve)
    top = walk.hash_of_step(uri, None, expected.algorithm)
    if top.value != expected.value:
        raise SignatureRefused(_INVALID, "signature.chain_result", chain=uri.partition("#")[0])
    walk.finish()
    return tuple(walk.parts)


def _read_result(result: bytes) -> tuple[str, Digest]:
    root = parse_strict(result, _MALFORMED)
    if root.tag != _RESULT_TAG:
        raise SignatureRefused(_MALFORMED, "signature.chain_element", element=local_name(root))
    only_attributes(root, _MALFORMED, "URI")
    method, value = exactly(root, _MALFORMED, DIGEST_METHOD, DIGEST_VALUE)
    return attribute_of(root, "URI", _MALFORMED), digest_in(method, value, _MALFORMED)


@dataclass(slots=True)
class _Document:
    default: DigestAlgorithm
    steps: dict[str, etree._Element]


@dataclass(slots=True)
class _Walk:
    """One walk from the top to the parts; every step is entered exactly once."""

    chains: Mapping[str, bytes]
    inputs: Mapping[str, Digest]
    resolve: Resolve | None
    parts: list[ChainPart] = field(default_factory=list)
    _documents: dict[str, _Document] = field(default_factory=dict)
    _entered: set[str] = field(default_factory=set)

    def hash_of_step(self, uri: str, base: str | None, algorithm: DigestAlgorithm) -> Digest:
        """Return the digest of the step that `uri` names, as seen from the document `base`."""
        name, _, step_id = uri.partition("#")
        name = name or base or ""
        document = self._document(name)
        step = document.steps.get(step_id)
        if step is None:
            raise SignatureRefused(_MALFORMED, "signature.chain_step_unknown", step=uri)
        key = f"{name}#{step_id}"
        if key in self._entered:  # a loop, or one step used twice
            raise SignatureRefused(_MALFORMED, "signature.chain_step_repeated", step=key)
        if len(self._entered) >= MAX_STEPS:
            raise SignatureRefused(_MALFORMED, "signature.chain_too_long", limit=MAX_STEPS)
        self._entered.add(key)
        children = children_of(step, _MALFORMED)
        if not 1 <= len(children) <= MAX_CHILDREN:
            raise SignatureRefused(_MALFORMED, "signature.chain_step_size", step=key, limit=MAX_CHILDREN)
        return _hash_of([self._digest_of(child, name, document.default) for child in children], algorithm)

    def finish(self) -> None:
        """Check what the digests do not say: names, order, and that nothing is left over."""
        unreached = [
            f"{name}#{step}"
            for name, document in self._documents.items()
            for step in document.steps
            if f"{name}#{step}" not in self._entered
        ]
        if unreached:
            raise SignatureRefused(_MALFORMED, "signature.chain_step_unreached", step=unreached[0])
        used = [part.name for part in self.parts]
        unused = [name for name in self.inputs if name not in used]
        if unused:
            raise SignatureRefused(_UNUSED, "signature.chain_input_unused", part=unused[0])
        for part in self.parts:
            supplied = self.inputs.get(part.name)
            if supplied is not None and supplied != part.stated:
                raise SignatureRefused(_INVALID_REF, "signature.chain_digest", part=part.name)

    def _document(self, name: str) -> _Document:
        document = self._documents.get(name)
        if document is None:
            data = self.chains.get(name)
            if data is None:
                raise SignatureRefused(_MALFORMED, "signature.chain_document_unknown", document=name)
            document = self._documents[name] = _read_document(data)
        return document

    def _digest_of(self, child: etree._Element, base: str, default: DigestAlgorithm) -> Digest:
        if child.tag == _STEP_REF_TAG:
            only_attributes(child, _MALFORMED, "URI")
            methods = exactly(child, _MALFORMED, *([DIGEST_METHOD] if len(child) else []))
            algorithm = digest_algorithm_of(methods[0], _MALFORMED) if methods else default
            return self.hash_of_step(attribute_of(child, "URI", _MALFORMED), base, algorithm)
        if child.tag == _VALUE_TAG:
            only_attributes(child, _MALFORMED)
            return _digest_in(child, default)
        if child.tag == _DATA_REF_TAG:
            only_attributes(child, _MALFORMED, "URI")
            return self._data(attribute_of(child, "URI", _MALFORMED), _digest_in(child, default))
        raise SignatureRefused(_MALFORMED, "signature.chain_element", element=local_name(child))

    def _data(self, name: str, stated: Digest) -> Digest:
        if any(part.name == name for part in self.parts):
            raise SignatureRefused(_MALFORMED, "signature.chain_part_repeated", part=name)
        supplied = self.inputs.get(name)
        if supplied is not None and supplied.algorithm is stated.algorithm:
            self.parts.append(ChainPart(name, stated, compared=True))
            return supplied
        if self.resolve is None:
            raise SignatureRefused(_UNRESOLVED, "signature.chain_part_unknown", part=name)
        actual = self.resolve(name, stated.algorithm)
        if actual is not None and actual != stated.value:
            raise SignatureRefused(_INVALID_REF, "signature.chain_digest", part=name)
        self.parts.append(ChainPart(name, stated, compared=actual is not None))
        return stated


def _read_document(data: bytes) -> _Document:
    root = parse_strict(data, _MALFORMED)
    children = children_of(root, _MALFORMED)
    if root.tag != _CHAIN_TAG or not children or children[0].tag != _DEFAULT_METHOD_TAG:
        raise SignatureRefused(_MALFORMED, "signature.chain_element", element=local_name(root))
    only_attributes(root, _MALFORMED)
    only_attributes(children[0], _MALFORMED, "Algorithm")
    steps: dict[str, etree._Element] = {}
    for step in children[1:]:
        if step.tag != _STEP_TAG:
            raise SignatureRefused(_MALFORMED, "signature.chain_element", element=local_name(step))
        only_attributes(step, _MALFORMED, "id")
        step_id = attribute_of(step, "id", _MALFORMED)
        if step_id in steps:
            raise SignatureRefused(_MALFORMED, "signature.chain_step_repeated", step=step_id)
        steps[step_id] = step
    return _Document(digest_algorithm_of(children[0], _MALFORMED), steps)


def _digest_in(element: etree._Element, default: DigestAlgorithm) -> Digest:
    # hashchain.xsd: [DigestMethod] [Transforms] DigestValue; Transforms refused, see above.
    if len(element) == 1:
        (value,) = exactly(element, _MALFORMED, DIGEST_VALUE)
        return stated_digest(default, value, _MALFORMED)
    method, value = exactly(element, _MALFORMED, DIGEST_METHOD, DIGEST_VALUE)
    return digest_in(method, value, _MALFORMED)
