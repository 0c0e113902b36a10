from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.gateway.auditing.console.site import Site, Visit

PAGE = "/audit/completeness"


@pytest.fixture
def visit(site: Site) -> Visit:
    return site.visit("olena", "en")


@pytest.fixture
def outside(site: Site) -> Iterator[bytes]:
    """A checkpoint that was taken away, with its leaves."""
    site.ledger.forged.clear()
    yield site.ledger.export()
    site.ledger.forged.clear()


def over(visit: Visit, path: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = visit.get(path)
        if "refresh" not in answer.headers:
            return answer.text
        time.sleep(0.02)
    raise AssertionError("the check is not finished")


def started(visit: Visit, note: bytes) -> str:
    answer = visit.send(PAGE, PAGE, files={"note": note})
    assert answer.status_code == 200, answer.text
    return answer.url.path


def test_the_newest_checkpoint_can_be_taken_away(site: Site, visit: Visit) -> None:
    answer = visit.get("/audit/checkpoint")
    assert answer.content == site.ledger.note
    assert answer.headers["content-disposition"].startswith('attachment; filename="checkpoint-UA-DEMO-GOV-')


def test_a_log_that_is_as_it_was_is_told_to_be_complete(visit: Visit, outside: bytes) -> None:
    page = over(visit, started(visit, outside))
    assert "The log is complete" in page
    assert "Its signature holds" in page


def test_a_changed_entry_is_named(site: Site, visit: Visit, outside: bytes) -> None:
    site.ledger.forged[7] = bytes(32)
    path = started(visit, outside)
    page = over(visit, path)
    assert "The log is not what it was at the checkpoint" in page
    assert "Entry 7 is in none" in page
    assert path in visit.get(PAGE).text


def test_the_page_shows_how_far_it_is_and_renews_itself(site: Site, visit: Visit, outside: bytes) -> None:
    site.ledger.gate.clear()
    try:
        path = started(visit, outside)
        answer = visit.get(path)
        assert "refresh" in answer.headers
        assert "<progress" in answer.text
        assert "refresh" not in visit.get(f"{path}?still=1").headers
        busy = visit.send(PAGE, PAGE, files={"note": outside})
        assert busy.status_code == 409
        assert "A check is running already" in busy.text
    finally:
        site.ledger.gate.set()
    over(visit, path)


@pytest.mark.parametrize("note", [b"nonsense", b"\x00" * 1000, b"surma checkpoint 1\n", "контрольна точка".encode()])
def test_a_file_that_is_no_checkpoint_is_refused_beside_the_field(visit: Visit, note: bytes) -> None:
    answer = visit.send(PAGE, PAGE, files={"note": note})
    assert answer.status_code == 422
    assert 'id="note-error"' in answer.text


def test_without_a_file_the_field_says_so(visit: Visit) -> None:
    answer = visit.send(PAGE, PAGE)
    assert answer.status_code == 422
    assert "Choose the file with the checkpoint." in answer.text


def test_a_check_of_somebody_else_is_not_there(site: Site, visit: Visit, outside: bytes) -> None:
    path = started(visit, outside)
    over(visit, path)
    assert site.visit("taras").get(path).status_code == 404
    assert path not in site.visit("taras").get(PAGE).text
