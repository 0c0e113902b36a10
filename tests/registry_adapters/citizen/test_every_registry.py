"""Each registry tells a person of every look at the person, once, and counts the sealed: the view equals the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from gateway.xroad.identifiers import ServiceId
from registry_adapters.sdk.client import Reason, XRoadClient
from registry_adapters.sdk.usage import UsageAnswer
from tests.registry_adapters.citizen.watched import MARIANA
from tests.registry_adapters.world import SERVICES, World, a_client, a_service, a_world

GALYNA, TARAS = "2380804560", "2836000078"
# A person each registry knows, how to ask about that person, and for what.
ASKED: Final[Mapping[str, tuple[str, str, dict[str, str], str]]] = {
    "demographic": (MARIANA, "/persons", {"rnokpp": MARIANA}, "BIRTH-OF-CHILD"),
    "cadastre": (MARIANA, "/parcels", {"rnokpp": MARIANA}, "LAND-EXTRACT"),
    "tax": (MARIANA, "/taxpayers", {"rnokpp": MARIANA}, "SOLE-TRADER"),
    "civil_status": (MARIANA, "/acts", {"rnokpp": MARIANA, "kind": "birth"}, "BIRTH-OF-CHILD"),
    "business": (TARAS, "/subjects", {"code": TARAS}, "SOLE-TRADER"),
    "property_rights": (MARIANA, "/rights", {"rnokpp": MARIANA}, "HOUSING-SUBSIDY"),
    "displaced": (GALYNA, "/certificates", {"rnokpp": GALYNA}, "DISPLACED-STATUS"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with a_world(tmp_path_factory.mktemp("every"), *ASKED, persons=100) as served:
        yield served


@pytest.fixture(scope="module")
def citizen(world: World) -> Iterator[XRoadClient]:
    with XRoadClient(world.shim.url, a_client("GOV/10000007/CITIZEN")) as client:
        yield client


def told(citizen: XRoadClient, registry: str, code: str, **query: str) -> UsageAnswer:
    service = ServiceId(a_service(registry).provider, "usage")
    answer = citizen.call_rest(
        "GET", service, "/findUsage", query={"userCode": code, **query}, reason=Reason(user_id=code)
    )
    assert answer.status == 200, answer.content
    return answer.read(UsageAnswer)


def about(world: World, registry: str, code: str) -> list[dict[str, Any]]:
    """The rows of the log about a person."""
    subjects_of = world.registries[registry].subjects_of
    assert subjects_of is not None
    with world.databases[registry].reading() as connection:
        subjects = set(subjects_of(connection, code))
    return [row for row in world.looks(registry) if row["subject"] in subjects]


@pytest.mark.parametrize("registry", ASKED)
def test_the_persons_view_equals_the_log(world: World, citizen: XRoadClient, registry: str) -> None:
    code, path, query, purpose = ASKED[registry]
    for number in range(2):
        answer = world.ask(registry, path, purpose, message_id=f"{registry}-{number}", **query)
        assert answer.status == 200, answer.content
    assert world.ask(registry, path, "INVESTIGATION", message_id="secret", **query).status == 200
    rows = about(world, registry, code)
    assert len(rows) >= 3
    found = told(citizen, registry, code)
    shown = Counter((usage.message_id, usage.logtime) for usage in found.usages)
    assert Counter(message_id for message_id, _ in shown.elements()) == Counter(
        row["message_id"] for row in rows if not row["sealed"]
    )
    assert {f"{registry}-0", f"{registry}-1"} <= {message_id for message_id, _ in shown}
    assert "secret" not in {message_id for message_id, _ in shown}
    assert found.total_usages == len(found.usages)
    assert found.restricted_usages == sum(row["sealed"] for row in rows) > 0
    assert all(usage.title_uk and usage.ground and usage.case_number == "case-7" for usage in found.usages)


@pytest.mark.parametrize("registry", ASKED)
def test_a_person_nobody_asked_about_is_told_so(world: World, citizen: XRoadClient, registry: str) -> None:
    found = told(citizen, registry, "1111111119")
    assert (found.total_usages, found.restricted_usages, found.usages) == (0, 0, ())


def test_every_registry_of_persons_is_here() -> None:
    assert set(ASKED) == set(SERVICES) - {"crosscheck"}  # which holds nothing about anybody
