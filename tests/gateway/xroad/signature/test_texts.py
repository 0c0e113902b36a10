"""Every fault of signatures and containers has its sentence, in both languages and with the same facts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.runtime.texts import catalogue, fields_of
from gateway.xroad.asic.verdict import CheckName, Outcome

ROOT = Path(__file__).resolve().parents[4] / "gateway"
SOURCES = [*ROOT.glob("xroad/signature/*.py"), *ROOT.glob("xroad/asic/*.py"), *ROOT.glob("cli/veri*.py")]
AREAS = ("signature", "asic")
# Keys of the configuration's memo look like text ids.
NOT_TEXTS = {"signature.member", "signature.proof", "signature.signer"}


def used() -> set[str]:
    found = {
        match for path in SOURCES for match in re.findall(r'"((?:signature|asic)\.[a-z_.0-9]+)"', path.read_text())
    }
    return found - NOT_TEXTS


def test_every_text_that_is_used_exists() -> None:
    assert used() - catalogue().keys() == set()


def test_checks_and_outcomes_have_names() -> None:
    names = [f"asic.check.{name.value}" for name in CheckName]
    names += [f"asic.outcome.{outcome.value}" for outcome in Outcome]

    assert [name for name in names if name not in catalogue()] == []


@pytest.mark.parametrize("text_id", sorted(name for name in catalogue() if name.split(".")[0] in AREAS))
def test_both_languages_state_the_same_facts(text_id: str) -> None:
    texts = catalogue()[text_id]

    assert set(texts) == {"en", "uk"}
    assert fields_of(texts["en"]) == fields_of(texts["uk"])


def test_no_text_is_left_over() -> None:
    told_by_name = re.compile(r"asic\.(check|outcome|verify)\.")
    listed = {name for name in catalogue() if name.split(".")[0] in AREAS and not told_by_name.match(name)}

    assert listed - used() == set()
