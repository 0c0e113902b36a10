from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.runtime.database import Database
from gateway.xroad.soap.faults import parse_fault
from gateway.xroad.xml import NS_SOAP11, parse_xml
from registry_adapters.demographic.model import PersonAnswer, PersonQuestion
from registry_adapters.demographic.seed import generate
from registry_adapters.demographic.tables import access_log
from registry_adapters.sdk.access_log import AccessLog
from registry_adapters.sdk.fields import describe, from_json, to_json
from registry_adapters.sdk.fields_xml import from_xml
from tests.factories.registry import REST_HEADERS, SNAP, SOAP_HEADERS, a_question, a_request


def get(http: httpx.Client, path: str, **query: str) -> httpx.Response:
    return http.get(path, params=query, headers=REST_HEADERS)


def test_person_is_found_by_query(http: httpx.Client) -> None:
    answer = get(http, "/persons", unzr="19910824-00026").json()
    assert (answer["found"], answer["matched_by"], answer["confidence"]) == (True, "unzr", "exact")
    assert answer["person"]["given_name"] == "Мар'яна"


def test_person_is_found_by_path(http: httpx.Client) -> None:
    assert get(http, "/persons/19910824-00026").json()["person"]["rnokpp"] == "3347300028"


def test_person_is_found_by_a_search_in_the_body(http: httpx.Client) -> None:
    body = {"surname": "Бондар", "given_name": "Галина", "birth_date": "1965-03-08"}
    answer = http.post("/persons/search", json=body, headers=REST_HEADERS).json()
    assert (answer["person"]["rnokpp"], answer["matched_by"]) == ("2380804560", "name_and_birth_date")


def test_nobody_is_an_answer_and_not_a_404(http: httpx.Client) -> None:
    response = get(http, "/persons/19000101-00010")
    assert (response.status_code, response.json()["found"]) == (200, False)


def test_answer_may_not_be_kept_by_caches(http: httpx.Client) -> None:
    assert get(http, "/persons", rnokpp="3347300028").headers["cache-control"] == "no-store"


def test_uxp_dialect_is_answered_and_its_query_parameters_are_no_criteria(http: httpx.Client) -> None:
    headers = {"Uxp-Client": str(SNAP), "Uxp-Service": f"{SNAP}/x"}
    response = http.get("/persons", params={"rnokpp": "3347300028", "queryId": "q", "userId": "u"}, headers=headers)
    assert response.json()["found"] is True


def test_look_is_in_the_access_log_once(http: httpx.Client, filled: Database) -> None:
    headers = {**REST_HEADERS, "X-Road-Id": "noted", "X-Road-Request-Id": "r-5"}
    http.get("/persons", params={"document": "АА123456"}, headers=headers)
    looks = [look for look in AccessLog(filled, access_log).looks_at("2") if look["message_id"] == "noted"]
    assert [(k["client"], k["user_id"], k["issue"], k["request_id"], k["matched_by"]) for k in looks] == [
        (str(SNAP), "clerk", "case-7", "r-5", "document")
    ]


@pytest.mark.parametrize(
    ("path", "query", "status", "name"),
    [
        ("/persons", {}, 400, "no_criterion"),
        ("/persons", {"unzr": "1", "document": "2"}, 400, "several_criteria"),
        ("/persons", {"surname": "Бондар"}, 400, "name_incomplete"),
        ("/persons", {"birthdate": "2000-01-01"}, 400, "field_unknown"),
        ("/persons", {"birth_date": "01.01.2000"}, 400, "field_invalid"),
        ("/persons/0", {}, 400, "unzr_invalid"),
        ("/persons/19910824-00026", {"unzr": "19910824-00026"}, 400, "field_repeated"),
        ("/nowhere", {}, 404, "no_such_path"),
    ],
)
def test_flawed_request_gets_a_problem_document(
    http: httpx.Client, path: str, query: dict[str, str], status: int, name: str
) -> None:
    response = get(http, path, **query)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert response.json()["type"] == f"urn:surma:registry:{name}"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"", "json_invalid"),
        (b"{", "json_invalid"),
        (b"[]", "field_invalid"),
        (b"[" * 100_000, "json_invalid"),
        (b'{"unzr":"1","unzr":"2"}', "json_repeated"),
        (b'{"unzr":5}', "field_invalid"),
        (b'{"surname":"\\ud800","given_name":"a","birth_date":"2000-01-01"}', "field_invalid"),
        (b'{"unzr":"\xff"}', "json_invalid"),
    ],
)
def test_flawed_body_is_refused(http: httpx.Client, body: bytes, name: str) -> None:
    headers = {**REST_HEADERS, "Content-Type": "application/json"}
    response = http.post("/persons/search", content=body, headers=headers)
    assert (response.status_code, response.json()["type"]) == (400, f"urn:surma:registry:{name}")


def test_body_of_another_type_is_refused(http: httpx.Client) -> None:
    assert http.post("/persons/search", data={"unzr": "1"}, headers=REST_HEADERS).status_code == 415


def test_query_that_is_not_utf_8_is_refused(http: httpx.Client) -> None:
    response = http.get("/persons?surname=%ff&given_name=a&birth_date=2000-01-01", headers=REST_HEADERS)
    assert response.json()["type"] == "urn:surma:registry:query_invalid"


def test_request_that_no_security_server_sent_is_refused(http: httpx.Client) -> None:
    assert http.get("/persons", params={"unzr": "19910824-00026"}).status_code == 400


def test_client_that_is_no_identifier_is_refused(http: httpx.Client) -> None:
    assert http.get("/persons", params={"unzr": "1"}, headers={"X-Road-Client": "a/b"}).status_code == 400


def test_other_method_on_a_known_path_is_refused(http: httpx.Client) -> None:
    assert http.delete("/persons", headers=REST_HEADERS).status_code == 405


KNOWN = [record.person for _, record in zip(range(400), generate(1), strict=False)]
UNZRS = (
    st.sampled_from([p.unzr for p in KNOWN if p.unzr]) | st.just("20000101-00010") | st.text("0123456789-", max_size=15)
)
RNOKPPS = st.sampled_from([p.rnokpp for p in KNOWN if p.rnokpp]) | st.text("0123456789", max_size=11)
DOCUMENTS = st.sampled_from([d.number for p in KNOWN for d in p.documents]) | st.text("АВС 0123456789", max_size=11)
NAMES = st.sampled_from(KNOWN).map(
    lambda p: PersonQuestion(surname=p.surname, given_name=p.given_name, birth_date=p.birth_date)
)
QUESTIONS = st.one_of(
    st.builds(PersonQuestion, unzr=UNZRS),
    st.builds(PersonQuestion, rnokpp=RNOKPPS),
    st.builds(PersonQuestion, document=DOCUMENTS),
    NAMES,
    st.builds(PersonQuestion, unzr=st.none() | UNZRS, rnokpp=st.none() | RNOKPPS),
)


def by_soap(http: httpx.Client, fields: dict[str, Any]) -> PersonAnswer | str:
    elements = {spec.element: fields[spec.name] for spec in describe(PersonQuestion).fields if spec.name in fields}
    response = http.post("/", content=a_request(a_question(**elements)), headers=SOAP_HEADERS)
    if response.status_code == 500:
        return parse_fault(response.content).code.removeprefix("Client.")
    body = parse_xml(response.content).find(f"{{{NS_SOAP11}}}Body/*")
    assert body is not None
    return from_xml(PersonAnswer, body)


def by_rest(response: httpx.Response) -> PersonAnswer | str:
    if response.status_code != 200:
        return str(response.json()["type"].removeprefix("urn:surma:registry:"))
    return from_json(PersonAnswer, response.json())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=QUESTIONS)
def test_soap_and_both_forms_of_rest_give_equal_answers(http: httpx.Client, question: PersonQuestion) -> None:
    fields = to_json(question)
    answers = [
        by_soap(http, fields),
        by_rest(http.get("/persons", params=fields, headers=REST_HEADERS)),
        by_rest(http.post("/persons/search", json=fields, headers=REST_HEADERS)),
    ]
    assert answers[0] == answers[1] == answers[2]
