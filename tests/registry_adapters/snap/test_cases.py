from __future__ import annotations

import json
import threading
from collections import Counter as Tally
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.runtime.clock import FixedClock
from gateway.runtime.database import open_database
from registry_adapters.sdk.client import XRoadClient
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.errors import CaseNotFoundError, CaseStateError, FieldsError, SnapError
from registry_adapters.snap.model import Action, Case, CaseStatus, Fault, FaultKind, LegState, Outcome, Source
from registry_adapters.snap.plan import basis
from registry_adapters.snap.recipes import load_recipes
from registry_adapters.snap.registries import Registries
from tests.registry_adapters.shim import Shim
from tests.registry_adapters.snap.world import CENTRE, QUICK, SNAP, TYPED, Counter, counter

TRADER = TYPED["sole-trader"]
BIRTH = TYPED["birth-of-child"]
TAX, PERSONS, ACTS = "GOV/10000004/TAX", "GOV/10000002/DEMOGRAPHIC", "GOV/10000005/CIVIL-STATUS"


def fault_of(case: Case, leg: str) -> Fault:
    fault = case.leg(leg).fault
    assert fault is not None
    return fault


def renamed(answer: Any) -> Any:
    answer["taxpayer"]["surname"] = "Інакша"
    return answer


@pytest.mark.parametrize("recipe", sorted(set(TYPED) - {"housing-subsidy"}))
def test_life_event_fills_its_application_from_what_is_typed_once(desk: Counter, recipe: str) -> None:
    case = desk.settled(desk.open(recipe, TYPED[recipe]).number)
    assert case.status is CaseStatus.READY
    assert [line.name for line in case.application if line.required and not line.value] == []
    typed = set(case.fields.values())
    assert not [line for line in case.application if line.provenance.source is Source.CLERK and line.value not in typed
                and line.name != "new_residence"]  # fmt: skip


def test_incomes_are_waited_for_in_the_background(desk: Counter, shim: Shim) -> None:
    number = desk.open("housing-subsidy", TYPED["housing-subsidy"]).number
    waiting = desk.until(number, lambda case: case.leg("income").state is LegState.PARKED)
    assert fault_of(waiting, "income").kind is FaultKind.PENDING
    assert waiting.leg("income").action is Action.WAIT
    case = desk.ready(number)
    assert case.leg("income").values["total_accrued"] == "147600.00"
    asked = [exchange for exchange in desk.cases.receipt(number).exchanges if exchange.leg == "income"]
    assert [exchange.outcome for exchange in asked] == ["pending"] * (len(asked) - 1) + ["answered"]
    assert len({exchange.message_id for exchange in asked}) == len(asked) == case.leg("income").attempt


def test_answer_given_once_and_lost_is_prepared_again(desk: Counter, shim: Shim) -> None:
    lost: list[Any] = []

    def lose(answer: Any) -> Any:
        if answer.get("status") == "ready" and not lost:
            lost.append(answer)
            return "cut"  # no answer a leg could read
        return answer

    shim.contradict(TAX, lose)
    number = desk.open("housing-subsidy", TYPED["housing-subsidy"]).number
    broken = desk.until(number, lambda case: case.leg("income").state is LegState.FAILED)
    assert broken.status is CaseStatus.PARKED
    assert broken.leg("income").action is Action.REPORT
    desk.cases.retry_leg(number, "income", clerk="olena")
    assert desk.ready(number).leg("income_request").attempt == 2


def test_answer_that_was_given_to_nobody_is_asked_for_anew_by_itself(desk: Counter, shim: Shim) -> None:
    lost: list[Any] = []

    def lose(answer: Any) -> Any:
        if answer.get("status") == "ready" and not lost:
            lost.append(answer)
            return {"status": "pending", "ready_at": answer["ready_at"]}
        return answer

    shim.contradict(TAX, lose)
    number = desk.open("housing-subsidy", TYPED["housing-subsidy"]).number
    case = desk.ready(number)
    assert case.leg("income").values["total_accrued"] == "147600.00"
    assert case.leg("income_request").attempt == 2
    assert "given_already" in {one.outcome for one in desk.cases.receipt(number).exchanges}


def test_registry_that_is_down_parks_the_case_until_it_is_back(desk: Counter, shim: Shim) -> None:
    shim.down(TAX)
    number = desk.open("sole-trader", TRADER).number
    case = desk.until(number, lambda case: case.leg("taxpayer").attempt > 1 and case.status is CaseStatus.PARKED)
    assert (fault_of(case, "taxpayer").kind, case.leg("taxpayer").action) == (FaultKind.UNREACHABLE, Action.RETRY)
    assert case.leg("arrears").action is Action.PAPER
    assert case.leg("subjects").state is LegState.ANSWERED
    with pytest.raises(CaseStateError):
        desk.cases.decide(number, Outcome.GRANTED, "", clerk="olena")
    shim.heal()
    assert desk.ready(number).leg("taxpayer").state is LegState.ANSWERED


def test_optional_registry_that_is_down_holds_up_nothing(desk: Counter, shim: Shim) -> None:
    shim.down(ACTS)
    typed = TYPED["residence-registration"]
    number = desk.open("residence-registration", typed).number
    case = desk.until(number, lambda case: case.leg("children").attempt > 2)
    assert case.status is CaseStatus.READY
    decided = desk.cases.decide(case.number, Outcome.GRANTED, "", clerk="olena")
    assert decided.status is CaseStatus.DECIDED


def test_slow_registry_is_seen_to_be_slow_while_the_others_answer(desk: Counter, shim: Shim) -> None:
    shim.slow(TAX, 2.0)
    number = desk.open("sole-trader", TRADER).number
    case = desk.until(
        number,
        lambda case: case.leg("taxpayer").state is LegState.SLOW and case.leg("subjects").state is LegState.ANSWERED,
    )
    assert case.status is CaseStatus.GATHERING
    took_ms = desk.ready(number).leg("taxpayer").took_ms
    assert took_ms is not None
    assert took_ms >= 2000


def test_contradiction_is_shown_with_both_values_and_has_to_be_settled(desk: Counter, shim: Shim) -> None:
    shim.contradict(TAX, lambda answer: renamed(answer) if "taxpayer" in answer else answer)
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    (one,) = case.contradictions
    assert (one.name, one.left.value, one.right.value) == ("surname", "Лисенко", "Інакша")
    assert (one.left.leg, one.right.leg) == ("applicant", "taxpayer")
    with pytest.raises(CaseStateError, match=r"snap_case\.contradictions"):
        desk.cases.decide(case.number, Outcome.GRANTED, "", clerk="olena")
    settled = desk.cases.settle(case.number, "surname", "змінила прізвище після шлюбу", clerk="olena")
    assert settled.contradictions[0].settled_by == "olena"
    assert desk.cases.decide(case.number, Outcome.GRANTED, "", clerk="olena").decision is not None


def test_settled_contradiction_is_open_again_when_the_values_change(desk: Counter, shim: Shim) -> None:
    shim.contradict(TAX, lambda answer: renamed(answer) if "taxpayer" in answer else answer)
    number = desk.ready(desk.open("sole-trader", TRADER).number).number
    desk.cases.settle(number, "surname", "шлюб", clerk="olena")

    def again(answer: Any) -> Any:
        if "taxpayer" in answer:
            answer["taxpayer"]["surname"] = "Третя"
        return answer

    shim.contradict(TAX, again)
    desk.cases.retry_leg(number, "taxpayer", clerk="olena")
    case = desk.ready(number)
    assert (case.contradictions[0].right.value, case.contradictions[0].settled_by) == ("Третя", None)


def test_person_nobody_knows_is_not_found_and_the_clerk_corrects_the_entry(desk: Counter) -> None:
    case = desk.settled(desk.open("sole-trader", {**TRADER, "applicant": "3347300029"}).number)
    assert case.status is CaseStatus.PARKED
    assert (case.leg("applicant").state, case.leg("applicant").action) == (LegState.NOT_FOUND, Action.CORRECT)
    assert {leg.state for leg in case.legs[1:]} == {LegState.SKIPPED}
    case = desk.cases.correct_fields(case.number, TRADER, clerk="olena")
    assert desk.ready(case.number).leg("taxpayer").values["surname"] == "Лисенко"
    kinds = [event.kind for event in desk.cases.case(case.number).history]
    assert kinds == ["opened", "parked", "corrected", "ready"]


def test_two_persons_are_ambiguous_and_none_is_guessed(desk: Counter) -> None:
    typed = {"person": "Шевчук Іван 05.05.1985", "lost_on": "2026-01-05"}
    case = desk.settled(desk.open("lost-passport", typed).number)
    assert (case.status, case.leg("person").state) == (CaseStatus.PARKED, LegState.AMBIGUOUS)
    assert case.leg("person").values == {}
    assert case.leg("person").action is Action.CORRECT


def test_correction_asks_only_what_depends_on_it_anew(desk: Counter, shim: Shim) -> None:
    case = desk.ready(desk.open("birth-of-child", BIRTH).number)
    shim.exchanges.clear()
    desk.cases.correct_fields(case.number, {**BIRTH, "father": "2380804560"}, clerk="olena")
    case = desk.ready(case.number)
    assert sorted(exchange.path for exchange in shim.exchanges) == ["/persons", "/taxpayers"]
    assert {one.name for one in case.contradictions} == {"father_of_child"}


def test_registry_that_refuses_is_told_apart(desk: Counter, shim: Shim, apps: dict[str, Any]) -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body", "body": b'{"type":"urn:surma:registry:purpose_client"}'})

    shim.apps[TAX] = refuse
    try:
        case = desk.settled(desk.open("sole-trader", TRADER).number)
    finally:
        shim.apps[TAX] = apps[TAX]
    assert case.status is CaseStatus.PARKED
    assert (case.leg("taxpayer").state, case.leg("taxpayer").action) == (LegState.REFUSED, Action.REPORT)
    assert fault_of(case, "taxpayer").code == "purpose_client"
    assert case.leg("taxpayer").attempt == 1


def test_paper_stands_in_for_a_registry_that_is_down(desk: Counter, shim: Shim) -> None:
    shim.down(TAX)
    number = desk.open("sole-trader", TRADER).number
    desk.until(number, lambda case: case.status is CaseStatus.PARKED)
    for leg in ("taxpayer", "sole_trader", "arrears"):
        case = desk.cases.take_paper(number, leg, "довідка № 5 від 05.01.2026", clerk="olena")
    assert case.status is CaseStatus.READY
    assert fault_of(case, "arrears").kind is FaultKind.PAPER
    shim.heal()
    asked_again = desk.cases.retry_leg(number, "arrears", clerk="olena")
    assert desk.ready(asked_again.number).leg("arrears").state is LegState.ANSWERED


def test_value_changed_by_a_clerk_keeps_the_registered_one_beside_it(desk: Counter) -> None:
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    case = desk.cases.edit(case.number, "residence", "м. Київ, вул. Нова, 1", "переїхав учора", clerk="olena")
    (line,) = [line for line in case.application if line.name == "residence"]
    assert line.value == "м. Київ, вул. Нова, 1"
    assert line.registered == "м. Київ, просп. Свободи, 5, 116"
    assert (line.provenance.source, line.provenance.by, line.provenance.reason) == (
        Source.EDITED, "olena", "переїхав учора",
    )  # fmt: skip


def test_every_value_names_registry_message_and_time(desk: Counter) -> None:
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    (line,) = [line for line in case.application if line.name == "has_arrears"]
    assert line.value is False
    assert line.provenance.services == ("UA-DEMO/GOV/10000004/TAX/tax",)
    assert line.provenance.message_ids == (case.leg("arrears").message_id,)
    assert line.provenance.at == case.leg("arrears").asked_at


def test_closed_case_does_not_change(desk: Counter) -> None:
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    desk.cases.decide(case.number, Outcome.REFUSED, "є податковий борг", clerk="olena")
    changes: tuple[Callable[[], object], ...] = (
        lambda: desk.cases.retry_leg(case.number, "arrears", clerk="olena"),
        lambda: desk.cases.edit(case.number, "residence", "x", "y", clerk="olena"),
        lambda: desk.cases.cancel(case.number, "помилка", clerk="olena"),
        lambda: desk.cases.correct_fields(case.number, TRADER, clerk="olena"),
    )
    for change in changes:
        with pytest.raises(CaseStateError, match=r"snap_case\.closed"):
            change()


def test_refusal_and_edit_need_a_reason(desk: Counter) -> None:
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    changes: tuple[Callable[[], object], ...] = (
        lambda: desk.cases.decide(case.number, Outcome.REFUSED, " ", clerk="olena"),
        lambda: desk.cases.edit(case.number, "residence", "x", "", clerk="olena"),
        lambda: desk.cases.cancel(case.number, "", clerk="olena"),
    )
    for change in changes:
        with pytest.raises(SnapError, match=r"snap_case\.text"):
            change()


def test_application_with_a_hole_is_not_granted(desk: Counter) -> None:
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    desk.cases.edit(case.number, "activity", "", "не названо", clerk="olena")
    with pytest.raises(CaseStateError, match=r"snap_case\.lines_missing"):
        desk.cases.decide(case.number, Outcome.GRANTED, "", clerk="olena")


def test_case_that_is_only_opened_asks_nobody_until_it_is_started(desk: Counter, shim: Shim) -> None:
    case = desk.cases.open_case("sole-trader", TRADER, clerk="olena", centre=CENTRE, start=False)
    desk.cases.correct_fields(case.number, {**TRADER, "activity": "62.02"}, clerk="olena")
    assert (desk.cases.case(case.number).status, shim.exchanges) == (CaseStatus.OPEN, [])
    desk.cases.start(case.number, clerk="olena")
    assert desk.ready(case.number).fields["activity"] == "62.02"
    with pytest.raises(CaseStateError, match=r"snap_case\.started"):
        desk.cases.start(case.number, clerk="olena")


def test_cases_are_found_by_number_and_by_every_name_of_a_person(desk: Counter) -> None:
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    desk.ready(desk.open("lost-passport", {"person": "3347300028", "lost_on": "2026-01-05"}).number)
    for text in (case.number, "19770824-00026", "2836000078", "лисенко тарас", "Лисенко Тарас Богданович 24.08.1977"):
        rows, count = desk.cases.find(text=text)
        assert ([row.number for row in rows], count) == ([case.number], 1)
    assert desk.cases.find(text="Лисенко")[1] == 0
    assert desk.cases.find(centres=("SN00000001",))[1] == 0
    assert desk.cases.find(clerk="olena", statuses=(CaseStatus.READY,), limit=1)[1] == 2
    assert len(desk.cases.find(limit=1)[0]) == 1


def test_case_of_another_centre_is_not_there(desk: Counter) -> None:
    case = desk.open("sole-trader", TRADER)
    for ask in (desk.cases.case, desk.cases.receipt):
        with pytest.raises(CaseNotFoundError):
            ask(case.number, centre="SN00000001")


@pytest.mark.parametrize("number", ["", "SN12000007-2026-999999", "'; --", "x" * 5000])
def test_number_nobody_has_is_not_found(desk: Counter, number: str) -> None:
    with pytest.raises(CaseNotFoundError):
        desk.cases.case(number)
    with pytest.raises(CaseNotFoundError):
        desk.cases.retry_leg(number, "applicant", clerk="olena")


def test_what_a_recipe_does_not_know_is_refused(desk: Counter) -> None:
    with pytest.raises(CaseNotFoundError):
        desk.open("nothing", TRADER)
    with pytest.raises(FieldsError):
        desk.open("sole-trader", {"applicant": "x"})
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    with pytest.raises(CaseNotFoundError):
        desk.cases.retry_leg(case.number, "weather", clerk="olena")
    with pytest.raises(FieldsError):
        desk.cases.edit(case.number, "weather", "x", "y", clerk="olena")
    with pytest.raises(CaseStateError):
        desk.cases.settle(case.number, "weather", "y", clerk="olena")


def test_receipt_lists_every_exchange_as_it_went_out(desk: Counter, shim: Shim) -> None:
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    desk.cases.retry_leg(case.number, "arrears", clerk="taras")
    desk.ready(case.number)
    receipt = desk.cases.receipt(case.number)
    assert {one.message_id for one in receipt.exchanges} == {sent.message_id for sent in shim.exchanges}
    assert len(receipt.exchanges) == len(shim.exchanges) == 6
    assert {sent.headers["x-road-issue"] for sent in shim.exchanges} == {case.number}
    assert [one.clerk for one in receipt.exchanges] == ["olena"] * 5 + ["taras"]
    assert shim.exchanges[-1].headers["x-road-userid"] == "taras"
    assert all(one.answered_at and one.answered_at >= one.asked_at for one in receipt.exchanges)
    assert {(one.purpose, one.ground) for one in receipt.exchanges} == {("SOLE-TRADER", case.recipe.ground)}


def test_case_goes_on_after_the_program_was_killed_in_the_middle(shim: Shim, tmp_path: Path) -> None:
    shim.slow(TAX, 1.5)
    with counter(shim, tmp_path / "snap.db", grace_s=0) as before:
        number = before.open("sole-trader", TRADER).number
        before.until(number, lambda case: case.leg("subjects").state is LegState.ANSWERED)
        cut = before.cases.case(number)
        assert cut.leg("taxpayer").state in (LegState.ASKING, LegState.SLOW)
    shim.heal()
    with counter(shim, tmp_path / "snap.db") as after:
        case = after.ready(number)
        receipt = after.cases.receipt(number)
    assert case.leg("subjects").attempt == 1
    assert case.leg("taxpayer").attempt == 2
    attempts = [one for one in receipt.exchanges if one.leg == "taxpayer"]
    assert [(one.outcome, one.answered_at is None) for one in attempts] == [("interrupted", True), ("answered", False)]
    assert attempts[0].message_id == cut.leg("taxpayer").message_id != attempts[1].message_id


def test_parked_case_is_taken_up_again_by_the_next_start(shim: Shim, tmp_path: Path) -> None:
    shim.down(TAX)
    with counter(shim, tmp_path / "snap.db", grace_s=0) as before:
        number = before.open("sole-trader", TRADER).number
        before.until(number, lambda case: case.status is CaseStatus.PARKED)
    shim.heal()
    with counter(shim, tmp_path / "snap.db") as after:
        assert after.ready(number).leg("taxpayer").state is LegState.ANSWERED


def test_fifty_cases_at_once_are_all_there(desk: Counter) -> None:
    with ThreadPoolExecutor(16) as clerks:
        opened = list(clerks.map(lambda n: desk.open("sole-trader", TRADER, f"clerk{n}").number, range(50)))
    assert len(set(opened)) == 50
    cases = [desk.ready(number) for number in opened]
    assert {case.leg(leg).attempt for case in cases for leg in ("applicant", "taxpayer", "arrears")} == {1}
    assert Tally(case.clerk for case in cases) == Tally(f"clerk{n}" for n in range(50))
    assert desk.cases.find(statuses=(CaseStatus.READY,))[1] == 50


def test_changes_are_told_to_whoever_watches(desk: Counter, shim: Shim) -> None:
    case = desk.cases.open_case("sole-trader", TRADER, clerk="olena", centre=CENTRE, start=False)
    seen: list[tuple[CaseStatus, int]] = []  # and in which thread
    end = desk.cases.watch(
        case.number, lambda: seen.append((desk.cases.case(case.number).status, threading.get_ident()))
    )
    desk.cases.start(case.number, clerk="olena")
    desk.until(case.number, lambda _case: bool(seen) and seen[-1][0] is CaseStatus.READY)
    end()
    mine = [one for one in seen if one[1] == threading.get_ident()]
    desk.cases.edit(case.number, "residence", "x", "y", clerk="olena")
    assert [one for one in seen if one[1] == threading.get_ident()] == mine != []
    end()


def test_leg_that_never_comes_back_is_given_up_at_last(shim: Shim, tmp_path: Path) -> None:
    impatient = replace(QUICK, retry=replace(QUICK.retry, give_up_s=0.1))
    shim.down(TAX)
    with counter(shim, tmp_path / "snap.db", impatient) as desk:
        number = desk.open("sole-trader", TRADER).number
        case = desk.until(number, lambda case: case.leg("taxpayer").state is LegState.FAILED)
        assert case.leg("taxpayer").action is Action.RETRY
        assert case.leg("taxpayer").next_at is None


def test_paper_for_a_case_that_is_not_confirmed_asks_nobody(desk: Counter, shim: Shim) -> None:
    case = desk.cases.open_case("sole-trader", TRADER, clerk="olena", centre=CENTRE, start=False)
    with pytest.raises(CaseStateError):
        desk.cases.take_paper(case.number, "arrears", "довідка", clerk="olena")
    assert desk.cases.case(case.number).status is CaseStatus.OPEN
    assert desk.cases.receipt(case.number).exchanges == ()
    assert shim.exchanges == []


def test_case_that_changed_since_it_was_looked_at_is_not_decided(desk: Counter) -> None:
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    seen = basis(case.application, case.contradictions)
    changed = desk.cases.edit(case.number, "residence", "м. Київ, вул. Нова, 1", "переїхав", clerk="taras")
    with pytest.raises(CaseStateError, match=r"snap_case\.changed"):
        desk.cases.decide(case.number, Outcome.GRANTED, "", clerk="olena", seen=seen)
    now = basis(changed.application, changed.contradictions)
    assert desk.cases.decide(case.number, Outcome.GRANTED, "", clerk="olena", seen=now).decision is not None


def test_case_that_only_was_asked_again_is_still_what_was_looked_at(desk: Counter) -> None:
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    desk.cases.retry_leg(case.number, "arrears", clerk="olena")
    again = desk.ready(case.number)
    assert again.revision > case.revision
    assert basis(again.application, again.contradictions) == basis(case.application, case.contradictions)


def test_of_two_who_decide_at_once_one_is_told_that_it_is_over(desk: Counter) -> None:
    number = desk.ready(desk.open("sole-trader", TRADER).number).number
    start = threading.Barrier(2)

    def decide(outcome: Outcome) -> str:
        start.wait()
        try:
            desk.cases.decide(number, outcome, "причина", clerk="olena")
            return "decided"
        except CaseStateError as refusal:
            return refusal.text_id

    with ThreadPoolExecutor(2) as threads:
        ended = sorted(threads.map(decide, (Outcome.GRANTED, Outcome.REFUSED)))
    assert ended == ["decided", "snap_case.closed"]
    assert [event.kind for event in desk.cases.case(number).history].count("decided") == 1


def test_history_keeps_every_value_that_a_line_was_given(desk: Counter) -> None:
    number = desk.ready(desk.open("sole-trader", TRADER).number).number
    for value in ("перше", "друге"):
        case = desk.cases.edit(number, "residence", value, "уточнення", clerk="olena")
    assert [event.facts["value"] for event in case.history if event.kind == "edited"] == ["перше", "друге"]


def test_history_names_only_the_entries_that_were_corrected(desk: Counter) -> None:
    number = desk.settled(desk.open("sole-trader", TRADER).number).number
    case = desk.cases.correct_fields(number, {**TRADER, "activity": "62.02"}, clerk="olena")
    assert [event.facts for event in case.history if event.kind == "corrected"] == [{"fields": "activity"}]


@pytest.mark.parametrize("clerk", ["olena\r\nX-Road-Client: other", "olena\n", " olena", "о\u200bлена"])
def test_clerk_who_could_not_stand_in_a_header_opens_nothing(desk: Counter, clerk: str) -> None:
    before = desk.cases.find()[1]
    with pytest.raises(SnapError):
        desk.open("sole-trader", TRADER, clerk)
    assert desk.cases.find()[1] == before


def test_cases_of_several_centres_are_one_list(desk: Counter) -> None:
    centres = ("SN11000001", "SN11000002")
    opened = [
        desk.cases.open_case("sole-trader", TRADER, clerk="olena", centre=centre, start=False).number
        for centre in (*centres, centres[0])
    ]
    found = [desk.cases.find(centres=centres, limit=1, offset=offset) for offset in range(3)]
    assert [rows[0].number for rows, _ in found] == opened[::-1]
    assert {count for _, count in found} == {3}


def test_quarters_are_those_before_the_day_it_is_at_the_centre(tmp_path: Path, shim: Shim) -> None:
    first_of_april = FixedClock(datetime(2026, 3, 31, 22, 30, tzinfo=UTC))  # half past one in Kyiv
    database = open_database(f"sqlite:///{tmp_path}/night.db")
    with XRoadClient(shim.url, SNAP, timeout_s=5) as client:
        cases = CaseService(database, load_recipes(), Registries(client), QUICK, clock=first_of_april)
        cases.go()
        number = cases.open_case("housing-subsidy", TYPED["housing-subsidy"], clerk="olena", centre=CENTRE).number
        Counter(cases, database, shim).until(number, lambda case: case.leg("income_request").attempt > 0)
        cases.stop()
    database.close()
    asked = next(json.loads(one.body) for one in shim.asked(TAX) if one.method == "POST")
    period = [asked[name] for name in ("from_year", "from_quarter", "to_year", "to_quarter")]
    assert period == [2025, 4, 2026, 1]


def test_annulled_act_is_none(desk: Counter, shim: Shim) -> None:
    def annulled(answer: Any) -> Any:
        return {**answer, "acts": [{**act, "status": "annulled"} for act in answer["acts"]]}

    shim.contradict(ACTS, annulled)
    case = desk.settled(desk.open("birth-of-child", BIRTH).number)
    assert (case.leg("birth").state, case.leg("marriage").state) == (LegState.NOT_FOUND, LegState.NOT_FOUND)
