from __future__ import annotations

import dataclasses
import io
import json
import re
import zipfile

import pytest

from gateway.xroad.asic.verdict import CheckName
from tests.gateway.auditing.console.site import Site, Visit, tree_of

SOAP, REST, UNSTAMPED, REFUSED = 1, 3, 5, 20
EXCHANGE = f"/audit/exchanges/{REST}"


@pytest.fixture
def visit(site: Site) -> Visit:
    """An auditor who has given no reason yet."""
    return site.enter("olena", "en")


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", tree_of(page).text_content())


def test_page_says_what_was_asked_by_whom_and_on_what_ground(visit: Visit) -> None:
    text = text_of(visit.get(f"/audit/exchanges/{SOAP}").text)
    for said in ("UA-DEMO/GOV/11111111/DESK", "GetPerson", "case number alpha-case-1", "purpose 1.2", "alpha-clerk"):
        assert said in text


def test_personal_data_is_hidden_until_a_reason_is_given(site: Site, visit: Visit) -> None:
    before = visit.get(EXCHANGE).text
    assert "lastName" in before
    assert "alpha-name" not in before
    after = visit.send(EXCHANGE, f"{EXCHANGE}/reveal", reason="court order 12/26").text
    assert "alpha-name" in after
    assert "Reason given: court order 12/26" in text_of(after)
    deed = [deed for deed in site.deeds() if deed["event"] == "Reveal personal data"][-1]
    assert deed["data"]["grounds"] == "court order 12/26"


def test_a_reason_holds_for_its_exchange_and_its_session_alone(site: Site, visit: Visit) -> None:
    visit.send(EXCHANGE, f"{EXCHANGE}/reveal", reason="court order 12/26")
    assert "alpha-unzr" not in visit.get(f"/audit/exchanges/{SOAP}").text
    assert "alpha-name" not in site.enter("olena", "en").get(EXCHANGE).text
    assert "alpha-name" in visit.get(EXCHANGE).text
    assert "alpha-name" not in visit.send(EXCHANGE, f"{EXCHANGE}/hide").text


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_without_a_usable_reason_nothing_is_shown_and_the_field_says_so(visit: Visit, reason: str) -> None:
    answer = visit.send(EXCHANGE, f"{EXCHANGE}/reveal", reason=reason)
    tree = tree_of(answer)
    assert answer.status_code == 422
    assert "alpha-name" not in answer.text
    assert tree.xpath("//textarea[@id='reason']/@aria-invalid") == ["true"]
    assert tree.xpath("//p[@id='reason-error']")


def test_files_are_handed_out_after_a_reason_only(visit: Visit) -> None:
    for path in (f"{EXCHANGE}/{REST}/container", f"{EXCHANGE}/{REST}/attachments/1"):
        assert "Give a reason first" in visit.get(path).text
    visit.send(EXCHANGE, f"{EXCHANGE}/reveal", reason="complaint 7")
    container = visit.get(f"{EXCHANGE}/{REST}/container")
    assert container.headers["content-disposition"].startswith("attachment;")
    assert "message.xml" in zipfile.ZipFile(io.BytesIO(container.content)).namelist()
    body = visit.get(f"{EXCHANGE}/{REST}/attachments/1")
    assert json.loads(body.content)["lastName"] == "alpha-name"


def test_a_reason_for_one_exchange_opens_no_file_of_another(visit: Visit) -> None:
    visit.send(EXCHANGE, f"{EXCHANGE}/reveal", reason="complaint 7")
    assert visit.get(f"{EXCHANGE}/{SOAP}/container").status_code == 404
    assert visit.get(f"{EXCHANGE}/{SOAP}/attachments/1").status_code == 404


def test_verdict_names_every_check_in_words(visit: Visit) -> None:
    tree = tree_of(visit.get(f"/audit/exchanges/{SOAP}"))
    tables = tree.xpath("//section[@aria-labelledby='proof']//table")
    assert len(tables) == 2
    results = tables[0].xpath(".//td[2]//span[contains(@class, 'mark')]/text()")
    assert len(results) == len(CheckName)
    assert set(results) == {"Passed", "Not needed"}
    assert "Genuine: signed by UA-DEMO/GOV/11111111/DESK" in " ".join(tree.text_content().split())


def test_a_container_that_was_changed_is_told_to_be_no_proof(site: Site, visit: Visit) -> None:
    genuine = site.source.documents[SOAP]
    changed = genuine.container[:400] + b"x" * 40 + genuine.container[440:]
    site.source.documents[SOAP] = dataclasses.replace(genuine, container=changed)
    try:
        text = text_of(visit.get(f"/audit/exchanges/{SOAP}").text)
    finally:
        site.source.documents[SOAP] = genuine
    assert "The request: not proven" in text
    assert "The answer: genuine" in text
    assert "Not proven:" in text


def test_a_message_without_time_stamp_says_that_it_waits(visit: Visit) -> None:
    assert "It waits for its time-stamp" in text_of(visit.get(f"/audit/exchanges/{UNSTAMPED}").text)


def test_steps_are_in_the_order_of_their_times_and_say_who_claims_them(visit: Visit) -> None:
    rows = tree_of(visit.get(f"/audit/exchanges/{SOAP}")).xpath("//section[@aria-labelledby='steps']//tbody/tr")
    times = [row.xpath("string(.//time/@datetime)") for row in rows]
    said = [row.xpath("string(td[2])") for row in rows]
    assert times == sorted(times)
    assert said[0] == "Request signed"
    assert "(a claim)" in rows[0].xpath("string(td[3])")
    assert {"Request recorded", "Answer recorded", "Request time-stamped", "Answer time-stamped"} < set(said)


def test_refusal_says_which_check_and_in_the_language_of_the_reader(site: Site, visit: Visit) -> None:
    text = text_of(visit.get(f"/audit/exchanges/{REFUSED}").text)
    assert "Request is not allowed: UA-DEMO/GOV/10000002/DEMOGRAPHIC/GetPerson" in text
    assert "access.denied" in text
    assert "Запит не дозволено" in text_of(site.visit("olena", "uk").get(f"/audit/exchanges/{REFUSED}").text)


def test_refusals_counted_together_say_how_many(visit: Visit) -> None:
    assert "41 times between" in text_of(visit.get("/audit/exchanges/21").text)


def test_proof_of_inclusion_can_be_taken_away(visit: Visit) -> None:
    page = visit.get(f"/audit/exchanges/{SOAP}").text
    assert "its proof of inclusion holds" in text_of(page)
    proof = json.loads(visit.get(f"/audit/exchanges/{SOAP}/{SOAP}/proof").content)
    assert proof["sequence"] == SOAP
    assert proof["checkpoint"].startswith("surma checkpoint 1\n")


def test_an_entry_that_is_not_the_one_under_the_checkpoint_is_told(site: Site, visit: Visit) -> None:
    site.ledger.forged[SOAP] = bytes(32)
    try:
        text = text_of(visit.get(f"/audit/exchanges/{SOAP}").text)
    finally:
        site.ledger.forged.clear()
    assert "Entry no. 1 does not lead to the checkpoint" in text
    assert "Entry no. 2 is under the checkpoint" not in text  # its proof leads over the forged leaf


def test_report_names_the_evidence_and_holds_no_content(visit: Visit) -> None:
    visit.send(EXCHANGE, f"{EXCHANGE}/reveal", reason="complaint 7")
    page = visit.get(f"{EXCHANGE}/report").text
    assert "alpha-name" not in page
    tree = tree_of(page)
    assert len(tree.xpath("//section[@aria-labelledby='digests']//dd[contains(@class, 'code')]")) == 6
    assert tree.xpath("//form[not(@action='/logout')]") == []
    file = visit.get(f"{EXCHANGE}/report.html")
    assert file.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize("number", ["0", "-1", "x", "4711", "9223372036854775807", "9" * 40, "%00", "1/x"])
def test_an_exchange_that_is_not_there_is_a_page_that_says_so(visit: Visit, number: str) -> None:
    answer = visit.get(f"/audit/exchanges/{number}")
    assert answer.status_code in (400, 404)
    assert "<h1>" in answer.text
