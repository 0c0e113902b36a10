"""The comparisons: a declared value, what a registry answers, one outcome; each says within what values are equal.

Whether a registry knows the person comes first. Where having nothing is a fact of its own (no certificate, no
property), an empty answer is compared like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from registry_adapters.crosscheck.asking import Asker, UnheardError
from registry_adapters.crosscheck.model import DeclaredAddress, DeclaredOwnership, MaritalStatus, Outcome, Unheard
from registry_adapters.sdk.matching import name_key
from registry_adapters.sdk.persons import is_minor

INCOME_TOLERANCE: Final = Decimal("0.01")  # of what is registered
AREA_TOLERANCE_M2: Final = Decimal("0.5")
TOLERANCES: Final = {
    "income": "1 %",
    "address": "letter case, spaces",
    "ownership": "0.5 m²",
}
_DWELLINGS: Final = ("flat", "house")
_IN_FORCE: Final = ("valid", "restored")

Acts = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a check is about: exactly one of the two."""

    rnokpp: str | None
    document: str | None

    @property
    def criterion(self) -> dict[str, str | None]:
        """The person as registries take it."""
        return {"rnokpp": self.rnokpp, "document": self.document}


def compare_address(ask: Asker, person: Person, declared: DeclaredAddress) -> Outcome:
    """Compare a residence with the demographic registry's."""
    answer = _of_one(ask.get("demographic", "/persons", **person.criterion))
    if not answer["found"]:
        return Outcome.NO_RECORD
    home = answer["person"].get("residence")
    if home is None:
        return Outcome.NO_RECORD
    registered = tuple(_normal(home.get(name)) for name in ("katottg", "street", "building", "apartment"))
    given = (declared.katottg, declared.street, declared.building, declared.apartment)
    return _agree(registered == tuple(_normal(value) for value in given))


def compare_marital_status(ask: Asker, person: Person, declared: MaritalStatus) -> Outcome:
    """Compare a marital status with what civil status acts add up to."""
    acts = _acts(ask, person)
    if not acts:
        return Outcome.NO_RECORD
    return _agree(declared is _marital_status(ask, person, acts))


def compare_children(ask: Asker, person: Person, declared: int, today: date) -> Outcome:
    """Compare how many children under age there are with acts of birth that name the person as a parent."""
    acts = _acts(ask, person)
    if not acts:
        return Outcome.NO_RECORD
    births = [act for act in acts if act["kind"] == "birth"]
    children = {
        (act["person"].get("rnokpp"), act["person"]["birth_date"])
        for act in births[0 if person.rnokpp else 1 :]  # who has no number is told by coming first
        if not person.rnokpp or person.rnokpp in (_rnokpp(act, "father"), _rnokpp(act, "mother"))
    }
    return _agree(declared == sum(is_minor(date.fromisoformat(born), today) for _, born in children))


def compare_ownership(ask: Asker, person: Person, declared: DeclaredOwnership) -> Outcome:
    """Compare how much real property there is with registered rights."""
    answer = ask.get("property_rights", "/rights", **person.criterion)
    if answer.get("truncated"):
        raise UnheardError(Unheard.UNCLEAR)
    held = [one for one in answer["objects"] if one["state"] == "registered"]
    dwellings = [one for one in held if one["kind"] in _DWELLINGS]
    area = sum((_held_area(one, person) for one in dwellings), start=Decimal(0))
    agrees = (
        declared.dwellings == len(dwellings),
        declared.parcels in (None, len(held) - len(dwellings)),
        declared.dwelling_area_m2 is None or abs(declared.dwelling_area_m2 - area) <= AREA_TOLERANCE_M2,
    )
    return _agree(all(agrees))


def compare_displaced(ask: Asker, person: Person, declared: bool) -> Outcome:
    """Compare whether somebody is displaced with whether there is a certificate in force."""
    answer = _of_one(ask.get("displaced", "/certificates", **person.criterion))
    return _agree(declared == (answer["found"] and answer["certificate"]["status"] == "valid"))


def compare_sole_trader(ask: Asker, person: Person, declared: bool) -> Outcome:
    """Compare whether somebody is a sole trader with the tax service's register."""
    if person.rnokpp is None:
        raise UnheardError(Unheard.NOT_ASKED)
    answer = _of_one(ask.get("tax", f"/taxpayers/{person.rnokpp}/sole-trader"))
    return _agree(declared == answer["is_sole_trader"]) if answer["found"] else Outcome.NO_RECORD


def compare_income(answer: Mapping[str, Any], declared: Decimal) -> Outcome:
    """Compare an income with the tax service's answer, which came at last."""
    if not _of_one(answer)["found"]:
        return Outcome.NO_RECORD
    registered = Decimal(answer["total_accrued"])
    return _agree(abs(declared - registered) <= abs(registered) * INCOME_TOLERANCE)


def _marital_status(ask: Asker, person: Person, acts: Acts) -> MaritalStatus:
    marriages = [act for act in acts if act["kind"] == "marriage" and act["status"] in _IN_FORCE]
    if not marriages:
        return MaritalStatus.SINGLE
    last = marriages[-1]
    if any(act["kind"] == "divorce" and act["event_on"] >= last["event_on"] for act in acts):
        return MaritalStatus.DIVORCED
    spouse = next((code for code in (_rnokpp(last, "person"), _rnokpp(last, "spouse")) if code != person.rnokpp), None)
    if spouse is not None:
        deaths = ask.get("civil_status", "/acts", rnokpp=spouse, kind="death")["acts"]
        if any(act["status"] in _IN_FORCE for act in deaths):
            return MaritalStatus.WIDOWED
    return MaritalStatus.MARRIED


def _acts(ask: Asker, person: Person) -> Acts:
    acts: Acts = _of_one(ask.get("civil_status", "/acts", **person.criterion))["acts"]
    return sorted((act for act in acts if act["status"] != "annulled"), key=lambda act: act["event_on"])


def _of_one(answer: Any) -> Any:
    """Return an answer about one person. Raises UnheardError when it could be about several."""
    if answer.get("ambiguous"):
        raise UnheardError(Unheard.UNCLEAR)
    return answer


def _agree(agrees: bool) -> Outcome:
    return Outcome.MATCH if agrees else Outcome.DIFFERS


def _normal(text: str | None) -> str:
    return name_key(text or "")


def _rnokpp(act: Mapping[str, Any], role: str) -> str | None:
    return (act.get(role) or {}).get("rnokpp")


def _held_area(one: Mapping[str, Any], person: Person) -> Decimal:
    """Return the person's part of an object's area."""
    mine = [right for right in one["rights"] if right["state"] == "registered" and _is_of(right, person)]
    share = sum((Fraction(right["share"]) for right in mine), start=Fraction(0))
    return Decimal(one["area_m2"]) * share.numerator / share.denominator


def _is_of(right: Mapping[str, Any], person: Person) -> bool:
    return right["holder_code"] in (person.rnokpp, person.document)
