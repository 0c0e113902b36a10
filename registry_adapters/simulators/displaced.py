"""Certificates of internally displaced persons (law of Ukraine 1706-VII, resolution 509 of 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.matching import Confidence, MatchedBy
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.persons import PersonCriterion
from registry_adapters.sdk.registry import Registry
from registry_adapters.simulators.filling import filled_by
from registry_adapters.simulators.persons import NaturalPerson
from registry_adapters.simulators.places import Place
from registry_adapters.simulators.store import records_of_person, subjects_of

registry = Registry(
    name="displaced",
    title="Register of internally displaced persons",
    doc="Certificates of registration as an internally displaced person. Synthetic data.",
    migrations="registry_adapters.migrations.simulators",
    fill=filled_by("registry_adapters.simulators.displaced_seed:MAKER"),
    subjects_of=subjects_of,
    purposes="registry_adapters.simulators:purposes_displaced.toml",
)


class CertificateStatus(StrEnum):
    """Whether a certificate counts."""

    VALID = "valid"
    CANCELLED = "cancelled"  # the person went back, moved abroad or died


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of one person, with the children who moved along."""

    number: Annotated[str, Declared("Four digits, hyphen, ten digits.", max_length=15, example="3001-5000000004")]
    issued_on: Annotated[date | None, Declared("Day of issue.")] = None
    status: Annotated[CertificateStatus | None, Declared("Whether it counts.")] = None
    cancelled_on: Annotated[date | None, Declared("Day it ceased to count.")] = None
    person: Annotated[NaturalPerson | None, Declared("Its holder.")] = None
    former_address: Annotated[Place | None, Declared("Where the person lived before.")] = None
    present_address: Annotated[Place | None, Declared("Where the person lives now.")] = None
    children: Annotated[tuple[NaturalPerson, ...], Declared("Children under age who moved along.")] = ()


@dataclass(frozen=True, slots=True)
class CertificateAnswer:
    """The newest certificate of the person asked for; nothing when several persons fit."""

    found: Annotated[bool, Declared("Whether the one person meant has a certificate.")]
    matched_by: Annotated[MatchedBy, Declared("The criterion that was used.")]
    count: Annotated[int, Declared("How many certificates the person has; more than one is an error to be cleared.")]
    ambiguous: Annotated[bool, Declared("Whether several persons fit; none of them is told.")]
    confidence: Annotated[Confidence | None, Declared("How sure it is that this is the person asked for.")] = None
    warnings: Annotated[tuple[str, ...], Declared("What looked odd about the criterion.")] = ()
    certificate: Annotated[Certificate | None, Declared("The certificate.")] = None
    withheld: Annotated[tuple[str, ...], Declared("Fields that the purpose does not cover.")] = ()


@registry.operation("GetCertificate", "GET /certificates", "POST /certificates/search")
def get_certificate(asked: PersonCriterion, call: Call) -> CertificateAnswer:
    """Find the certificate of a person.

    Give exactly one of UNZR, RNOKPP, document, or name and birth date.
    """
    held = records_of_person(call, Certificate, asked)
    newest = max(held.records, key=lambda one: (one.status is CertificateStatus.VALID, one.issued_on), default=None)
    return CertificateAnswer(found=newest is not None, count=len(held.records), certificate=newest, **held.head)
