"""Hash chains: what we build verifies, and nothing else does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.digests import Digest, DigestAlgorithm, digest_of
from gateway.xroad.faults import SignatureRefused, XRoadFault
from gateway.xroad.signature.hash_chain import (
    SIGNATURE_CHAIN,
    TIMESTAMP_CHAIN,
    ChainPart,
    HashChains,
    build_hash_chains,
    encode_digest_list,
    verify_hash_chain,
)
from gateway.xroad.signature.signed_message import Part

MALFORMED = "malformed_signature.malformed_hash_chain"
INVALID = "malformed_signature.invalid_hash_chain"
SHA512_URI = "http://www.w3.org/2001/04/xmlenc#sha512"


def a_request(number: int = 0, parts: int = 1) -> list[Part]:
    names = ["/message.xml", *(f"/attachment{n}" for n in range(1, parts))]
    return [Part(name, digest_of(f"{number} {name}".encode())) for name in names]


def inputs_of(parts: Sequence[Part]) -> dict[str, Digest]:
    return {part.name: part.digest for part in parts}


def verify(chains: HashChains, number: int, parts: Sequence[Part]) -> tuple[ChainPart, ...]:
    documents = {SIGNATURE_CHAIN: chains.chains[number]}
    return verify_hash_chain(chains.result, documents, inputs=inputs_of(parts))


def refusal(result: bytes, chain: bytes, parts: Sequence[Part]) -> str:
    with pytest.raises(SignatureRefused) as raised:
        verify_hash_chain(result, {SIGNATURE_CHAIN: chain}, inputs=inputs_of(parts))
    return raised.value.code


def test_digest_list_is_the_der_of_the_reference() -> None:
    uri = SHA512_URI.encode()
    item = b"\x04\x40" + bytes(64) + b"\x0c" + bytes((len(uri),)) + uri + b"\x30\x00"
    expected = bytes((0x30, len(item) + 2, 0x30, len(item))) + item

    assert encode_digest_list([Digest(DigestAlgorithm.SHA512, bytes(64))]) == expected


def test_digest_list_longer_than_255_bytes_has_a_long_length() -> None:
    encoded = encode_digest_list([Digest(DigestAlgorithm.SHA512, bytes(64))] * 3)

    assert encoded[:2] == b"\x30\x82"
    assert int.from_bytes(encoded[2:4], "big") == len(encoded) - 4


def test_parts_of_one_request_stand_in_one_step() -> None:
    parts = a_request(parts=3)
    chains = build_hash_chains([parts])

    assert chains.chains[0].count(b"<hc:HashStep") == 1
    assert [part.name for part in verify(chains, 0, parts)] == ["/message.xml", "/attachment1", "/attachment2"]


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=20).filter(lambda sizes: sizes != [1]))
def test_every_request_of_a_batch_verifies_with_its_own_chain(sizes: list[int]) -> None:
    requests = [a_request(number, size) for number, size in enumerate(sizes)]
    chains = build_hash_chains(requests)

    for number, parts in enumerate(requests):
        assert [part.name for part in verify(chains, number, parts)] == [part.name for part in parts]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 33])
def test_chain_grows_with_the_logarithm_of_the_batch(count: int) -> None:
    chains = build_hash_chains([a_request(number) for number in range(count)])

    assert max(chain.count(b"<hc:HashStep") for chain in chains.chains) == (count - 1).bit_length()


def test_odd_request_is_promoted_unchanged() -> None:
    requests = [a_request(number) for number in range(3)]
    chains = build_hash_chains(requests)
    leaves = [parts[0].digest for parts in requests]
    pair = Digest(DigestAlgorithm.SHA512, hashlib.sha512(encode_digest_list(leaves[:2])).digest())
    top = hashlib.sha512(encode_digest_list([pair, leaves[2]])).digest()

    assert Digest(DigestAlgorithm.SHA512, top).base64.encode() in chains.result
    assert chains.chains[2].count(b"<hc:HashStep") == 1


def test_chain_of_a_single_part_is_our_own_mistake() -> None:
    for inputs in ([], [a_request()], [[], a_request()]):
        with pytest.raises(RuntimeError):
            build_hash_chains(inputs)


@pytest.mark.parametrize("algorithm", [DigestAlgorithm.SHA256, DigestAlgorithm.SHA384])
def test_chain_in_another_algorithm_states_that_of_each_part(algorithm: DigestAlgorithm) -> None:
    requests = [a_request(0, 2), a_request(1)]
    chains = build_hash_chains(requests, algorithm=algorithm)

    assert SHA512_URI.encode() in chains.chains[1]
    assert verify(chains, 0, requests[0])
    assert verify(chains, 1, requests[1])


def test_changed_part_is_refused() -> None:
    parts = a_request(parts=2)
    chains = build_hash_chains([parts])
    changed = [parts[0], Part("/attachment1", digest_of(b"other"))]

    assert refusal(chains.result, chains.chains[0], changed) == INVALID


def test_chain_of_another_request_of_the_batch_is_refused() -> None:
    requests = [a_request(number) for number in range(4)]
    chains = build_hash_chains(requests)

    assert refusal(chains.result, chains.chains[1], requests[0]) == INVALID


def test_part_that_the_chain_does_not_name_is_refused() -> None:
    parts = a_request(parts=2)
    chains = build_hash_chains([parts])

    code = refusal(chains.result, chains.chains[0], [*parts, Part("/attachment2", digest_of(b"added"))])
    assert code == "malformed_signature.hashchain_unused_inputs"


def test_part_that_did_not_come_is_refused() -> None:
    parts = a_request(parts=3)
    chains = build_hash_chains([parts])

    assert refusal(chains.result, chains.chains[0], parts[:2]) == "malformed_signature.invalid_reference"


def test_part_of_another_algorithm_cannot_be_resolved() -> None:
    parts = a_request(parts=2)
    chains = build_hash_chains([parts])
    other = [parts[0], Part("/attachment1", digest_of(b"", DigestAlgorithm.SHA256))]

    assert refusal(chains.result, chains.chains[0], other) == "malformed_signature.invalid_reference"


def test_stated_digest_must_agree_with_what_came_in() -> None:
    # The walk uses what came in, but whoever verifies the log later only has what is stated.
    parts = a_request(parts=2)
    chains = build_hash_chains([parts])
    chain = chains.chains[0].replace(parts[1].digest.base64.encode(), digest_of(b"lie").base64.encode())

    assert refusal(chains.result, chain, parts) == "malformed_signature.invalid_hash_chain_ref"


def test_offline_a_part_is_compared_with_the_stated_digest_at_once() -> None:
    parts = a_request(parts=2)
    chains = build_hash_chains([parts])

    with pytest.raises(SignatureRefused) as raised:
        verify_hash_chain(
            chains.result, {SIGNATURE_CHAIN: chains.chains[0]}, resolve=lambda name, algorithm: algorithm.digest(b"")
        )
    assert raised.value.code == "malformed_signature.invalid_hash_chain_ref"


def test_offline_a_part_may_be_absent_and_is_marked_so() -> None:
    parts = a_request(parts=2)
    chains = build_hash_chains([parts])
    known = {"/message.xml": parts[0].digest.value}

    found = verify_hash_chain(
        chains.result, {SIGNATURE_CHAIN: chains.chains[0]}, resolve=lambda name, algorithm: known.get(name)
    )
    assert [(part.name, part.compared) for part in found] == [("/message.xml", True), ("/attachment1", False)]


def test_timestamp_chains_carry_their_own_name() -> None:
    requests = [[Part("/META-INF/signatures.xml", digest_of(b"%d" % number))] for number in range(2)]
    chains = build_hash_chains(requests, chain_name=TIMESTAMP_CHAIN)
    documents = {TIMESTAMP_CHAIN: chains.chains[0]}

    assert b'URI="/ts-hashchain.xml#STEP0"' in chains.result
    assert verify_hash_chain(chains.result, documents, inputs=inputs_of(requests[0]))


# Documents that are not what they should be

PARTS = a_request(parts=2)
CHAINS = build_hash_chains([PARTS])
BATCH = [a_request(0, 2), a_request(1), a_request(2)]
BATCHED = build_hash_chains(BATCH)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'<hc:StepRef URI="#STEP1"/>', b'<hc:StepRef URI="#STEP9"/>'),
        (b'<hc:StepRef URI="#STEP1"/>', b'<hc:StepRef URI="#STEP0"/>'),
        (b'<hc:StepRef URI="#STEP2"/>', b'<hc:StepRef URI="#STEP1"/>'),
        (b'<hc:StepRef URI="#STEP1"/>', b'<hc:StepRef URI="/other.xml#STEP1"/>'),
        (b'id="STEP1"', b'id="STEP0"'),
        (b'id="STEP1"', b'Id="STEP1"'),
        (b"</hc:HashChain>", b'<hc:HashStep id="X"><hc:HashValue/></hc:HashStep></hc:HashChain>'),
        (b"<hc:HashChain ", b"<!-- hidden --><hc:HashChain "),
        (b"<hc:HashChain ", b"<?hidden ?><hc:HashChain "),
        (b"<hc:HashChain ", b"<!DOCTYPE x><hc:HashChain "),
        (b'version="1.0"', b'version="1.1"'),
        (b'encoding="UTF-8"', b'encoding="uTF-8"'),
        (b"    <hc:HashStep", b"  x <hc:HashStep"),
        (SHA512_URI.encode(), b"http://www.w3.org/2000/09/xmldsig#sha1"),
        (SHA512_URI.encode(), b"SHA-512"),
        (b"<hc:DefaultDigestMethod", b"<hc:DigestMethod"),
    ],
)  # fmt: skip
def test_malformed_chains_are_refused(old: bytes, new: bytes) -> None:
    chain = BATCHED.chains[0]
    assert old in chain

    assert refusal(BATCHED.result, chain.replace(old, new), BATCH[0]) == MALFORMED


def test_transform_is_refused_because_it_would_let_the_message_change() -> None:
    transforms = (
        b'<hc:Transforms xmlns:hc="http://www.w3.org/2000/09/xmldsig#"><hc:Transform '
        b'Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/></hc:Transforms>'
    )
    chain = CHAINS.chains[0].replace(b'"/message.xml">', b'"/message.xml">' + transforms)

    assert refusal(CHAINS.result, chain, PARTS) == MALFORMED


def test_part_named_twice_is_refused() -> None:
    chain = CHAINS.chains[0].replace(b"/attachment1", b"/message.xml")

    assert refusal(CHAINS.result, chain, PARTS) == MALFORMED


def test_endless_chains_end() -> None:
    steps = b"".join(
        b'<hc:HashStep id="STEP%d"><hc:StepRef URI="#STEP%d"/></hc:HashStep>' % (n, n + 1) for n in range(500)
    )
    chain = CHAINS.chains[0].partition(b"    <hc:HashStep")[0] + steps + b"</hc:HashChain>"

    assert refusal(CHAINS.result, chain, PARTS) == MALFORMED


def test_base64_must_be_what_an_encoder_writes() -> None:
    value = PARTS[1].digest.base64
    loose = value[:-3] + chr(ord(value[-3]) ^ 1) + "=="  # the last letter carries four bits that nobody decodes
    chain = CHAINS.chains[0].replace(value.encode(), loose.encode())

    assert refusal(CHAINS.result, chain, PARTS) == MALFORMED


def test_other_spellings_of_the_same_document_are_accepted() -> None:
    spelled = CHAINS.chains[0].replace(b"hc:", b"").replace(b"xmlns:hc=", b"xmlns=").replace(b"    ", b"").decode()
    spelled = spelled.replace('xmlns:hc="', 'xmlns="').replace('version="1.0"', "version='1.0'").replace("\n", "")

    found = verify_hash_chain(CHAINS.result, {SIGNATURE_CHAIN: spelled.encode()}, inputs=inputs_of(PARTS))
    assert len(found) == 2


@given(result=st.binary(max_size=400), chain=st.binary(max_size=400))
def test_any_bytes_are_a_chain_or_a_fault(result: bytes, chain: bytes) -> None:
    for pair in ((result, chain), (CHAINS.result, chain), (result, CHAINS.chains[0])):
        with pytest.raises(XRoadFault):
            verify_hash_chain(pair[0], {SIGNATURE_CHAIN: pair[1]}, inputs=inputs_of(PARTS))


@given(data=st.data())
def test_damaged_chains_are_chains_or_faults(data: st.DataObject) -> None:
    document = bytearray(BATCHED.chains[0])
    for _ in range(data.draw(st.integers(1, 4))):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = verify_hash_chain(BATCHED.result, {SIGNATURE_CHAIN: bytes(document)}, inputs=inputs_of(BATCH[0]))
    except XRoadFault:
        return
    assert [part.name for part in found] == [part.name for part in BATCH[0]]
