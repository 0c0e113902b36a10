"""BER comes into definite form, and DER stays what it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.pki.asn1 import MAX_DEPTH, definite
from gateway.xroad.pki.certificates import load_certificate
from tests.factories.pki import a_hierarchy


def test_der_comes_out_unchanged():
    der = a_hierarchy().root.der
    assert definite(der) == der
    assert load_certificate(definite(der))


def test_indefinite_lengths_become_definite():
    assert definite(bytes.fromhex("3080 020101 0000 ".replace(" ", ""))) == bytes.fromhex("3003020101")


def test_divided_octet_string_is_put_together():
    assert definite(bytes.fromhex("2480 040161 04026263 0000".replace(" ", ""))) == b"\x04\x03abc"


def test_length_in_too_many_octets_becomes_short():
    assert definite(bytes.fromhex("3082000304 0161".replace(" ", ""))) == bytes.fromhex("3003040161")


@pytest.mark.parametrize(
    "data",
    [
        "", "30", "3003", "3080", "3080020101", "02010100", "3084ffffffff", "3085ffffffffff", "1f0101", "0000",
        "3003020201", "24030201 01",
    ],
)  # fmt: skip
def test_bytes_that_are_no_single_value_are_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011  the caller says what it means
        definite(bytes.fromhex(data.replace(" ", "")))


def test_deep_nesting_is_refused():
    with pytest.raises(ValueError, match="nested"):
        definite(b"\x30\x80" * (MAX_DEPTH + 2) + b"\x00\x00" * (MAX_DEPTH + 2))


@given(st.binary(max_size=300))
def test_any_bytes_have_a_definite_form_or_none(data):
    try:
        once = definite(data)
    except ValueError:
        return
    assert definite(once) == once
