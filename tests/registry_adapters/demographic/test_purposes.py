"""No field leaves that the purpose does not allow, whoever asks for whom and in whichever form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.runtime.database import Database
from gateway.xroad.identifiers import MemberId, SubsystemId
from gateway.xroad.soap.faults import parse_fault
from gateway.xroad.xml import NS_SOAP11, parse_xml
from registry_adapters.demographic.model import Person, PersonAnswer, Resident
from registry_adapters.demographic.registry import registry
from registry_adapters.population.wellknown import WELL_KNOWN
from registry_adapters.sdk.access_log import AccessLog
from registry_adapters.sdk.context import CONTEXT_NS
from registry_adapters.sdk.fields import RecordSpec, describe, to_json
from registry_adapters.sdk.fields_xml import from_xml
from registry_adapters.sdk.purposes import ALWAYS_TOLD, EVERY_FIELD, Purpose
from tests.factories.registry import PROVIDER, REST_HEADERS, SNAP, SOAP_HEADERS, a_question, a_request

assert registry.rules is not None
PURPOSES = registry.rules.by_id
HOME = {"katottg": "UA46060250010015970", "street": "вул. Івана Франка", "building": "7", "apartment": "2"}
LIFE_EVENTS = (
    "BIRTH-OF-CHILD", "HOUSING-SUBSIDY", "RESIDENCE-REGISTRATION", "LAND-EXTRACT", "SOLE-TRADER", "DISPLACED-STATUS",
    "LOST-PASSPORT", "INHERITANCE-OF-LAND",
)  # fmt: skip


def a_client(purpose: Purpose) -> SubsystemId:
    """Somebody who may name the purpose."""
    member_class, code, subsystem = next(iter(purpose.clients), "GOV/10000001/SNAP").split("/")
    return SubsystemId(MemberId("UA-DEMO", member_class, code), subsystem)


def ask(http: httpx.Client, path: str, purpose: str, client: SubsystemId, **query: str) -> httpx.Response:
    headers = {**REST_HEADERS, "X-Road-Client": str(client), "Uxp-Purpose-Ids": purpose}
    return http.get(path, params=query, headers=headers)


def told(answer: Any, record: RecordSpec, path: str = "") -> Iterator[tuple[str, bool]]:
    """The paths at which an answer says something, each with whether it goes with what it is part of."""
    for spec in record.fields:
        here = f"{path}.{spec.name}" if path else spec.name
        for held in answer.get(spec.name, []) if spec.many else filter(None, [answer.get(spec.name)]):
            if spec.record:
                yield from told(held, spec.record, here)
            else:
                yield here, spec.required


def test_every_life_event_is_declared_with_its_ground_in_both_languages() -> None:
    for purpose in (PURPOSES[name] for name in LIFE_EVENTS):
        assert purpose.clients == {"GOV/10000001/SNAP"}
        assert purpose.ground
        assert all(purpose.titles.values())
        assert not purpose.sealed
        assert EVERY_FIELD not in {path for paths in purpose.operations.values() for path in paths}


def test_request_without_purpose_is_answered_whole(http: httpx.Client) -> None:
    answer = http.get("/persons", params={"rnokpp": "3347300028"}, headers=REST_HEADERS).json()
    assert answer["withheld"] == []
    assert answer["person"]["documents"][0]["number"] == "000000001"
    assert answer["person"]["residence"]["apartment"] == "34"


def test_purpose_that_only_the_asking_agency_declared_is_answered_as_none(http: httpx.Client) -> None:
    assert ask(http, "/persons", "9K9J65I75ILCLMPDUIRXS", SNAP, rnokpp="3347300028").json()["withheld"] == []


def test_what_the_purpose_does_not_cover_is_withheld_and_named(http: httpx.Client) -> None:
    answer = ask(http, "/persons", "HOUSING-SUBSIDY", SNAP, rnokpp="3347300028").json()
    assert answer["person"].keys() == {
        "unzr", "rnokpp", "surname", "given_name", "patronymic", "birth_date", "residence", "documents",
    }  # fmt: skip
    assert answer["person"]["documents"] == []
    assert {"person.documents", "person.sex", "person.birth_place"} <= set(answer["withheld"])


def test_residents_are_told_without_what_the_purpose_does_not_cover(http: httpx.Client) -> None:
    answer = ask(http, "/residents", "LOST-PASSPORT", SNAP, **HOME).json()
    assert [one.keys() for one in answer["residents"]] == [
        {"surname", "given_name", "patronymic", "birth_date"},
        {"surname", "given_name", "patronymic", "birth_date"},
    ]
    assert answer["withheld"] == ["residents.rnokpp", "residents.unzr", "residents.registered_on"]


@pytest.mark.parametrize(
    ("path", "query", "purpose", "client", "name"),
    [
        ("/persons", {"rnokpp": "3347300028"}, "HOUSING-SUBSIDY", PROVIDER, "purpose_client"),
        ("/persons", {"rnokpp": "3347300028"}, "INVESTIGATION", SNAP, "purpose_client"),
        ("/residents", HOME, "SOLE-TRADER", SNAP, "purpose_operation"),
    ],
)
def test_purpose_that_does_not_fit_is_refused(
    http: httpx.Client, path: str, query: dict[str, str], purpose: str, client: SubsystemId, name: str
) -> None:
    response = ask(http, path, purpose, client, **query)
    assert (response.status_code, response.json()["type"]) == (403, f"urn:surma:registry:{name}")


def test_refused_request_is_no_look(http: httpx.Client, filled: Database) -> None:
    before = len(AccessLog(filled).looks_at("4"))
    assert ask(http, "/persons", "INVESTIGATION", SNAP, rnokpp="2380804560").status_code == 403
    assert len(AccessLog(filled).looks_at("4")) == before


def test_look_for_an_investigation_is_sealed_and_others_are_not(http: httpx.Client, filled: Database) -> None:
    for purpose, client in (("INVESTIGATION", PROVIDER), ("IDENTITY", SNAP)):
        assert ask(http, "/persons", purpose, client, rnokpp="2380804560").json()["found"]
    newest = AccessLog(filled).looks_at("4")[:2]
    assert [(look["purposes"], look["sealed"]) for look in newest] == [("IDENTITY", False), ("INVESTIGATION", True)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(purpose=st.sampled_from(sorted(PURPOSES)), person=st.sampled_from(WELL_KNOWN))
def test_no_field_leaves_that_the_purpose_does_not_allow(http: httpx.Client, purpose: str, person: Any) -> None:
    rules, client = PURPOSES[purpose], a_client(PURPOSES[purpose])
    question = {"rnokpp": person.rnokpp} if person.rnokpp else {"document": person.documents[0].number}
    by_rest = ask(http, "/persons", purpose, client, **question).json()
    allowed = rules.operations["GetPerson"]
    for path, goes_along in told(by_rest, describe(PersonAnswer)):
        inside = any(path == one or path.startswith(f"{one}.") for one in allowed)
        assert inside or goes_along or path in ALWAYS_TOLD or EVERY_FIELD in allowed, path
    block = f'<c:purposeIds xmlns:c="{CONTEXT_NS}">{purpose}</c:purposeIds></SOAP-ENV:Header>'
    raw = a_request(a_question(**question), client=client).replace(b"</SOAP-ENV:Header>", block.encode())
    body = parse_xml(http.post("/", content=raw, headers=SOAP_HEADERS).content).find(f"{{{NS_SOAP11}}}Body/*")
    assert body is not None
    assert to_json(from_xml(PersonAnswer, body)) == by_rest


def test_soap_fault_of_a_purpose_that_does_not_fit_is_the_clients(http: httpx.Client) -> None:
    block = f'<c:purposeIds xmlns:c="{CONTEXT_NS}">INVESTIGATION</c:purposeIds></SOAP-ENV:Header>'
    raw = a_request(a_question(unzr="19910824-00026")).replace(b"</SOAP-ENV:Header>", block.encode())
    fault = parse_fault(http.post("/", content=raw, headers=SOAP_HEADERS).content)
    assert fault.code == "Client.purpose_client"


def test_names_and_birth_date_are_all_that_cannot_be_withheld() -> None:
    for record in (Person, Resident):
        required = {spec.name for spec in describe(record).fields if spec.required}
        assert required == {"surname", "given_name", "birth_date"}
