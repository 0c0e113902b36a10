"""The report of one exchange: whatever came of it, in either language, without content."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import html

from gateway.auditing.model import Document
from gateway.auditing.report import report_html, report_of
from tests.factories.audit import MemorySource, a_source
from tests.factories.auditors import a_desk, audit_deps, deeds

SOAP, REST, OPEN, REFUSED, FLOOD = 1, 3, 5, 6, 7


async def a_report(folder: Path, exchange: int, language: str = "en", source: MemorySource | None = None) -> str:
    """The text of a report as it is read."""
    report = await report_of(a_desk(audit_deps(source or a_source(), folder)), exchange)
    page = html.document_fromstring(report_html(report, language))
    assert page.get("lang") == language
    return " ".join(" ".join(page.find("body").itertext()).split())


@pytest.mark.parametrize("language", ["en", "uk"])
@pytest.mark.parametrize("exchange", [SOAP, REST, OPEN, REFUSED, FLOOD])
async def test_report_can_be_made_of_every_outcome(tmp_path: Path, exchange: int, language: str) -> None:
    text = await a_report(tmp_path, exchange, language)
    for content in ("alpha-unzr", "alpha-name", "auditing.", "audit.", "asic.", "{", "None"):
        assert content not in text


async def test_report_says_who_asked_on_what_ground_and_that_it_is_proven(tmp_path: Path) -> None:
    text = await a_report(tmp_path, SOAP)
    for fact in ("alpha-case-1", "alpha-clerk", "UA-DEMO/GOV/11111111/DESK", "alpha-soap", "1.2"):
        assert fact in text
    assert text.count("VALID: the message is unchanged") == 2


async def test_report_of_a_changed_message_says_that_it_is_not_valid(tmp_path: Path) -> None:
    source = a_source()
    whole = source.documents[1]
    source.documents[1] = Document(whole.name, whole.container[:-10])
    text = await a_report(tmp_path, SOAP, source=source)
    assert "NOT VALID." in text


async def test_report_of_a_flood_tells_its_count_and_its_time(tmp_path: Path) -> None:
    text = await a_report(tmp_path, FLOOD)
    assert "Times 17" in text
    assert "Last at" in text


async def test_report_without_checkpoint_says_nothing_of_completeness(tmp_path: Path) -> None:
    assert "There is no checkpoint" in await a_report(tmp_path, SOAP)


async def test_making_a_report_is_recorded(tmp_path: Path) -> None:
    await a_report(tmp_path, SOAP)
    assert [event["event"] for event in deeds(tmp_path)] == ["Print report"]
