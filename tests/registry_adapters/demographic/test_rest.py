from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.runtime.database import Database, open_database
from gateway.xroad.soap.faults import parse_fault
from gateway.xroad.xml import NS_SOAP11, parse_xml
from registry_adapters.demographic.mistakes import Mistake, mistake_about
from registry_adapters.demographic.model import PersonAnswer, PersonQuestion
from registry_adapters.demographic.registry import MAX_RESIDENTS, subjects_of
from registry_adapters.demographic.tables import person
from registry_adapters.population.loading import insert_rows
from registry_adapters.population.people import people
from registry_adapters.sdk.access_log import ACCESS_LOG, AccessLog
from registry_adapters.sdk.fields import describe, from_json, to_json
from registry_adapters.sdk.fields_xml import from_xml
from tests.factories.registry import (
    FEW,
    REST_HEADERS,
    SNAP,
    SOAP_HEADERS,
    a_question,
    a_registry,
    a_request,
    served,
)


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
    looks = [look for look in AccessLog(filled).looks_at("2") if look["message_id"] == "noted"]
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


KNOWN = [record.person for _, record in zip(range(400), people(1), strict=False)]
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
    st.builds(PersonQuestion, temporary_number=st.sampled_from(["TN-090169945", "TN-000000000", "TN-1", "x"])),
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


HOME = {"katottg": "UA46060250010015970", "street": "вул. Івана Франка", "building": "7"}


def test_person_without_numbers_is_found_by_the_temporary_one(http: httpx.Client) -> None:
    answer = get(http, "/persons", temporary_number="TN-090169945").json()
    assert (answer["found"], answer["matched_by"], answer["confidence"]) == (True, "temporary_number", "exact")
    assert answer["person"]["surname"] == "Мельник"
    assert answer["person"]["temporary_number_issued_on"] == "2024-01-01"


def test_look_by_a_temporary_number_is_noted(http: httpx.Client, filled: Database) -> None:
    headers = {**REST_HEADERS, "X-Road-Id": "temporary"}
    http.get("/persons", params={"temporary_number": "TN-090169945"}, headers=headers)
    looks = [look for look in AccessLog(filled).looks_at("5") if look["message_id"] == "temporary"]
    assert [look["matched_by"] for look in looks] == ["temporary_number"]


def test_unknown_temporary_number_is_nobody(http: httpx.Client) -> None:
    answer = get(http, "/persons", temporary_number="TN-999999999").json()
    assert (answer["found"], answer["count"]) == (False, 0)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"temporary_number": "TN-1"}, "field_invalid"),
        ({"temporary_number": "TN-090169945", "unzr": "19910824-00026"}, "several_criteria"),
        ({"temporary_number": "TN-090169945", "birth_date": "1978-06-30"}, "several_criteria"),
    ],
)
def test_flawed_question_by_temporary_number_is_refused(http: httpx.Client, query: dict[str, str], name: str) -> None:
    assert get(http, "/persons", **query).json()["type"] == f"urn:surma:registry:{name}"


def test_residents_of_an_apartment_are_told(http: httpx.Client) -> None:
    answer = get(http, "/residents", **HOME, apartment="2").json()
    assert [one["given_name"] for one in answer["residents"]] == ["Андрій", "Софія"]
    assert (answer["count"], answer["truncated"]) == (2, False)


def test_address_is_compared_without_regard_to_capitals_and_spaces(http: httpx.Client) -> None:
    asked = {**HOME, "street": "ВУЛ.  івана Франка", "building": " 7 "}
    assert get(http, "/residents", **asked, apartment="2").json()["count"] == 2


def test_whole_building_is_meant_without_an_apartment(http: httpx.Client) -> None:
    names = [one["surname"] for one in get(http, "/residents", **HOME).json()["residents"]]
    assert names.count("Коваленко") >= 2


def test_each_resident_seen_is_a_look_and_an_empty_home_is_one(http: httpx.Client, filled: Database) -> None:
    def looks(**query: str) -> list[tuple[str, str | None]]:
        headers = {**REST_HEADERS, "X-Road-Id": query["apartment"]}
        assert http.get("/residents", params={**HOME, **query}, headers=headers).status_code == 200
        wanted = select(ACCESS_LOG).where(ACCESS_LOG.c.message_id == query["apartment"]).order_by(ACCESS_LOG.c.id)
        with filled.reading() as connection:
            return [(row.outcome, row.subject) for row in connection.execute(wanted) if row.matched_by == "address"]

    assert looks(apartment="2") == [("found", "2"), ("found", "3")]
    assert looks(apartment="none") == [("not_found", None)]


def test_the_dead_live_nowhere(http: httpx.Client) -> None:
    home = {"katottg": "UA80000000000093317", "street": "вул. Садова", "building": "18"}
    assert get(http, "/persons", rnokpp="1909400190").json()["person"]["residence"]["building"] == "18"
    assert "Ткаченко" not in [one["surname"] for one in get(http, "/residents", **home).json()["residents"]]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "field_missing"),
        ({"katottg": "UA1", "street": "вул. Садова", "building": "1"}, "field_invalid"),
        ({**HOME, "building": ""}, "field_missing"),
        ({**HOME, "flat": "2"}, "field_unknown"),
    ],
)
def test_flawed_address_is_refused(http: httpx.Client, query: dict[str, str], name: str) -> None:
    assert get(http, "/residents", **query).json()["type"] == f"urn:surma:registry:{name}"


def test_more_residents_than_are_told_are_named_as_such(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/crowded.db")
    app = a_registry(database, replace(FEW, persons=20))
    life = ("male", "1990-01-01", "м. Львів", "UKR", False, None, 2, "2", "2020-01-01")
    crowd = [
        (100 + n, None, None, "Мешканець", f"Ім'я {n}", None, "мешканець|", None, *life) for n in range(MAX_RESIDENTS)
    ]
    with database.transaction() as connection:
        insert_rows(connection, person, crowd)
    with served(app) as address:
        answer = httpx.get(f"{address}/residents", params=HOME, headers=REST_HEADERS, trust_env=False).json()
    database.close()
    assert (answer["count"], len(answer["residents"]), answer["truncated"]) == (MAX_RESIDENTS, MAX_RESIDENTS, True)


def test_person_recorded_twice_is_ambiguous_by_rnokpp_and_one_by_document(tmp_path: Path) -> None:
    twice = next(
        record.person
        for record in islice(people(1), 2000)
        if mistake_about(1, record.number) is Mistake.RECORDED_TWICE and record.person.documents
    )
    database = open_database(f"sqlite:///{tmp_path}/twice.db")
    with served(a_registry(database, replace(FEW, persons=2000))) as address:
        asked = [{"rnokpp": twice.rnokpp or ""}, {"document": twice.documents[0].number}]
        answers = [
            httpx.get(f"{address}/persons", params=query, headers=REST_HEADERS, trust_env=False).json()
            for query in asked
        ]
    with database.reading() as connection:
        assert len(subjects_of(connection, twice.rnokpp or "")) == 2
    database.close()
    assert [(one["found"], one["count"]) for one in answers] == [(False, 2), (True, 1)]


def test_subjects_of_a_person_are_the_same_by_unzr_and_rnokpp(filled: Database) -> None:
    with filled.reading() as connection:
        assert subjects_of(connection, "19910824-00026") == subjects_of(connection, "3347300028") == ["1"]
        assert subjects_of(connection, "0000000000") == []
