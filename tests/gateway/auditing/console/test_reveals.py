from __future__ import annotations

from gateway.auditing.console.reveals import Reveals


def test_a_reason_holds_for_its_session_and_its_exchange_alone() -> None:
    reveals = Reveals()
    reveals.give("session", 7, "court order 12")
    assert reveals.find("session", 7) == "court order 12"
    assert reveals.find("session", 8) is None
    assert reveals.find("another", 7) is None


def test_it_can_be_taken_back() -> None:
    reveals = Reveals()
    reveals.give("session", 7, "court order 12")
    reveals.take_back("session", 7)
    reveals.take_back("session", 8)
    assert reveals.find("session", 7) is None


def test_the_oldest_reasons_are_forgotten() -> None:
    reveals = Reveals(limit=2)
    for number in (1, 2, 3):
        reveals.give("session", number, "reason")
    assert [reveals.find("session", number) for number in (1, 2, 3)] == [None, "reason", "reason"]
