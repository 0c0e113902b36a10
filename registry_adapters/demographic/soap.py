"""The demographic registry by SOAP: `GetPerson`, version v1."""

from __future__ import annotations

from registry_adapters.demographic.model import PersonAnswer, PersonQuestion
from registry_adapters.demographic.operations import find_person
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.soap_service import SoapService

service = SoapService(
    name="DemographicRegistry",
    namespace="https://surma.example/registries/demographic/v1",
    version="v1",
    title="Demographic registry",
    doc="Persons, their passports and registered residence. Synthetic data.",
)


@service.operation("GetPerson")
def get_person(asked: PersonQuestion, call: Call) -> PersonAnswer:
    """Find a person by UNZR, RNOKPP, document, or name and birth date.

    Give exactly one of these. Nobody found is an answer, and so is that several persons fit.
    """
    return find_person(asked, call)
