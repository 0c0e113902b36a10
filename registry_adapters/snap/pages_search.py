"""The one search box: what was typed or pasted is recognised by its form, and a wrong check digit is told.

A number with a wrong check digit is still looked for, since registries hold such numbers. What fits no
form is taken for a part of a case number or a name. Blanks, Latin look-alikes of a booklet's letters and
dashes of all kinds are forgiven, for people paste from everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from registry_adapters.sdk.identifiers import Flaw, flaw_of_edrpou, flaw_of_rnokpp, flaw_of_unzr, normalise_document
from registry_adapters.snap.fields import criterion_of, text_of_criterion

MAX_TYPED: Final = 100
_DASHES: Final = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_CADASTRAL: Final = re.compile(r"([0-9]{10})[:;. ]([0-9]{2})[:;. ]([0-9]{3})[:;. ]([0-9]{4})")
_UNZR: Final = re.compile(r"([0-9]{8})[- ]?([0-9]{5})")
_CASE: Final = re.compile(r"SN[0-9]{8}[-/][0-9/-]*[0-9]")


class Kind(StrEnum):
    """What a typed text is."""

    NOTHING = "nothing"
    CASE = "case"
    UNZR = "unzr"
    RNOKPP = "rnokpp"
    DOCUMENT = "document"
    CADASTRAL_NUMBER = "cadastral_number"
    EDRPOU = "edrpou"
    NAME = "name"  # with a birth date
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Recognised:
    """A typed text in the form registries store it."""

    kind: Kind
    value: str = ""
    flaw: Flaw | None = None

    @property
    def is_person(self) -> bool:
        """Whether it names a person."""
        return self.kind in (Kind.UNZR, Kind.RNOKPP, Kind.DOCUMENT, Kind.NAME)


def recognise(typed: str) -> Recognised:
    """Return what was typed; a number with a wrong check digit has a flaw and is recognised all the same."""
    text = " ".join(typed[:MAX_TYPED].translate(_DASHES).split())
    compact = text.replace(" ", "")
    if not text:
        return Recognised(Kind.NOTHING)
    if parcel := _CADASTRAL.fullmatch(text):
        return Recognised(Kind.CADASTRAL_NUMBER, ":".join(parcel.groups()))
    if unzr := _UNZR.fullmatch(text):
        value = "-".join(unzr.groups())
        flaw = flaw_of_unzr(value)
        if flaw is not Flaw.DATE:
            return Recognised(Kind.UNZR, value, flaw)
    if flaw_of_rnokpp(compact) is not Flaw.FORMAT:
        return Recognised(Kind.RNOKPP, compact, flaw_of_rnokpp(compact))
    document = normalise_document(text)
    if document is not None:
        return Recognised(Kind.DOCUMENT, document[1])
    if flaw_of_edrpou(compact) is not Flaw.FORMAT:
        return Recognised(Kind.EDRPOU, compact, flaw_of_edrpou(compact))
    if _CASE.fullmatch(compact.upper()):
        return Recognised(Kind.CASE, compact.upper())
    try:
        return Recognised(Kind.NAME, text_of_criterion(criterion_of(text)))
    except ValueError:
        return Recognised(Kind.TEXT, text)
