"""Legal entities and sole traders (law of Ukraine 755-IV): search by code or name, and the record of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.identifiers import Flaw, flaw_of_edrpou, flaw_of_rnokpp
from registry_adapters.sdk.matching import name_key
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.registry import Registry
from registry_adapters.simulators.filling import filled_by
from registry_adapters.simulators.persons import NaturalPerson
from registry_adapters.simulators.places import Place
from registry_adapters.simulators.store import one_of, records_by_key, subjects_of

registry = Registry(
    name="business",
    title="Business register",
    doc="Companies, institutions and sole traders. Synthetic data.",
    migrations="registry_adapters.migrations.simulators",
    fill=filled_by("registry_adapters.simulators.business_seed:MAKER"),
    subjects_of=subjects_of,
    purposes="registry_adapters.simulators:purposes_business.toml",
)

REGISTERED: Final = 1
TERMINATED: Final = 3
STATES: Final = {REGISTERED: "зареєстровано", TERMINATED: "припинено"}
_NO_MARKS: Final = str.maketrans(dict.fromkeys('«»"“”„', " "))


class SubjectKind(StrEnum):
    """What a subject is."""

    SOLE_TRADER = "sole_trader"
    COMPANY = "company"


@dataclass(frozen=True, slots=True)
class SubjectSummary:
    """A subject as a search tells it."""

    id: Annotated[str, Declared("The register's own number of the subject.", max_length=16)]
    kind: Annotated[SubjectKind, Declared("What it is.")]
    state: Annotated[int | None, Declared("1 registered, 3 terminated.")] = None
    state_text: Annotated[str | None, Declared("The state in words.", max_length=32)] = None
    name: Annotated[str | None, Declared("Name; of a sole trader surname, given name, patronymic.", max_length=300)] = (
        None
    )
    code: Annotated[str | None, Declared("EDRPOU code, or RNOKPP of a sole trader.", max_length=10)] = None
    registered_on: Annotated[date | None, Declared("Day of registration.")] = None
    ended_on: Annotated[date | None, Declared("Day of termination.")] = None


@dataclass(frozen=True, slots=True)
class Activity:
    """A kind of economic activity."""

    code: Annotated[str, Declared("Code of the classifier KVED-2010.", max_length=5, example="62.01")]
    title: Annotated[str | None, Declared("Its title.", max_length=300)] = None
    main: Annotated[bool | None, Declared("Whether it is the main one.")] = None


@dataclass(frozen=True, slots=True)
class Head:
    """Somebody who acts for a company."""

    position: Annotated[str, Declared("Office held.", max_length=64)]
    person: Annotated[NaturalPerson | None, Declared("Who holds it.")] = None


@dataclass(frozen=True, slots=True)
class Founder:
    """A founder: a natural person with a share."""

    person: Annotated[NaturalPerson | None, Declared("Who it is.")] = None
    share_percent: Annotated[Decimal | None, Declared("Share of the capital, in percent.")] = None


@dataclass(frozen=True, slots=True)
class Subject(SubjectSummary):
    """A subject with all the register tells."""

    legal_form_code: Annotated[str | None, Declared("Code of the legal form.", max_length=8)] = None
    legal_form: Annotated[str | None, Declared("Legal form.", max_length=100)] = None
    address: Annotated[Place | None, Declared("Seat, or residence of a sole trader.")] = None
    activities: Annotated[tuple[Activity, ...], Declared("Kinds of activity, the main one first.")] = ()
    heads: Annotated[tuple[Head, ...], Declared("Who acts for it.")] = ()
    founders: Annotated[tuple[Founder, ...], Declared("Founders.")] = ()


@dataclass(frozen=True, slots=True)
class SubjectsQuestion:
    """Exactly one of: `code`, `name`."""

    code: Annotated[
        str | None, Declared("EDRPOU code of a company, or RNOKPP of a sole trader.", max_length=10, example="99010512")
    ] = None
    name: Annotated[str | None, Declared("The whole name, without regard to case.", max_length=300)] = None


@dataclass(frozen=True, slots=True)
class SubjectsAnswer:
    """The subjects that bear a code or a name, terminated ones too."""

    count: Annotated[int, Declared("How many there are.")]
    subjects: Annotated[tuple[SubjectSummary, ...], Declared("The subjects, in order of registration.")] = ()
    warnings: Annotated[tuple[str, ...], Declared("What looked odd about the code.")] = ()
    withheld: Annotated[tuple[str, ...], Declared("Fields that the purpose does not cover.")] = ()


@dataclass(frozen=True, slots=True)
class SubjectQuestion:
    """A subject by the register's own number, as a search gives it."""

    id: Annotated[str, Declared("Number of the subject.", max_length=16, pattern="[0-9]{1,16}", example="1000000008")]


@dataclass(frozen=True, slots=True)
class SubjectAnswer:
    """One subject."""

    found: Annotated[bool, Declared("Whether there is such a subject.")]
    subject: Annotated[Subject | None, Declared("The subject.")] = None
    withheld: Annotated[tuple[str, ...], Declared("Fields that the purpose does not cover.")] = ()


@registry.operation("FindSubjects", "GET /subjects")
def find_subjects(asked: SubjectsQuestion, call: Call) -> SubjectsAnswer:
    """Find companies and sole traders by code or name.

    Give exactly one of the two.
    """
    if one_of(code=asked.code, name=asked.name) == "name":
        return _summaries(call, name_of_subject(asked.name or ""))
    code = asked.code or ""
    flaw = flaw_of_rnokpp(code) if len(code) == 10 else flaw_of_edrpou(code)
    if flaw is Flaw.FORMAT:
        raise RequestError("registry.field_invalid", field="code", expected="[0-9]{8} | [0-9]{10}")
    subject = code if len(code) == 10 else None
    return _summaries(call, f"code:{code}", subject, () if flaw is None else (f"code_{flaw}",))


@registry.operation("GetSubject", "GET /subjects/{id}")
def get_subject(asked: SubjectQuestion, call: Call) -> SubjectAnswer:
    """Find a subject by the register's own number."""
    subjects = records_by_key(call, Subject, f"id:{asked.id}")
    return SubjectAnswer(bool(subjects), subjects[0] if subjects else None)


def name_of_subject(name: str) -> str:
    """Return the key of a name: without regard to case, quotation marks and doubled spaces."""
    return f"name:{name_key(name.translate(_NO_MARKS))}"


def _summaries(call: Call, key: str, subject: str | None = None, warnings: tuple[str, ...] = ()) -> SubjectsAnswer:
    found = records_by_key(call, Subject, key, subject=subject, tells_persons=_is_sole_trader)
    summaries = tuple(
        SubjectSummary(one.id, one.kind, one.state, one.state_text, one.name, one.code, one.registered_on, one.ended_on)
        for one in found
    )
    return SubjectsAnswer(len(summaries), summaries, warnings)


def _is_sole_trader(subject: Subject) -> bool:
    return subject.kind is SubjectKind.SOLE_TRADER
