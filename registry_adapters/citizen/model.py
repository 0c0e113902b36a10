"""Facts of the citizen's pages: who is signed in, who they may speak for, what they asked to have corrected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from registry_adapters.sdk.identifiers import flaw_of_rnokpp, flaw_of_unzr

CITIZEN: Final = "CITIZEN"  # roles of the two consoles
HOLDER: Final = "HOLDER"
ONESELF: Final = 0  # the number of the signed-in person among those they speak for
_RNOKPP: Final = re.compile(r"[0-9]{10}")


class Source(StrEnum):
    """Who says that one person speaks for another."""

    SELF = "self"
    PROVIDER = "provider"
    CIVIL_STATUS = "civil_status"


@dataclass(frozen=True, slots=True)
class Subject:
    """A person whose looks may be shown; `number` stands in addresses, so that the code never does."""

    number: int
    code: str
    name: str
    source: Source = Source.SELF


@dataclass(frozen=True, slots=True)
class Identity:
    """What the identity provider vouched for."""

    code: str
    name: str
    represents: tuple[tuple[str, str], ...] = ()  # codes and names


@dataclass(frozen=True, slots=True)
class Citizen:
    """Somebody who is signed in; the first subject is the person."""

    session: str  # hash of the token
    subjects: tuple[Subject, ...]

    @property
    def oneself(self) -> Subject:
        """The signed-in person."""
        return self.subjects[ONESELF]

    def subject(self, number: int) -> Subject | None:
        """Return one of those the person speaks for, by number."""
        return next((subject for subject in self.subjects if subject.number == number), None)


def is_code(text: object) -> bool:
    """Tell whether something is an RNOKPP or UNZR without flaw."""
    if not isinstance(text, str):
        return False
    flaw = flaw_of_rnokpp if _RNOKPP.fullmatch(text) else flaw_of_unzr
    return flaw(text) is None


class State(StrEnum):
    """How far a request for correction is."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person says is wrong."""

    registry: str
    field: str
    wrong: str
    right: str
    reason: str


@dataclass(frozen=True, slots=True)
class Correction:
    """A request for correction: by whom, about whom, to which holder, until when."""

    id: int
    asker_code: str
    asker_name: str
    subject_code: str
    subject_name: str
    holder: str
    wish: Wish
    state: State
    opened_at: datetime
    due_on: date

    @property
    def number(self) -> str:
        """The number both sides name it by."""
        return f"{self.opened_at.year}-{self.id:06d}"


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a request's history."""

    at: datetime
    state: State
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Countdown:
    """How a request stands against its deadline, in working days; 0 is the last day itself."""

    due_on: date
    days_left: int

    @property
    def is_overdue(self) -> bool:
        """Whether the deadline has passed."""
        return self.days_left < 0


def subjects_of(identity: Identity) -> Sequence[Subject]:
    """Return those an identity speaks for, the person first."""
    others = [(code, name) for code, name in identity.represents if code != identity.code]
    return [
        Subject(ONESELF, identity.code, identity.name),
        *(Subject(number, code, name, Source.PROVIDER) for number, (code, name) in enumerate(others, start=1)),
    ]
