from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.digests import (
    DigestAlgorithm,
    SignatureAlgorithm,
    digest_of,
    digest_of_chunks,
    find_digest_algorithm,
    find_signature_algorithm,
)


@pytest.mark.parametrize("algorithm", list(DigestAlgorithm))
def test_digest_algorithm_is_found_by_each_of_its_names(algorithm: DigestAlgorithm) -> None:
    for name in (algorithm.label, algorithm.label.lower(), algorithm.uri, algorithm.oid):
        assert find_digest_algorithm(name) is algorithm


@pytest.mark.parametrize("algorithm", list(SignatureAlgorithm))
def test_signature_algorithm_is_found_by_each_of_its_names(algorithm: SignatureAlgorithm) -> None:
    for name in (algorithm.uri, algorithm.jca_name):
        assert find_signature_algorithm(name) is algorithm
    assert algorithm.digest_algorithm.label.replace("-", "") in algorithm.jca_name


@pytest.mark.parametrize("name", ["", "MD5", "SHA512", "http://www.w3.org/2001/04/xmlenc#SHA512"])
def test_other_names_are_found_nowhere(name: str) -> None:
    assert find_digest_algorithm(name) is None
    assert find_signature_algorithm(name) is None


@pytest.mark.parametrize("algorithm", list(DigestAlgorithm))
def test_digest_and_primitive_belong_together(algorithm: DigestAlgorithm) -> None:
    assert len(algorithm.digest(b"")) == algorithm.primitive.digest_size


@given(st.lists(st.binary()))
def test_digest_of_chunks_is_that_of_the_whole(chunks: list[bytes]) -> None:
    assert digest_of_chunks(chunks) == digest_of(b"".join(chunks))


def test_digest_is_printed_in_base64_and_hex() -> None:
    digest = digest_of(b"x")
    value = hashlib.sha512(b"x").digest()
    assert (digest.value, digest.hex, digest.base64) == (value, value.hex(), base64.b64encode(value).decode())
    assert "\n" not in digest.base64
