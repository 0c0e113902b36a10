from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.runtime.database import Database
from gateway.xroad.identifiers import ServiceId
from registry_adapters.sdk import Registry, TableFile
from registry_adapters.sdk.access_log import AccessLog
from registry_adapters.sdk.lookups import MAX_PAGE, lookup, search
from registry_adapters.sdk.registry import build, prepare
from registry_adapters.sdk.sources.base import SourceError
from registry_adapters.settings import RegistrySettings
from tests.factories.registry import PROVIDER, REST_HEADERS, SOAP_HEADERS, a_request, served

KENNELS = """number,name,city,owner_rnokpp,places
0001,Будка,Київ,3347300028,12
0002,Чотири лапи,Київ,3288701236,40
0003,Добрі сусіди,Львів,3347300028,25
0004,Вірний друг,Львів,,8
"""
NAMESPACE = "https://surma.example/registries/kennels/v1"


def a_source(folder: Path, text: str = KENNELS, **options: Any) -> TableFile:
    path = folder / "kennels.csv"
    path.write_text(text, encoding="utf-8")
    return TableFile(path, key="number", **options)


def a_kennel_registry(source: TableFile, **options: Any) -> Registry:
    registry = Registry("kennels", title="Register of kennels")
    registry.lookup("GetKennel", source, by="number", path="GET /kennels/{number}", **options)
    registry.lookup("GetOwned", source, by=("owner_rnokpp", "city"), path="POST /owned", **options)
    registry.search("FindKennels", source, by=("owner_rnokpp", "city", "places"), path="GET /kennels", **options)
    return registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return a_kennel_registry(a_source(tmp_path))


@pytest.fixture
def http(registry: Registry, sqlite_database: Database) -> Iterator[httpx.Client]:
    prepare(registry, sqlite_database, RegistrySettings())
    app = build(registry, sqlite_database, RegistrySettings())
    with served(app) as url, httpx.Client(base_url=url, headers=REST_HEADERS, trust_env=False) as client:
        yield client


def by_soap(http: httpx.Client, request: bytes) -> httpx.Response:
    """Ask as a security server hands SOAP over: without the headers of REST."""
    return httpx.post(f"{str(http.base_url).rstrip('/')}/soap", content=request, headers=SOAP_HEADERS, trust_env=False)


def looks(database: Database, subject: str) -> list[tuple[str, str]]:
    return [(row["operation"], row["matched_by"]) for row in AccessLog(database).looks_at(subject)]


def test_record_is_looked_up_by_its_path(http: httpx.Client) -> None:
    answer = http.get("/kennels/0001").json()
    assert answer == {
        "found": True, "count": 1, "ambiguous": False, "withheld": [],
        "record": {"number": "0001", "name": "Будка", "city": "Київ", "owner_rnokpp": "3347300028", "places": 12},
    }  # fmt: skip


def test_soap_gives_the_same(http: httpx.Client) -> None:
    body = f'<GetKennel xmlns="{NAMESPACE}"><number>0001</number></GetKennel>'.encode()
    request = a_request(body, service=ServiceId(PROVIDER, "GetKennel", "v1"))
    answer = by_soap(http, request)
    assert answer.status_code == 200
    assert "<ownerRnokpp>3347300028</ownerRnokpp><places>12</places>" in answer.text


def test_nothing_found_is_an_answer(http: httpx.Client) -> None:
    answer = http.get("/kennels/9999")
    assert (answer.status_code, answer.json()["found"], "record" in answer.json()) == (200, False, False)


def test_several_that_fit_are_counted_and_none_is_shown(tmp_path: Path, sqlite_database: Database) -> None:
    registry = Registry("kennels", title="Kennels")
    lookup(registry, "GetByCity", a_source(tmp_path), by="city", path="GET /cities/{city}")
    prepare(registry, sqlite_database, RegistrySettings())
    with served(build(registry, sqlite_database, RegistrySettings())) as url:
        answer = httpx.get(f"{url}/cities/Київ", headers=REST_HEADERS, trust_env=False).json()
    assert (answer["found"], answer["count"], answer["ambiguous"], "record" in answer) == (False, 2, True, False)


def test_lookup_by_several_fields_needs_all(http: httpx.Client) -> None:
    found = http.post("/owned", json={"owner_rnokpp": "3347300028", "city": "Львів"}).json()
    missing = http.post("/owned", json={"owner_rnokpp": "3347300028"})
    assert found["record"]["number"] == "0003"
    assert (missing.status_code, missing.json()["type"]) == (400, "urn:surma:registry:field_missing")


def test_search_comes_page_by_page(http: httpx.Client) -> None:
    pages = [http.get("/kennels", params={"city": "Київ", "limit": 1, "offset": place}).json() for place in range(3)]
    assert [[one["number"] for one in page["records"]] for page in pages] == [["0001"], ["0002"], []]
    assert {(page["count"], page["limit"]) for page in pages} == {(2, 1)}


def test_search_takes_values_of_the_fields_type(http: httpx.Client) -> None:
    assert [one["number"] for one in http.get("/kennels?places=25").json()["records"]] == ["0003"]
    assert http.get("/kennels?places=many").json()["type"] == "urn:surma:registry:field_invalid"


def test_search_for_nothing_is_refused(http: httpx.Client) -> None:
    answer = http.get("/kennels?limit=5")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:surma:registry:nothing_to_search_by")
    assert "owner_rnokpp, city, places" in answer.json()["detail"]


@pytest.mark.parametrize("page", ["limit=0", f"limit={MAX_PAGE + 1}", "offset=-1"])
def test_page_beyond_its_bounds_is_refused(http: httpx.Client, page: str) -> None:
    answer = http.get(f"/kennels?city=Київ&{page}")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:surma:registry:page_invalid")


def test_each_record_shown_is_a_look_under_its_key(http: httpx.Client, sqlite_database: Database) -> None:
    http.get("/kennels/0001")
    http.get("/kennels?city=Київ&limit=1")
    http.get("/kennels?city=Київ&places=40")
    assert looks(sqlite_database, "0001") == [("FindKennels", "city"), ("GetKennel", "number")]
    assert looks(sqlite_database, "0002") == [("FindKennels", "city+places")]
    assert looks(sqlite_database, "0003") == []


def test_look_for_what_is_not_there_is_noted_without_a_subject(http: httpx.Client, sqlite_database: Database) -> None:
    http.get("/kennels/9999")
    http.get("/kennels?city=Одеса")
    with sqlite_database.reading() as tx:
        rows = tx.exec_driver_sql("SELECT operation, outcome, subject FROM access_log ORDER BY id").all()
    assert [tuple(row) for row in rows] == [("GetKennel", "not_found", None), ("FindKennels", "not_found", None)]


def test_looks_are_under_the_code_of_the_person_whose_records_they_are(
    tmp_path: Path, sqlite_database: Database
) -> None:
    registry = a_kennel_registry(a_source(tmp_path), person="owner_rnokpp")
    prepare(registry, sqlite_database, RegistrySettings())
    with served(build(registry, sqlite_database, RegistrySettings())) as url:
        httpx.get(f"{url}/kennels?owner_rnokpp=3347300028", headers=REST_HEADERS, trust_env=False)
        httpx.get(f"{url}/kennels/0004", headers=REST_HEADERS, trust_env=False)
        asked = {"userCode": "3347300028"}
        citizen = {**REST_HEADERS, "X-Road-Client": "UA-DEMO/GOV/10000007/CITIZEN"}
        told = httpx.get(f"{url}/usage/findUsage", params=asked, headers=citizen, trust_env=False).json()
    assert looks(sqlite_database, "3347300028") == [("FindKennels", "owner_rnokpp")]  # two records, one look
    assert looks(sqlite_database, "0004") == [("GetKennel", "number")]  # nobody's
    assert told["totalUsages"] == 1


def test_long_key_becomes_a_subject_that_fits_the_log(tmp_path: Path, sqlite_database: Database) -> None:
    key = "K" * 100
    registry = a_kennel_registry(a_source(tmp_path, KENNELS.replace("0001", key)))
    prepare(registry, sqlite_database, RegistrySettings())
    with served(build(registry, sqlite_database, RegistrySettings())) as url:
        assert httpx.get(f"{url}/kennels/{key}", headers=REST_HEADERS, trust_env=False).json()["found"]
    with sqlite_database.reading() as tx:
        (subject,) = tx.exec_driver_sql("SELECT subject FROM access_log").one()
    assert (len(subject), subject[:7]) == (64, "sha256:")


def test_source_that_cannot_answer_is_unavailability_in_both_forms(
    tmp_path: Path, registry: Registry, http: httpx.Client
) -> None:
    (tmp_path / "kennels.csv").unlink()
    rest = http.get("/kennels/0001")
    body = f'<GetKennel xmlns="{NAMESPACE}"><number>0001</number></GetKennel>'.encode()
    request = a_request(body, service=ServiceId(PROVIDER, "GetKennel", "v1"))
    soap = by_soap(http, request)
    assert (rest.status_code, rest.json()["action"]) == (503, "retry")
    assert "Server.source_unusable" in soap.text
    assert str(tmp_path) not in rest.text + soap.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "nmuber"}, "no field nmuber"),
        ({"by": ()}, "say by which"),
        ({"by": "city", "person": "rnokpp"}, "no field rnokpp"),
    ],
)
def test_wrong_declaration_is_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    for declare in (lookup, search):
        with pytest.raises(SourceError, match=said):
            declare(Registry("kennels", title="Kennels"), "Get", a_source(tmp_path), path="GET /x", **options)
