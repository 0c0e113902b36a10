from __future__ import annotations

import pytest

from gateway.messagelog.reasons import explain, facts_of
from tests.factories.refusals import a_refusal


def test_reason_is_said_in_any_language() -> None:
    said = a_refusal(
        text_id="exchange.request_broke_off",
        facts='{"reason":{"text_id":"http.closed_early","facts":{"seconds":"5"}},"detail":"x"}',
    )
    assert explain(said).startswith("The request did not arrive whole: ")
    assert explain(said, "uk").startswith("Запит не надійшов повністю: ")
    assert "{" not in explain(said)


@pytest.mark.parametrize("facts", ["", "[1]", "null", '{"reason":', '{"reason":{"facts":3}}'])
def test_reason_is_said_whatever_the_facts_are(facts: str) -> None:
    assert explain(a_refusal(facts=facts))


def test_cause_among_the_facts_is_a_sentence_of_its_own() -> None:
    said = a_refusal(facts='{"reason":{"text_id":"exchange.too_large","facts":{"limit_bytes":"5"}},"url":"http://x/"}')
    assert facts_of(said)["reason"].startswith("The message is larger than 5 bytes")
    assert facts_of(said, "uk")["reason"].startswith("Повідомлення більше за 5 байтів")
    assert facts_of(said)["url"] == "http://x/"
