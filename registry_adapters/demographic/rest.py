"""The demographic registry by REST: persons, by query, by path, by a search in a body."""

from __future__ import annotations

from registry_adapters.demographic.model import PersonAnswer, PersonQuestion, UnzrQuestion
from registry_adapters.demographic.operations import find_person
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.rest_service import RestService

service = RestService(
    name="demographic",
    version="1.0.0",
    title="Demographic registry",
    doc="Persons, their passports and registered residence. Synthetic data.",
)


@service.get("/persons")
def find(asked: PersonQuestion, call: Call) -> PersonAnswer:
    """Find a person by UNZR, RNOKPP, document, or name and birth date.

    Give exactly one of these. Nobody found is an answer, and so is that several persons fit.
    """
    return find_person(asked, call)


@service.post("/persons/search")
def search(asked: PersonQuestion, call: Call) -> PersonAnswer:
    """Find a person as above, with the criterion in the body, where no log of addresses sees it."""
    return find_person(asked, call)


@service.get("/persons/{unzr}")
def by_unzr(asked: UnzrQuestion, call: Call) -> PersonAnswer:
    """Find a person by UNZR."""
    return find_person(PersonQuestion(unzr=asked.unzr), call)
