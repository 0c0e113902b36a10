from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.messagelog.index_facts import MAX_CHARACTERS, HeaderFacts, bounded, read_headers
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.headers import RepresentedParty
from tests.factories.messages import a_body, a_rest_request, a_rest_response, a_soap_message, soap_headers


def test_soap_headers_are_read() -> None:
    party = RepresentedParty("COM", "12345678")
    message = a_soap_message(soap_headers(user_id="EE123", issue="case 7", represented_party=party))
    assert read_headers(message.raw) == HeaderFacts("EE123", "case 7", "COM/12345678")


@pytest.mark.parametrize("listed", ["P1,P2", " P1 , P2 ", "P1,,P2"])
def test_purposes_of_soap_stand_in_a_header_block(listed: str) -> None:
    envelope = build_envelope(soap_headers(), a_body())
    block = f'<c:purposeIds xmlns:c="urn:surma:context">{listed}</c:purposeIds>'.encode()
    head, end, rest = envelope.partition(b"</SOAP-ENV:Header>")
    assert end, envelope
    assert read_headers(head + block + end + rest).purposes == ("P1", "P2")


def test_purposes_in_the_body_are_no_header() -> None:
    inner = '<c:purposeIds xmlns:c="urn:surma:context">P1</c:purposeIds>'
    assert read_headers(build_envelope(soap_headers(), a_body(inner=inner))).purposes == ()


def test_rest_headers_are_read() -> None:
    headers = (
        ("X-Road-UserId", "EE123"),
        ("X-Road-Issue", "case 7"),
        ("X-Road-Represented-Party", "COM/12345678"),
        ("Uxp-Purpose-Ids", "P1, P2"),
        ("Purpose-Id", '""'),
    )
    found = read_headers(a_rest_request(headers=headers).raw)
    assert found == HeaderFacts("EE123", "case 7", "COM/12345678", ("P1", "P2"))


def test_texts_of_rest_headers_are_what_their_sender_wrote() -> None:
    written = "справа 7".encode().decode("latin-1")  # as the HTTP layer hands bytes over
    purpose = "%D0%BC%D0%B5%D1%82%D0%B0"
    found = read_headers(a_rest_request(headers=(("X-Road-Issue", written), ("Uxp-Purpose-Ids", purpose))).raw)
    assert (found.issue, found.purposes) == ("справа 7", ("мета",))


def test_answer_of_rest_says_nothing_of_who_asked() -> None:
    assert read_headers(a_rest_response().raw) == HeaderFacts()


@given(st.binary(max_size=300))
def test_any_bytes_have_facts_or_none(data: bytes) -> None:
    read_headers(data)
    read_headers(b"<" + data)
    read_headers(b"GET\r\n/r1/" + data)


@given(st.text(st.characters(), max_size=2 * MAX_CHARACTERS))
def test_indexed_text_is_short_and_fit_for_every_database(text: str) -> None:
    kept = bounded(text)
    assert len(kept) <= MAX_CHARACTERS
    assert "\0" not in kept
    kept.encode()
    assert bounded(kept) == kept


def test_long_texts_that_begin_alike_stay_apart() -> None:
    assert bounded("a" * 2000) != bounded("a" * 2001)
    assert bounded("a" * 2000).startswith("a" * 400)
