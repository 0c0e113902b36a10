"""The demographic registry: persons, their passports and temporary numbers, and who is registered where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from gateway.runtime.database import Database
from registry_adapters.demographic.model import (
    AddressQuestion,
    Holding,
    MatchedBy,
    PersonAnswer,
    PersonQuestion,
    ResidentsAnswer,
    UnzrQuestion,
)
from registry_adapters.demographic.seed import seed_persons
from registry_adapters.demographic.store import (
    find_by_temporary_number,
    find_persons,
    find_residents,
    record_numbers,
)
from registry_adapters.population.model import DocumentStatus
from registry_adapters.sdk.access_log import Look, Outcome
from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.fields import to_json
from registry_adapters.sdk.matching import ByDocument, Confidence, Criterion, match_of
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.persons import question_of_person
from registry_adapters.sdk.registry import Progress, Registry
from registry_adapters.settings import RegistrySettings

MAX_RESIDENTS: Final = 100


def fill(database: Database, settings: RegistrySettings, progress: Progress | None = None) -> int:
    """Make what is missing of the synthetic persons; return how many were made."""
    return seed_persons(database, settings.seed, settings.persons, progress)


def subjects_of(connection: Connection, code: str) -> Sequence[str]:
    """Return the record numbers of the person with an RNOKPP or UNZR: the subjects of looks at that person."""
    return [str(number) for number in record_numbers(connection, code)]


registry = Registry(
    name="demographic",
    title="Demographic registry",
    doc="Persons, their passports and registered residence. Synthetic data.",
    service_name="DemographicRegistry",
    migrations="registry_adapters.migrations.demographic",
    fill=fill,
    subjects_of=subjects_of,
    purposes="registry_adapters.demographic:purposes.toml",
)


@registry.operation("GetPerson", "GET /persons", "POST /persons/search")
def get_person(asked: PersonQuestion, call: Call) -> PersonAnswer:
    """Find a person by UNZR, RNOKPP, document, temporary number, or name and birth date.

    Give exactly one of these. Nobody found is an answer, and so is that several persons fit.
    """
    if asked.temporary_number is not None:
        return _by_temporary_number(asked.temporary_number, asked, call)
    question = question_of_person(asked)
    held = find_persons(call.connection, question.criterion)
    match = match_of(question.criterion, held, document_in_force=_in_force(question.criterion, held))
    call.note(match.look(str(match.found.number) if match.found else None))
    return PersonAnswer(
        found=match.found is not None,
        matched_by=MatchedBy(match.matched_by.value),
        count=match.count,
        ambiguous=match.count > 1,
        confidence=match.confidence,
        warnings=question.warnings,
        person=match.found.person if match.found else None,
    )


@registry.rest_form("GetPerson", "GET /persons/{unzr}")
def by_unzr(asked: UnzrQuestion, call: Call) -> PersonAnswer:
    """Find a person by UNZR."""
    return get_person(PersonQuestion(unzr=asked.unzr), call)


@registry.operation("GetResidents", "GET /residents")
def get_residents(asked: AddressQuestion, call: Call) -> ResidentsAnswer:
    """Tell who is registered at an address.

    A building or an apartment is named as its address is written. At most 100 persons are told.
    """
    found = find_residents(call.connection, asked, MAX_RESIDENTS + 1)
    told = found[:MAX_RESIDENTS]
    for number, _ in told:
        call.note(Look(Outcome.FOUND, "address", str(number)))
    if not told:
        call.note(Look(Outcome.NOT_FOUND, "address"))
    return ResidentsAnswer(len(told), len(found) > len(told), tuple(resident for _, resident in told))


def _by_temporary_number(number: str, asked: PersonQuestion, call: Call) -> PersonAnswer:
    if asked != PersonQuestion(temporary_number=number):
        raise RequestError("registry.several_criteria", criteria=", ".join(to_json(asked)))
    held, matched_by = find_by_temporary_number(call.connection, number), MatchedBy.TEMPORARY_NUMBER
    if held is None:
        call.note(Look(Outcome.NOT_FOUND, matched_by.value))
        return PersonAnswer(found=False, matched_by=matched_by, count=0, ambiguous=False)
    call.note(Look(Outcome.FOUND, matched_by.value, str(held.number)))
    return PersonAnswer(
        found=True, matched_by=matched_by, count=1, ambiguous=False, confidence=Confidence.EXACT, person=held.person
    )


def _in_force(criterion: Criterion, held: Sequence[Holding]) -> bool:
    """Tell whether the passport asked by still counts."""
    return isinstance(criterion, ByDocument) and any(
        document.number == criterion.number and document.status is DocumentStatus.IN_FORCE
        for holding in held
        for document in holding.person.documents
    )
