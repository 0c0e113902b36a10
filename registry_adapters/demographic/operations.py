"""What the demographic registry does, whatever form it is asked in."""

from __future__ import annotations

from registry_adapters.demographic.model import DocumentStatus, PersonAnswer, PersonQuestion, Record
from registry_adapters.demographic.store import find_persons
from registry_adapters.sdk.matching import ByDocument, Criterion, match_of, question_of
from registry_adapters.sdk.operations import Call


def find_person(asked: PersonQuestion, call: Call) -> PersonAnswer:
    """Return the one person the criterion fits, and note the look.

    Raises RequestError when there is not exactly one criterion.
    """
    question = question_of(
        unzr=asked.unzr,
        rnokpp=asked.rnokpp,
        document=asked.document,
        surname=asked.surname,
        given_name=asked.given_name,
        patronymic=asked.patronymic,
        birth_date=asked.birth_date,
    )
    records = find_persons(call.connection, question.criterion)
    match = match_of(question.criterion, records, document_in_force=_in_force(question.criterion, records))
    call.note(match.look(str(match.found.number) if match.found else None))
    return PersonAnswer(
        found=match.found is not None,
        matched_by=match.matched_by,
        count=match.count,
        ambiguous=match.count > 1,
        confidence=match.confidence,
        warnings=question.warnings,
        person=match.found.person if match.found else None,
    )


def _in_force(criterion: Criterion, records: list[Record]) -> bool:
    """Tell whether the passport asked by still counts."""
    return isinstance(criterion, ByDocument) and any(
        held.number == criterion.number and held.status is DocumentStatus.IN_FORCE
        for record in records
        for held in record.person.documents
    )
