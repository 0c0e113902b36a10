from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.messagelog.skeletons import join, split
from tests.factories.messagelog import a_message, sealed
from tests.factories.messages import a_rest_request

PIECES = st.lists(
    st.sampled_from([
        b"<ds:DigestValue>", b"</ds:DigestValue>", b"<DigestValue>", b"<ds:DigestValue/>", b"<ds:SignatureValue>",
        b'<ds:SignatureValue Id="s">', b"<ds:SignatureValue <ds:DigestValue>", b"<xades:SigningTime>", b"AAAA",
        b"&#13;\n", b"<", b">", b"<!-- ", b"-->", b"\xff", b"",
    ])
)  # fmt: skip


@given(PIECES)
def test_any_bytes_come_back_as_they_were(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    parts = split(data)
    assert join(parts.skeleton, parts.values) == data


@given(st.binary())
def test_rubbish_comes_back_as_it_was(data: bytes) -> None:
    parts = split(data)
    assert join(parts.skeleton, parts.values) == data


def test_signatures_of_one_signer_share_their_skeleton() -> None:
    first, second = (split(sealed(a_message(name)).signature.xml) for name in ("q-1", "q-2"))
    assert first.key == second.key
    assert first.values != second.values


def test_signature_over_a_chain_has_another_skeleton() -> None:
    single, chained = sealed(a_message()), sealed(a_rest_request("POST", body=b"x"))
    assert split(single.signature.xml).key != split(chained.signature.xml).key


def test_values_are_a_small_part_of_a_signature() -> None:
    signature = sealed().signature.xml
    assert len(split(signature).values or b"") < len(signature) / 6


@given(st.lists(PIECES, min_size=2, max_size=6))
def test_what_was_split_before_changes_nothing(documents: list[list[bytes]]) -> None:
    # All of one length, so that each finds the layout of the one before.
    data = [b"".join(pieces) for pieces in documents]
    longest = max(map(len, data))
    for document in (one.ljust(longest, b" ") for one in data):
        parts = split(document)
        assert join(parts.skeleton, parts.values) == document
        assert b"<ds:DigestValue>AAAA" not in parts.skeleton


def test_signers_whose_signatures_are_of_one_length_keep_their_skeletons() -> None:
    def signature(signer: bytes, value: bytes) -> bytes:
        return b"<ds:SignatureValue>" + value + b"</ds:SignatureValue><ds:X509Certificate>" + signer

    documents = [signature(signer, value) for value in (b"1", b"2") for signer in (b"a", b"b", b"c", b"d", b"e", b"f")]
    found = [split(document) for document in documents]
    assert [parts.key for parts in found[:6]] == [parts.key for parts in found[6:]]
    assert [join(parts.skeleton, parts.values) for parts in found] == documents
