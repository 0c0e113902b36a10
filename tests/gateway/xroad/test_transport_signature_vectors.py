"""Recorded messages between servers: every signature, at its instant, with the outcome it had there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from gateway.xroad.bodies import BytesSink
from gateway.xroad.faults import Spelling, XRoadFault, spell
from gateway.xroad.identifiers import ClientId, SubsystemId
from gateway.xroad.rest.message import RestRequest, RestResponse
from gateway.xroad.signature.signed_message import Message, SignedMessage
from gateway.xroad.signature.verify import verify
from gateway.xroad.soap.message import SoapMessage
from gateway.xroad.transport.decoder import DecodedMessage, Side, TransportDecoder
from tests.factories.recordings import find_vectors, read_case, read_recording, transport_cases
from tests.factories.signatures import recorded_globalconf

VECTORS = find_vectors()
pytestmark = pytest.mark.skipif(VECTORS is None, reason="no recorded vectors: set SURMA_VECTORS to their folder")

_GROUP = "signature_verification."
_SIGNATURE_TYPE = "signature/bdoc-1.0/ts"
# What 7.2.2 found before it came to the signature, or after.
ELSEWHERE = {
    "tampered-request-no-signature", "tampered-response-no-signature", "tampered-request-no-hash-algorithm",
    "tampered-request-no-ocsp", "tampered-request-other-server",
}  # fmt: skip
# Case -> our code, and why it is not the recorded one.
DIFFERENT_CODES = {
    "tampered-request-no-hash-chain": ("malformed_signature", "the reference ends with an uncoded library error"),
}


def facts_of(case: str) -> dict[str, Any]:
    assert VECTORS is not None
    return read_case(VECTORS / "transport" / case / "case.json")


def decode(case: str, side: Side) -> DecodedMessage | None:
    """Return what a recorded message holds; None when nothing of the kind was recorded."""
    assert VECTORS is not None
    path = VECTORS / "transport" / case / f"{side.value}.http"
    if not path.is_file():
        return None
    recording = read_recording(path)
    content_type = recording.header("content-type")
    if not recording.body or content_type is None:
        return None
    decoder = TransportDecoder(
        content_type,
        side=side,
        open_sink=BytesSink,
        x_original_content_type=recording.header("x-original-content-type"),
    )
    decoder.feed(recording.body)
    return decoder.finish()


def signed_halves() -> list[tuple[str, Side]]:
    """Return every half of an exchange that came with a signature."""

    def is_signed(case: str, side: Side) -> bool:
        parts = facts_of(case).get(f"{side.value}_parts") or []
        return any(_SIGNATURE_TYPE in header for part in parts for header in part["headers"])

    return [(case, side) for case in transport_cases() for side in Side if is_signed(case, side)]


def signer_of(message: Message) -> ClientId:
    if isinstance(message, SoapMessage):
        return message.headers.service.provider if message.is_response else message.headers.client
    return message.client if isinstance(message, RestRequest) else message.service.provider


def altered_side(facts: dict[str, Any]) -> str | None:
    change = facts["altered_in_transit"]
    return None if change is None else change.partition(":")[0]


def expected_code(case: str, side: Side) -> str | None:
    """Return the code under signature_verification that the receiver gave for this half, in today's spelling."""
    facts = facts_of(case)
    if case in ELSEWHERE or altered_side(facts) != side.value or facts["fault_code"] is None:
        return None
    if case in DIFFERENT_CODES:
        return DIFFERENT_CODES[case][0]
    _, found, code = spell(facts["fault_code"], Spelling.SNAKE_CASE).partition(_GROUP)
    return code if found else None


@pytest.mark.parametrize("version", [2, 6])
@pytest.mark.parametrize(("case", "side"), signed_halves())
def test_signature_has_the_recorded_outcome(case: str, side: Side, version: int) -> None:
    decoded = decode(case, side)
    assert decoded is not None
    assert decoded.signed is not None
    at = datetime.fromisoformat(facts_of(case)["verify_at"])
    expected = expected_code(case, side)

    if expected is None:
        verified = verify(decoded.signed, signer_of(decoded.signed.message), recorded_globalconf(version), at)
        assert verified.signed is decoded.signed
        return
    with pytest.raises(XRoadFault) as refusal:
        verify(decoded.signed, signer_of(decoded.signed.message), recorded_globalconf(version), at)
    assert refusal.value.code == expected


def test_altered_messages_are_among_the_cases() -> None:
    refused = [half for half in signed_halves() if expected_code(*half) is not None]

    assert len(refused) >= 10


@pytest.mark.parametrize("version", [3, 4, 5])
def test_other_versions_of_the_configuration_say_the_same(version: int) -> None:
    decoded = decode("soap-attachments-3", Side.REQUEST)
    assert decoded is not None
    assert decoded.signed is not None
    at = datetime.fromisoformat(facts_of("soap-attachments-3")["verify_at"])

    assert verify(decoded.signed, signer_of(decoded.signed.message), recorded_globalconf(version), at)


def test_signature_of_another_case_does_not_hold() -> None:
    one, other = decode("soap-plain", Side.REQUEST), decode("soap-bom", Side.REQUEST)
    assert one is not None
    assert other is not None
    assert one.signed is not None
    assert other.signed is not None
    assert isinstance(one.signed.message, SoapMessage | RestRequest | RestResponse)
    mixed = SignedMessage(one.signed.message, other.signed.signature)
    at = datetime.fromisoformat(facts_of("soap-plain")["verify_at"])

    with pytest.raises(XRoadFault) as refusal:
        verify(mixed, signer_of(mixed.message), recorded_globalconf(), at)
    assert refusal.value.code == "invalid_signature_value"
    assert isinstance(signer_of(mixed.message), SubsystemId)
