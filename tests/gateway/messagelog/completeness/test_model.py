from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.messagelog import completeness
from gateway.messagelog.completeness.model import MAX_FINDINGS, Finding, Findings, Kind, Part
from gateway.runtime import texts


def places(findings: Findings) -> list[tuple[str, str]]:
    return [(found.kind.value, found.place) for found in findings.sorted()]


def test_neighbours_that_say_the_same_become_one_range() -> None:
    findings = Findings()
    for sequence in (3, 4, 6, 7, 7, 9):
        findings.add(Kind.REPLACED, sequence, "ledger.replaced")
    findings.add(Kind.REPLACED, 10, "ledger.replaced", last=20)
    assert places(findings) == [("replaced", "3–4"), ("replaced", "6–7"), ("replaced", "9–20")]


def test_other_facts_or_kinds_stay_apart() -> None:
    findings = Findings()
    findings.add(Kind.MOVED, 3, "ledger.moved", by="+1")
    findings.add(Kind.MOVED, 4, "ledger.moved", by="-1")
    findings.add(Kind.REPLACED, 5, "ledger.replaced")
    assert places(findings) == [("moved", "3"), ("moved", "4"), ("replaced", "5")]


def test_findings_stand_in_order_of_their_place_and_those_without_one_last() -> None:
    findings = Findings()
    findings.add(Kind.LINKING, None, "ledger.linking_succession", file="a")
    findings.add(Kind.CUT, 9, "ledger.cut", last=12)
    findings.add(Kind.MISSING, 4, "ledger.missing")
    assert places(findings) == [("missing", "4"), ("cut", "9–12"), ("linking", "-")]


def test_list_has_an_end_and_the_rest_is_counted() -> None:
    findings = Findings()
    for sequence in range(0, 2 * (MAX_FINDINGS + 7), 2):
        findings.add(Kind.MISSING, sequence, "ledger.missing")
    others = Findings()
    others.add(Kind.CUT, 1, "ledger.cut")
    findings.take(others)
    assert (len(findings.sorted()), findings.more) == (MAX_FINDINGS, 8)


def test_what_was_found_within_a_range_is_told_by_kind() -> None:
    findings = Findings()
    findings.add(Kind.MISSING, 4, "ledger.missing", last=8)
    assert findings.within(8, 20)
    assert not findings.within(9, 20)
    assert not findings.within(1, 20, {Kind.CUT})


def text_ids() -> set[str]:
    sources = Path(completeness.__file__).parent.glob("*.py")
    found = {text_id for path in sources for text_id in re.findall(r'"(ledger\.[a-z_]+)"', path.read_text())}
    return found | {f"ledger.altered_{part.value}" for part in Part}


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_finding_has_its_sentence(language: str) -> None:
    assert [text_id for text_id in text_ids() if language not in texts.catalogue().get(text_id, {})] == []


def test_sentence_names_the_place() -> None:
    finding = Finding(Kind.MISSING, 4, 8, "ledger.missing")
    assert finding.sentence().startswith("No. 4–8: gone")
    assert finding.sentence("uk").startswith("№ 4–8: запису немає")
