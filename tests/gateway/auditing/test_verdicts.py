from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from gateway.auditing.verdicts import (
    check_facts,
    check_lines,
    measured,
    printable,
    reason_of,
    verdict_facts,
    verdict_lines,
)
from gateway.runtime.database import Database
from gateway.xroad.asic.verdict import CheckName, Examination
from gateway.xroad.asic.verify import examine_container
from gateway.xroad.faults import MalformedMessage
from tests.factories.index import ALL
from tests.factories.sources import Seen, a_source_over

NO_TEXT = re.compile(r"asic\.[a-z_.]+|\{[a-z_]+\}")  # what is shown where a catalogue has nothing


@pytest.fixture
async def seen(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Seen]:
    async with a_source_over("rows", sqlite_database, tmp_path) as found:
        yield found


def examined(seen: Seen, number: int, *, change: bool = False) -> Examination:
    document = seen.source.find_document(number, ALL)
    assert document is not None
    content = document.container
    if change:
        content = content[:-30]
    return examine_container(content, seen.source.globalconf_at)


@pytest.mark.parametrize("language", ["en", "uk"])
async def test_verdict_is_told_in_either_language_with_every_check(seen: Seen, language: str) -> None:
    examination = examined(seen, 3)
    assert examination.verdict is not None
    lines = [*verdict_lines(examination.verdict, language), *check_lines(examination, language)]
    assert len(lines) >= len(CheckName) + 4
    assert not any(NO_TEXT.search(line) for line in lines)
    assert any("UA-DEMO/GOV/10000001/ONE" in line for line in lines)


async def test_other_language_says_something_else(seen: Seen) -> None:
    examination = examined(seen, 1)
    assert set(check_lines(examination, "en")).isdisjoint(check_lines(examination, "uk"))


async def test_facts_are_json_and_times_are_written_as_asked(seen: Seen) -> None:
    examination = examined(seen, 1)
    assert examination.verdict is not None
    facts = json.loads(json.dumps(verdict_facts(examination.verdict)))
    assert datetime.fromisoformat(facts["timestamp"]["time"]) == examination.verdict.time
    assert facts["message"]["id"] == "q-0"
    written = verdict_facts(examination.verdict, lambda at: f"{at:%Y}")
    assert written["signing_time"] == f"{examination.verdict.signing_time:%Y}"
    assert [check["name"] for check in check_facts(examination)] == [check.name.value for check in examination.checks]


@pytest.mark.parametrize("language", ["en", "uk"])
async def test_check_that_failed_is_told_without_what_it_did_not_prove(seen: Seen, language: str) -> None:
    examination = examined(seen, 1, change=True)
    assert examination.verdict is None
    first, *rest = check_lines(examination, language)
    assert measured(examination.checks[0]) not in first or not measured(examination.checks[0])
    assert len(rest) == len(CheckName) - 1
    assert not NO_TEXT.search(reason_of(examination.fault, language))


def test_reason_is_the_sentence_of_the_fault() -> None:
    assert reason_of(None, "en") == "-"
    fault = MalformedMessage("asic_invalid_container", "asic.not_a_zip")
    assert reason_of(fault, "en") != reason_of(fault, "uk")


def test_text_of_a_sender_writes_no_lines_of_its_own() -> None:
    assert printable("a\x1b[31mb\nc\u202e") == "a\ufffd[31mb\ufffdc\ufffd"
