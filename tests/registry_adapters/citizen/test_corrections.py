"""A person asks for a correction, the holder of the registry answers, both see how it stands and what the law says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from registry_adapters.citizen import tables as t
from tests.registry_adapters.citizen.site import ANDRII_NUMBER, NOW, Site, Visit, tree_of, words_of
from tests.registry_adapters.citizen.watched import MARIANA

WISH = {"field": "surname", "wrong": "Ткаченка", "right": "Ткаченко", "reason": "Паспорт 000000001"}


@pytest.fixture(autouse=True)
def _nothing_asked(site: Site) -> Iterator[None]:
    with site.database.transaction() as tx:
        tx.execute(delete(t.correction_steps))
        tx.execute(delete(t.corrections))
    yield
    site.clock.set(NOW)


@pytest.fixture
def mariana(site: Site) -> Visit:
    return site.citizen()


def ask(visit: Visit, registry: str = "tax", **changes: str) -> str:
    """Ask, and return the path of the request."""
    answer = visit.send("/corrections/new", "/corrections/new", **{"registry": registry, **WISH, **changes})
    assert answer.status_code == 200, words_of(answer)
    return answer.url.path


def queue_path(path: str) -> str:
    return path.replace("/corrections/", "/queue/")


def test_a_request_gets_a_number_and_the_legal_deadline(site: Site, mariana: Visit) -> None:
    page = mariana.get(ask(mariana))
    words = words_of(page)
    assert "Request 2026-" in words
    assert "2026-03-16 10 working days left" in words
    assert "within 10 working days (law 2297-VI" in words
    for said in WISH.values():
        assert said in words


def test_the_holder_sees_it_with_what_is_needed_to_judge_it(site: Site, mariana: Visit) -> None:
    path = ask(mariana)
    words = words_of(site.holder().get(queue_path(path)))
    assert f"Ткаченко Мар'яна Іванівна, {MARIANA}" in words
    for said in WISH.values():
        assert said in words


def test_an_accepted_request_is_seen_by_both_with_its_history(site: Site, mariana: Visit) -> None:
    path = ask(mariana)
    holder = site.holder()
    done = holder.send(queue_path(path), queue_path(path), state="accepted", text="Виправлено")
    assert "is answered" in words_of(done)
    assert "There is nothing here" in words_of(holder.get("/queue"))
    assert "surname" in words_of(holder.get("/queue/answered"))
    words = words_of(mariana.get(path))
    assert "accepted: the data will be corrected" in words
    assert "Виправлено" in words
    assert "working days left" not in words


def test_a_refusal_needs_a_reason(site: Site, mariana: Visit) -> None:
    path = queue_path(ask(mariana))
    holder = site.holder()
    bare = holder.send(path, path, state="refused", text=" ")
    assert bare.status_code == 400
    assert tree_of(bare).get_element_by_id("text-error") is not None
    holder.send(path, path, state="refused", text="Запис відповідає документу")
    assert "Запис відповідає документу" in words_of(mariana.get(path.replace("/queue/", "/corrections/")))


@pytest.mark.parametrize(
    "fields", [{}, {"state": "waiting", "text": "x"}, {"state": "done"}, {"state": "accepted", "text": "x" * 4001}]
)
def test_an_answer_that_is_none_changes_nothing(site: Site, mariana: Visit, fields: dict[str, str]) -> None:
    path = queue_path(ask(mariana))
    assert site.holder().send(path, path, **fields).status_code == 400
    assert "waiting for an answer" in words_of(mariana.get("/corrections"))


def test_a_request_is_answered_once(site: Site, mariana: Visit) -> None:
    path = queue_path(ask(mariana))
    holder = site.holder()
    page = holder.get(path).text
    holder.send(path, path, state="refused", text="ні")
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    late = {"csrf_token": token, "state": "accepted"}
    again = holder.http.post(holder.base + path, data=late, follow_redirects=True)
    assert "has been answered meanwhile" in words_of(again)
    assert "refused" in words_of(mariana.get("/corrections"))


def test_a_holder_sees_the_own_registries_only(site: Site, mariana: Visit) -> None:
    tax, land = queue_path(ask(mariana, "tax")), queue_path(ask(mariana, "cadastre"))
    for name, own, foreign in (("oksana", tax, land), ("bohdan", land, tax)):
        holder = site.holder(name)
        assert holder.get(own).status_code == 200
        assert holder.get(foreign).status_code == 404
        assert holder.send(own, foreign, state="accepted").status_code == 404
        assert len(tree_of(holder.get("/queue")).xpath("//tbody/tr")) == 1


def test_who_has_no_role_sees_no_queue(site: Site, mariana: Visit) -> None:
    path = queue_path(ask(mariana))
    for wanted in ("/queue", "/queue/answered", path):
        assert site.holder("nobody").get(wanted).status_code == 403


def test_citizens_and_holders_do_not_pass_through_each_others_door(site: Site, mariana: Visit) -> None:
    path = ask(mariana)
    citizen = site.citizen()
    citizen.base = site.holders_url
    assert citizen.get(queue_path(path)).url.path == "/login"
    holder = site.holder()
    holder.base = site.url
    assert holder.get(path).url.path == "/login"


def test_a_person_sees_the_own_requests_only(site: Site, mariana: Visit) -> None:
    path = ask(mariana)
    andrii = site.citizen(ANDRII_NUMBER)
    assert andrii.get(path).status_code == 404
    assert "You have not asked" in words_of(andrii.get("/corrections"))


def test_a_parent_asks_for_a_child(site: Site, mariana: Visit) -> None:
    path = ask(mariana, who="1")
    words = words_of(site.holder().get(queue_path(path)))
    assert "Коваленко Софія Андріївна, 4541200105" in words
    assert f"Ткаченко Мар'яна Іванівна, {MARIANA}" in words


def test_nobody_asks_for_somebody_else(site: Site, mariana: Visit) -> None:
    answer = mariana.send("/corrections/new", "/corrections/new", registry="tax", who="3288701236", **WISH)
    assert answer.status_code == 404
    assert "You have not asked" in words_of(mariana.get("/corrections"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"registry": ""}, "registry"), ({"registry": "police"}, "registry"), ({"field": " "}, "field"),
     ({"wrong": ""}, "wrong"), ({"right": ""}, "right"), ({"reason": ""}, "reason"), ({"field": "x" * 201}, "field"),
     ({"reason": "x" * 4001}, "reason")],
)  # fmt: skip
def test_a_request_that_says_too_little_or_too_much_is_refused_beside_its_field(
    site: Site, mariana: Visit, changes: dict[str, str], field: str
) -> None:
    answer = mariana.send("/corrections/new", "/corrections/new", **{"registry": "tax", **WISH, **changes})
    assert answer.status_code == 400
    assert tree_of(answer).get_element_by_id(f"{field}-error").text_content().strip()
    assert WISH["right"] in answer.text or field == "right"  # nothing has to be typed twice


def test_the_countdown_goes_on_and_being_late_is_seen_by_both(site: Site, mariana: Visit) -> None:
    path = ask(mariana)
    site.clock.advance(days=14)
    assert "today is the last day" in words_of(site.citizen().get("/corrections"))
    site.clock.advance(days=1)
    assert "overdue by 1 working day" in words_of(site.holder().get("/queue"))
    citizen = words_of(site.citizen().get(path))
    assert "overdue by 1 working day" in citizen
    assert "You may complain to the Parliament Commissioner" in citizen


def test_the_most_urgent_stands_first_in_the_queue(site: Site, mariana: Visit) -> None:
    ask(mariana, field="first")
    site.clock.advance(days=-3)  # asked earlier
    ask(site.citizen(), field="earlier")
    site.clock.set(NOW)
    rows = [row.text_content() for row in tree_of(site.holder().get("/queue")).xpath("//tbody/tr")]
    assert ["earlier" in rows[0], "first" in rows[1]] == [True, True]


def test_nobody_fills_the_queue_without_end(site: Site, mariana: Visit) -> None:
    for _ in range(site.settings.corrections.open_at_once):
        ask(mariana)
    answer = mariana.send("/corrections/new", "/corrections/new", registry="tax", **WISH)
    assert answer.status_code == 429
    assert len(tree_of(mariana.get("/corrections")).xpath("//tbody/tr")) == site.settings.corrections.open_at_once


def test_a_form_of_another_site_is_not_carried_out(site: Site, mariana: Visit) -> None:
    sent = {"registry": "tax", **WISH}
    bare = mariana.http.post(f"{site.url}/corrections/new", data=sent)
    foreign = mariana.http.post(f"{site.url}/corrections/new", data=sent, headers={"Origin": "https://evil.example"})
    assert (bare.status_code, foreign.status_code) == (403, 403)
    assert "You have not asked" in words_of(mariana.get("/corrections"))


def test_the_answer_of_a_holder_is_on_record(site: Site, mariana: Visit) -> None:
    path = queue_path(ask(mariana))
    site.holder().send(path, path, state="accepted")
    lines = [line for file in site.trail.glob("*") if file.is_file() for line in file.read_text().splitlines()]
    assert any("Answer request for correction" in line and "oksana" in line for line in lines)
