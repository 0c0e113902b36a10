"""Civil status acts: births, marriages, divorces, changes of name, deaths; and their certificates (law 2398-VI)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Final

from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.matching import Confidence, MatchedBy
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.persons import PersonCriterion
from registry_adapters.sdk.registry import Registry
from registry_adapters.simulators.filling import filled_by
from registry_adapters.simulators.persons import NaturalPerson
from registry_adapters.simulators.store import records_by_key, records_of_person, subjects_of

registry = Registry(
    name="civil_status",
    title="Civil status register",
    doc="Acts of birth, marriage, divorce, change of name and death, and their certificates. Synthetic data.",
    migrations="registry_adapters.migrations.simulators",
    fill=filled_by("registry_adapters.simulators.civil_status_seed:MAKER"),
    subjects_of=subjects_of,
    purposes="registry_adapters.simulators:purposes_civil_status.toml",
)


class ActKind(StrEnum):
    """What an act is of."""

    BIRTH = "birth"
    MARRIAGE = "marriage"
    DIVORCE = "divorce"
    NAME_CHANGE = "name_change"
    DEATH = "death"


class ActStatus(StrEnum):
    """Whether an act counts."""

    VALID = "valid"
    RESTORED = "restored"  # drawn again after the first was lost; counts
    ANNULLED = "annulled"


class CertificateStatus(StrEnum):
    """Whether a certificate counts."""

    ISSUED = "issued"
    REPEATED = "repeated"  # issued again in place of a lost one; counts
    ANNULLED = "annulled"


@dataclass(frozen=True, slots=True)
class Act:
    """A civil status act with its certificate; of a marriage and a divorce the husband is `person`."""

    kind: Annotated[ActKind, Declared("What it is of.")]
    number: Annotated[str | None, Declared("Number of the act in its office and year.", max_length=16)] = None
    drawn_on: Annotated[date | None, Declared("Day it was drawn.")] = None
    office: Annotated[str | None, Declared("Office that drew it.", max_length=200)] = None
    status: Annotated[ActStatus | None, Declared("Whether it counts.")] = None
    event_on: Annotated[date | None, Declared("Day of the birth, marriage, divorce, change or death.")] = None
    place: Annotated[str | None, Declared("Settlement of the event.", max_length=128)] = None
    certificate_series: Annotated[str | None, Declared("Series of the certificate.", max_length=8)] = None
    certificate_number: Annotated[str | None, Declared("Number of the certificate.", max_length=6)] = None
    certificate_status: Annotated[CertificateStatus | None, Declared("Whether the certificate counts.")] = None
    person: Annotated[NaturalPerson | None, Declared("Whose act it is: child, husband, renamed or deceased.")] = None
    father: Annotated[NaturalPerson | None, Declared("Father, in an act of birth.")] = None
    mother: Annotated[NaturalPerson | None, Declared("Mother, in an act of birth.")] = None
    spouse: Annotated[NaturalPerson | None, Declared("Wife, in an act of marriage or divorce.")] = None
    former_surname: Annotated[str | None, Declared("Surname before a change of name.", max_length=100)] = None
    children: Annotated[tuple[NaturalPerson, ...], Declared("Common children under age, in an act of divorce.")] = ()


@dataclass(frozen=True, slots=True)
class ActsQuestion(PersonCriterion):
    """A person, by exactly one criterion, and which acts: all, or of one kind."""

    kind: Annotated[ActKind | None, Declared("Only acts of this kind.")] = None


@dataclass(frozen=True, slots=True)
class ActsAnswer:
    """The acts that name a person in any role; none when several persons fit."""

    matched_by: Annotated[MatchedBy, Declared("The criterion that was used.")]
    count: Annotated[int, Declared("How many acts there are.")]
    ambiguous: Annotated[bool, Declared("Whether several persons fit; no act is told.")] = False
    confidence: Annotated[Confidence | None, Declared("How sure it is that this is the person asked for.")] = None
    warnings: Annotated[tuple[str, ...], Declared("What looked odd about the criterion.")] = ()
    acts: Annotated[tuple[Act, ...], Declared("The acts, the oldest event first.")] = ()
    withheld: Annotated[tuple[str, ...], Declared("Fields that the purpose does not cover.")] = ()


@dataclass(frozen=True, slots=True)
class CertificateQuestion:
    """A certificate by series and number."""

    series: Annotated[
        str, Declared("Roman number, hyphen, two letters; digits are understood.", max_length=8, example="І-ИК")
    ]
    number: Annotated[str, Declared("Six digits.", max_length=6, pattern="[0-9]{6}", example="901695")]


@dataclass(frozen=True, slots=True)
class CertificateAnswer:
    """The act a certificate was issued about."""

    found: Annotated[bool, Declared("Whether there is such a certificate.")]
    act: Annotated[Act | None, Declared("The act.")] = None
    withheld: Annotated[tuple[str, ...], Declared("Fields that the purpose does not cover.")] = ()


@registry.operation("FindActs", "GET /acts", "POST /acts/search")
def find_acts(asked: ActsQuestion, call: Call) -> ActsAnswer:
    """Find the acts that name a person.

    Give exactly one of UNZR, RNOKPP, document, or name and birth date. A child's act of birth is found
    by either parent too.
    """
    held = records_of_person(call, Act, asked, lambda act: asked.kind in (None, act.kind))
    acts = sorted(held.records, key=lambda act: act.event_on or date.min)
    return ActsAnswer(count=len(acts), acts=tuple(acts), **held.head)


@registry.operation("GetCertificate", "GET /certificates")
def get_certificate(asked: CertificateQuestion, call: Call) -> CertificateAnswer:
    """Find the act that a certificate was issued about."""
    acts = records_by_key(call, Act, certificate_key(asked.series, asked.number))
    return CertificateAnswer(bool(acts), acts[0] if acts else None)


_ROMAN: Final = {"1": "І", "2": "ІІ", "3": "ІІІ", "4": "IV", "5": "V"}
_CYRILLIC: Final = str.maketrans("ABCEHIKMOPTXV", "АВСЕНІКМОРТХV")
_SERIES: Final = re.compile("([ІV]{1,3}|[1-5])-?([А-ЩЮЯЬІЇЄҐ]{2})")


def certificate_key(series: str, number: str) -> str:
    """Return what a certificate is looked up by: its series may be typed in digits or Latin letters."""
    typed = _SERIES.fullmatch("".join(series.split()).upper().translate(_CYRILLIC))
    if typed is None:
        raise RequestError("registry.field_invalid", field="series", expected="І-БК")
    roman = _ROMAN.get(typed[1], typed[1]).translate(_CYRILLIC)
    return f"certificate:{roman}-{typed[2]} {number}"
