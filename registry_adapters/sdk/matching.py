"""Find one person by UNZR, RNOKPP, document, or name and birth date; and say which was used.

A question has exactly one criterion: a second one would either be ignored or decide silently. An
identifier with a wrong check digit is still looked up, since registries hold such numbers, and the
answer says so. Several persons behind one criterion are never narrowed down by a guess: the answer
is their number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Generic, TypeVar

from registry_adapters.sdk.access_log import Look, Outcome
from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.identifiers import DocumentKind, Flaw, flaw_of_rnokpp, flaw_of_unzr, normalise_document

T = TypeVar("T")

_APOSTROPHES: Final = str.maketrans(dict.fromkeys("’ʼ‘`´′ʹ", "'") | dict.fromkeys("‐‑–—", "-"))
# Latin letters that look like Ukrainian ones; replaced only inside names that have Cyrillic letters.
_LOOK_ALIKES: Final = str.maketrans("ABCEHIKMOPTXYaceikopxy", "АВСЕНІКМОРТХУасеікорху")
_CYRILLIC: Final = re.compile("[А-Яа-яІіЇїЄєҐґ]")


class MatchedBy(StrEnum):
    """The criterion an answer was found by."""

    UNZR = "unzr"
    RNOKPP = "rnokpp"
    DOCUMENT = "document"
    NAME_AND_BIRTH_DATE = "name_and_birth_date"


class Confidence(StrEnum):
    """How sure it is that the record is the person asked for."""

    EXACT = "exact"  # an identifier that belongs to one person for ever
    HIGH = "high"  # a document in force, or full name with patronymic and birth date, once in the registry
    MEDIUM = "medium"  # a document no longer in force, or name and birth date without patronymic


@dataclass(frozen=True, slots=True)
class ByUnzr:
    """By the number in the demographic registry."""

    unzr: str
    matched_by = MatchedBy.UNZR


@dataclass(frozen=True, slots=True)
class ByRnokpp:
    """By the taxpayer's number."""

    rnokpp: str
    matched_by = MatchedBy.RNOKPP


@dataclass(frozen=True, slots=True)
class ByDocument:
    """By a passport's number, normalised."""

    kind: DocumentKind
    number: str
    matched_by = MatchedBy.DOCUMENT


@dataclass(frozen=True, slots=True)
class ByName:
    """By name, normalised, and birth date; without patronymic any is meant."""

    surname: str
    given_name: str
    patronymic: str | None
    birth_date: date
    matched_by = MatchedBy.NAME_AND_BIRTH_DATE


Criterion = ByUnzr | ByRnokpp | ByDocument | ByName


@dataclass(frozen=True, slots=True)
class Question:
    """One criterion and what looked odd about it."""

    criterion: Criterion
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """What a registry found: nobody, one with a confidence, or several."""

    matched_by: MatchedBy
    count: int
    found: T | None = None
    confidence: Confidence | None = None

    def look(self, subject: str | None) -> Look:
        """Return the entry for the access log; `subject` is the record number of the one found."""
        if self.count > 1:
            return Look(Outcome.AMBIGUOUS, self.matched_by.value)
        return Look(Outcome.FOUND if self.count else Outcome.NOT_FOUND, self.matched_by.value, subject)


def question_of(
    *,
    unzr: str | None = None,
    rnokpp: str | None = None,
    document: str | None = None,
    surname: str | None = None,
    given_name: str | None = None,
    patronymic: str | None = None,
    birth_date: date | None = None,
) -> Question:
    """Return the one criterion that is given.

    Raises RequestError when none, several or half a one is given, or one is ill-formed.
    """
    named = any((surname, given_name, patronymic, birth_date))
    given = [
        name for name, there in (("unzr", unzr), ("rnokpp", rnokpp), ("document", document), ("name", named)) if there
    ]
    if not given:
        raise RequestError("registry.no_criterion")
    if len(given) > 1:
        raise RequestError("registry.several_criteria", criteria=", ".join(given))
    if unzr:
        return Question(ByUnzr(unzr), _warnings("unzr", flaw_of_unzr(unzr)))
    if rnokpp:
        return Question(ByRnokpp(rnokpp), _warnings("rnokpp", flaw_of_rnokpp(rnokpp)))
    if document:
        normalised = normalise_document(document)
        if normalised is None:
            raise RequestError("registry.document_invalid")
        return Question(ByDocument(*normalised))
    if not (surname and given_name and birth_date):
        raise RequestError("registry.name_incomplete")
    full_name = name_key(surname), name_key(given_name), name_key(patronymic) if patronymic else None
    return Question(ByName(*full_name, birth_date))


def _warnings(field: str, flaw: Flaw | None) -> tuple[str, ...]:
    if flaw is Flaw.FORMAT:
        raise RequestError(f"registry.{field}_invalid")
    return () if flaw is None else (f"{field}_{flaw.value}",)


def name_key(name: str) -> str:
    """Return the form in which names are compared: small letters, one apostrophe, one hyphen, no doubled spaces."""
    one_alphabet = name.translate(_LOOK_ALIKES) if _CYRILLIC.search(name) else name
    return " ".join(one_alphabet.translate(_APOSTROPHES).lower().split()).replace(" -", "-").replace("- ", "-")


def match_of(criterion: Criterion, candidates: Sequence[T], *, document_in_force: bool = True) -> Match[T]:
    """Return what the candidates for a criterion amount to."""
    if len(candidates) != 1:
        return Match(criterion.matched_by, len(candidates))
    return Match(criterion.matched_by, 1, candidates[0], _confidence(criterion, document_in_force))


def _confidence(criterion: Criterion, document_in_force: bool) -> Confidence:
    if isinstance(criterion, ByDocument):
        return Confidence.HIGH if document_in_force else Confidence.MEDIUM
    if isinstance(criterion, ByName):
        return Confidence.HIGH if criterion.patronymic else Confidence.MEDIUM
    return Confidence.EXACT
