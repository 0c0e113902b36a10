"""What the cadastre answers and whose looks it notes, by REST."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from gateway.runtime.database import Database
from registry_adapters.cadastre import tables
from registry_adapters.cadastre.operations import subjects_of
from registry_adapters.population.land import PARCEL_OF_1, PARCEL_OF_5, PARCEL_OF_6_AND_7, PARCEL_OF_9
from registry_adapters.population.settlements import COMPANIES, SETTLEMENTS
from registry_adapters.population.wellknown import WELL_KNOWN
from registry_adapters.sdk.access_log import ACCESS_LOG

EXTRACT = {
    "X-Road-Client": "UA-DEMO/GOV/10000001/SNAP",
    "X-Road-UserId": "clerk",
    "X-Road-Issue": "case-7",
    "Uxp-Purpose-Ids": "LAND-EXTRACT",
}
INHERITANCE = {**EXTRACT, "Uxp-Purpose-Ids": "INHERITANCE-OF-LAND"}
INVESTIGATION = {"X-Road-Client": "UA-DEMO/GOV/10000002/DEMOGRAPHIC", "Uxp-Purpose-Ids": "INVESTIGATION"}


def parcel(http: httpx.Client, number: str, headers: dict[str, str] = INVESTIGATION) -> dict[str, Any]:
    answer = http.get(f"/parcels/{number}", headers=headers).json()
    assert answer["found"] is True
    found: dict[str, Any] = answer["parcel"]
    return found


def looks(database: Database, message_id: str) -> list[tuple[str, str | None, str, bool]]:
    with database.reading() as connection:
        rows = connection.execute(select(ACCESS_LOG).where(ACCESS_LOG.c.message_id == message_id))
        return [(row.matched_by, row.subject, row.outcome, row.sealed) for row in rows]


def a_parcel(database: Database, status: str) -> str:
    query = select(tables.parcel.c.cadastral_number).where(tables.parcel.c.status == status)
    with database.reading() as connection:
        return str(connection.execute(query.order_by(tables.parcel.c.cadastral_number)).scalars().first())


def test_parcel_is_told_with_all_that_is_known_of_it(http: httpx.Client) -> None:
    found = parcel(http, PARCEL_OF_1)
    picture, boundary = found.pop("picture_svg"), json.loads(found.pop("boundary_geojson"))
    assert found == {
        "cadastral_number": "8000000000:90:999:0012",
        "area_ha": "0.0612",
        "purpose_code": "01.05",
        "purpose_text": "Для індивідуального садівництва",
        "category": "agricultural",
        "ownership": "private",
        "katottg": "UA80000000000093317",
        "address": "м. Київ, вул. Яблунева, 27",
        "valuation_uah": "8488.49",
        "valued_on": "2025-01-01",
        "registered_on": "2013-06-20",
        "status": "registered",
        "successors": [],
        "restrictions": [],
        "rights": [
            {
                "kind": "ownership",
                "holder_name": "Ткаченко Мар'яна Іванівна",
                "holder_code": "3347300028",
                "share": "1",
                "registered_on": "2020-09-03",
            }
        ],
    }
    assert (boundary["type"], len(boundary["coordinates"][0])) == ("Polygon", 5)
    assert "0011" in picture
    assert "0013" in picture


def test_holder_without_rnokpp_is_told_by_document(http: httpx.Client) -> None:
    (right,) = parcel(http, PARCEL_OF_5)["rights"]
    assert (right["holder_name"], right["holder_code"]) == ("Мельник Петро Григорович", "МЕ 000777")


def test_namesakes_hold_half_each(http: httpx.Client) -> None:
    rights = parcel(http, PARCEL_OF_6_AND_7)["rights"]
    assert [right["share"] for right in rights] == ["1/2", "1/2"]
    assert len({right["holder_code"] for right in rights}) == 2


def test_spaces_in_the_number_are_forgiven(http: httpx.Client) -> None:
    assert parcel(http, " 8000000000: 90 :999:0012 ")["cadastral_number"] == PARCEL_OF_1


def test_no_parcel_of_the_number_is_an_answer(http: httpx.Client) -> None:
    response = http.get("/parcels/8000000000:90:999:9999", headers=EXTRACT)
    assert (response.status_code, response.json()["found"]) == (200, False)


def test_archived_parcel_names_its_successors(http: httpx.Client, filled: Database) -> None:
    found = parcel(http, a_parcel(filled, "archived"))
    assert (found["status"], found["rights"]) == ("archived", [])
    assert [parcel(http, number)["status"] for number in found["successors"]] == ["registered"] * len(
        found["successors"]
    )
    assert found["successors"]


def test_cancelled_parcel_has_no_successor(http: httpx.Client, filled: Database) -> None:
    found = parcel(http, a_parcel(filled, "cancelled"))
    assert (found["status"], found["rights"], found["successors"]) == ("cancelled", [], [])
    assert found["ended_on"]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({"rnokpp": "3347300028"}, PARCEL_OF_1),
        ({"document": "ме000777"}, PARCEL_OF_5),
        ({"document": "000000001"}, PARCEL_OF_1),
        ({"rnokpp": WELL_KNOWN[8].rnokpp or ""}, PARCEL_OF_9),
    ],
)
def test_parcels_are_found_by_holder(http: httpx.Client, query: dict[str, str], number: str) -> None:
    answer = http.get("/parcels", params=query, headers=EXTRACT).json()
    assert (answer["count"], [one["cadastral_number"] for one in answer["parcels"]]) == (1, [number])


def test_organisations_parcels_come_page_by_page(http: httpx.Client) -> None:
    whole = http.get("/parcels", params={"edrpou": SETTLEMENTS[0].council.edrpou, "limit": 100}, headers=EXTRACT).json()
    assert whole["count"] == len(whole["parcels"]) > 5
    pages: list[str] = []
    for offset in range(0, whole["count"], 2):
        query = {"edrpou": SETTLEMENTS[0].council.edrpou, "limit": 2, "offset": offset}
        page = http.get("/parcels", params=query, headers=EXTRACT).json()
        assert (page["count"], page["limit"], page["offset"]) == (whole["count"], 2, offset)
        pages += [one["cadastral_number"] for one in page["parcels"]]
    assert pages == [one["cadastral_number"] for one in whole["parcels"]] == sorted(set(pages))


def test_company_that_leases_land_is_told_its_lease(http: httpx.Client) -> None:
    answers = [http.get("/parcels", params={"edrpou": one.edrpou}, headers=INHERITANCE).json() for one in COMPANIES]
    rights = {held["right"] for answer in answers for held in answer["parcels"]}
    assert rights == {"ownership", "lease"}


def test_wrong_check_digit_is_told_and_looked_up_all_the_same(http: httpx.Client) -> None:
    answer = http.get("/parcels", params={"rnokpp": "1759013770"}, headers=EXTRACT).json()
    assert (answer["count"], answer["warnings"]) == (0, ["rnokpp_check_digit"])


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("/parcels/1", {}, "cadastral_number_invalid"),
        ("/parcels/8000000000:90:999:00123", {}, "cadastral_number_invalid"),
        ("/parcels/8000000000-90-999-0012", {}, "cadastral_number_invalid"),
        ("/parcels", {}, "no_holder"),
        ("/parcels", {"rnokpp": "3347300028", "edrpou": "99010512"}, "several_criteria"),
        ("/parcels", {"rnokpp": "334730002"}, "rnokpp_invalid"),
        ("/parcels", {"edrpou": "9901051x"}, "edrpou_invalid"),
        ("/parcels", {"document": "FC449752"}, "document_invalid"),
        ("/parcels", {"rnokpp": "3347300028", "limit": "0"}, "page_invalid"),
        ("/parcels", {"rnokpp": "3347300028", "limit": "101"}, "page_invalid"),
        ("/parcels", {"rnokpp": "3347300028", "offset": "-1"}, "page_invalid"),
        ("/parcels", {"rnokpp": "3347300028", "limit": "many"}, "field_too_long"),
        ("/parcels", {"unzr": "19910824-00026"}, "field_unknown"),
    ],
)
def test_flawed_question_is_refused(http: httpx.Client, path: str, query: dict[str, str], name: str) -> None:
    response = http.get(path, params=query, headers=EXTRACT)
    assert (response.status_code, response.json()["type"]) == (400, f"urn:surma:registry:{name}")


def test_look_at_a_shared_parcel_is_a_look_at_each_holder(http: httpx.Client, filled: Database) -> None:
    http.get(f"/parcels/{PARCEL_OF_6_AND_7}", headers={**EXTRACT, "X-Road-Id": "shared"})
    holders = [WELL_KNOWN[5].rnokpp, WELL_KNOWN[6].rnokpp]
    assert looks(filled, "shared") == [("cadastral_number", holder, "found", False) for holder in holders]


def test_look_at_an_organisations_parcel_is_a_look_at_the_parcel(http: httpx.Client, filled: Database) -> None:
    number = f"{PARCEL_OF_1[:-4]}0013"
    http.get(f"/parcels/{number}", headers={**EXTRACT, "X-Road-Id": "nobody"})
    assert looks(filled, "nobody") == [("cadastral_number", number, "found", False)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"rnokpp": "3347300028"}, ("rnokpp", "3347300028", "found", False)),
        ({"rnokpp": "2380804560"}, ("rnokpp", "2380804560", "not_found", False)),
        ({"document": "000000001"}, ("document", "3347300028", "found", False)),
        ({"document": "000000001", "offset": "50"}, ("document", "3347300028", "found", False)),
        ({"document": "МЕ 000777"}, ("document", "МЕ 000777", "found", False)),
    ],
)
def test_search_is_one_look_at_the_person(
    http: httpx.Client, filled: Database, query: dict[str, str], expected: tuple[str, str, str, bool]
) -> None:
    message_id = f"search-{'-'.join(query.values()).encode().hex()}"
    http.get("/parcels", params=query, headers={**EXTRACT, "X-Road-Id": message_id})
    assert looks(filled, message_id) == [expected]


def test_refused_question_is_no_look(http: httpx.Client, filled: Database) -> None:
    headers = {**EXTRACT, "X-Road-Id": "refused", "Uxp-Purpose-Ids": "HOUSING-SUBSIDY"}
    assert http.get(f"/parcels/{PARCEL_OF_1}", headers=headers).status_code == 403
    assert looks(filled, "refused") == []


def test_investigation_is_sealed(http: httpx.Client, filled: Database) -> None:
    headers = {**INVESTIGATION, "X-Road-Id": "sealed"}
    assert parcel(http, PARCEL_OF_1, headers)["rights"]
    assert looks(filled, "sealed") == [("cadastral_number", "3347300028", "found", True)]


def test_extract_is_given_all_but_what_it_does_not_show(http: httpx.Client) -> None:
    answer = http.get(f"/parcels/{PARCEL_OF_1}", headers=EXTRACT).json()
    whole = parcel(http, PARCEL_OF_1)
    assert answer["withheld"] == ["parcel.katottg"]
    assert {**answer["parcel"], "katottg": "UA80000000000093317"} == whole


def test_inheritance_is_given_the_value_and_not_the_days(http: httpx.Client) -> None:
    answer = http.get("/parcels", params={"rnokpp": WELL_KNOWN[8].rnokpp or ""}, headers=INHERITANCE).json()
    (held,) = answer["parcels"]
    assert (held["cadastral_number"], held["valuation_uah"], held["share"]) == (PARCEL_OF_9, "67732.22", "1")
    assert "valued_on" not in held
    assert "parcels.valued_on" in answer["withheld"]


def test_inheritance_needs_no_look_at_parcels_themselves(http: httpx.Client) -> None:
    response = http.get(f"/parcels/{PARCEL_OF_9}", headers=INHERITANCE)
    assert (response.status_code, response.json()["type"]) == (403, "urn:surma:registry:purpose_operation")


def test_other_client_may_not_name_the_purpose(http: httpx.Client) -> None:
    headers = {**EXTRACT, "X-Road-Client": "UA-DEMO/GOV/10000007/CITIZEN"}
    response = http.get(f"/parcels/{PARCEL_OF_1}", headers=headers)
    assert (response.status_code, response.json()["type"]) == (403, "urn:surma:registry:purpose_client")


def test_person_is_known_by_rnokpp_or_unzr(filled: Database) -> None:
    with filled.reading() as connection:
        assert list(subjects_of(connection, "3347300028")) == ["3347300028"]
        assert list(subjects_of(connection, "19910824-00026")) == ["3347300028"]
        assert list(subjects_of(connection, "19000101-00010")) == []


def test_person_is_told_of_the_looks(http: httpx.Client) -> None:
    code = WELL_KNOWN[8].rnokpp or ""
    http.get("/parcels", params={"rnokpp": code}, headers={**INHERITANCE, "X-Road-Id": "told"})
    answer = http.get(
        "/usage/findUsage",
        params={"userCode": code},
        headers={"X-Road-Client": "UA-DEMO/GOV/10000007/CITIZEN", "X-Road-UserId": code},
    ).json()
    assert "INHERITANCE-OF-LAND" in {usage.get("purpose") for usage in answer["usages"]}
