from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select

from gateway.runtime.database import Database, open_database
from registry_adapters.cadastre import tables
from registry_adapters.cadastre.geometry import AREA_TOLERANCE, AREA_TOLERANCE_M2, area_m2, read_ring
from registry_adapters.cadastre.registry import registry
from registry_adapters.cadastre.seed import ERROR_SHARE, ErrorKind, fate_of
from registry_adapters.cadastre.store import find_held_by_code, find_parcel
from registry_adapters.cadastre.tables import parcel
from registry_adapters.cadastre.valuation import valuation_of
from registry_adapters.population.land import FIRST_DRAWN, PARCEL_OF_1, organisation_parcels, parcels_of
from registry_adapters.population.model import Record
from registry_adapters.population.parcels import Holding, LandParcel
from registry_adapters.population.people import people
from registry_adapters.population.seeding import CHUNK, SeedMismatchError
from registry_adapters.population.settlements import SETTLEMENTS
from registry_adapters.sdk.registry import prepare
from registry_adapters.settings import RegistrySettings
from tests.factories.registry import rows_of

SEED = 1
PERSONS = 12_000


@dataclass(frozen=True)
class Cadastre:
    """What a filled database holds, and what the population says it should."""

    parcels: dict[str, Any]
    rights: dict[str, list[Any]]
    succession: dict[str, list[str]]
    truth: dict[str, list[tuple[Record, Holding[LandParcel]]]]


@pytest.fixture(scope="module")
def cadastre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cadastre]:
    database = filled(tmp_path_factory.mktemp("cadastre"), PERSONS)
    truth: dict[str, list[tuple[Record, Holding[LandParcel]]]] = defaultdict(list)
    for record in islice(people(SEED), PERSONS):
        for holding in parcels_of(SEED, record):
            truth[holding.object.cadastral_number].append((record, holding))
    rights, succession = defaultdict(list), defaultdict(list)
    with database.reading() as connection:
        for right in connection.execute(select(tables.right).order_by(tables.right.c.id)):
            rights[right.parcel].append(right)
        for row in connection.execute(select(tables.succession)):
            succession[row.former].append(row.successor)
        parcels = {row.cadastral_number: row for row in connection.execute(select(tables.parcel))}
    yield Cadastre(parcels, rights, succession, truth)
    database.close()


def filled(folder: Path, *persons: int) -> Database:
    """A cadastre of so many persons, made in so many steps."""
    database = open_database(f"sqlite:///{folder}/cadastre.db")
    for count in persons:
        prepare(registry, database, RegistrySettings(seed=SEED, persons=count))
    return database


def contents(database: Database) -> dict[str, list[Any]]:
    with database.reading() as connection:
        return {
            table.name: sorted(tuple(map(str, row)) for row in connection.execute(select(table)))
            for table in tables.metadata.sorted_tables
            if table is not tables.seeding
        }


def owners(rights: list[Any]) -> list[Any]:
    return [right for right in rights if right.kind == "ownership"]


def errors_found(cadastre: Cadastre) -> Counter[ErrorKind]:
    """Compare every parcel with what its owners hold by the population, and count what differs."""
    found: Counter[ErrorKind] = Counter()
    for number, holders in cadastre.truth.items():
        rights = owners(cadastre.rights[number])
        found[ErrorKind.OTHER_AREA] += cadastre.parcels[number].area_m2 != holders[0][1].object.area_ha * 10_000
        found[ErrorKind.MISSING_RIGHT] += len(rights) < len(holders)
        found[ErrorKind.DUPLICATE_RIGHT] += len(rights) > len(holders)
        names = {full_name(record) for record, _ in holders}
        found[ErrorKind.MISSPELT_NAME] += any(right.holder_name not in names for right in rights)
    return found


def full_name(record: Record) -> str:
    person = record.person
    return " ".join(name for name in (person.surname, person.given_name, person.patronymic) if name)


def test_every_parcel_of_every_person_and_organisation_is_there(cadastre: Cadastre) -> None:
    of_organisations = {
        parcel.cadastral_number for n in range(1, PERSONS + 1) for parcel, _ in organisation_parcels(SEED, n)
    }
    registered = {number for number, row in cadastre.parcels.items() if row.status == "registered"}
    assert registered == set(cadastre.truth) | of_organisations


def test_errors_are_as_many_and_of_the_kinds_that_the_seed_tells(cadastre: Cadastre) -> None:
    told = Counter(
        kind
        for number in {holders[-1][0].number for holders in cadastre.truth.values()}
        if (kind := fate_of(SEED, number).error)
    )
    assert errors_found(cadastre) == told
    assert min(told.values()) >= 5


def test_share_of_errors_is_the_known_one() -> None:
    fates = [fate_of(SEED, number) for number in range(FIRST_DRAWN, 30_000)]
    assert sum(fate.error is not None for fate in fates) / len(fates) == pytest.approx(ERROR_SHARE, rel=0.15)
    assert {fate.error for fate in fates} == {None, *ErrorKind}


def test_well_known_persons_parcels_are_without_errors(cadastre: Cadastre) -> None:
    told = {number: holders for number, holders in cadastre.truth.items() if holders[0][0].number < FIRST_DRAWN}
    assert len(told) == 4
    assert errors_found(Cadastre(cadastre.parcels, cadastre.rights, {}, told)).total() == 0


def test_shares_of_owners_sum_to_one_except_for_the_known_errors(cadastre: Cadastre) -> None:
    sums = {
        number: sum(Fraction(right.share) for right in owners(cadastre.rights[number]))
        for number, row in cadastre.parcels.items()
        if row.status == "registered"
    }
    wrong = [number for number, total in sums.items() if total != 1]
    found = errors_found(cadastre)
    assert len(wrong) == found[ErrorKind.MISSING_RIGHT] + found[ErrorKind.DUPLICATE_RIGHT]


def test_leased_field_keeps_its_owner_and_the_lease_has_no_share(cadastre: Cadastre) -> None:
    leased = [rights for rights in cadastre.rights.values() if any(right.kind == "lease" for right in rights)]
    assert len(leased) > 20
    for rights in leased:
        (lease,) = [right for right in rights if right.kind == "lease"]
        assert (lease.share, lease.holder_kind) == (None, "organisation")


def test_every_boundary_has_the_area_of_its_parcel(cadastre: Cadastre) -> None:
    for row in cadastre.parcels.values():
        assert area_m2(read_ring(row.ring)) == pytest.approx(row.area_m2, rel=AREA_TOLERANCE, abs=AREA_TOLERANCE_M2)


def test_every_value_follows_from_area_and_purpose(cadastre: Cadastre) -> None:
    for number, row in cadastre.parcels.items():
        value = valuation_of(Decimal(row.area_m2).scaleb(-4), row.purpose_code, number[:10])
        assert row.valuation_kopiyky == value * 100


def test_archived_parcel_names_registered_successors_that_came_later(cadastre: Cadastre) -> None:
    archived = [row for row in cadastre.parcels.values() if row.status == "archived"]
    assert {len(cadastre.succession[row.cadastral_number]) for row in archived} == {1, 2, 3}
    for row in archived:
        assert row.cadastral_number not in cadastre.rights
        for successor in cadastre.succession[row.cadastral_number]:
            assert cadastre.parcels[successor].status == "registered"
            assert cadastre.parcels[successor].registered_on > row.ended_on > row.registered_on


def test_only_what_one_person_holds_has_a_history(cadastre: Cadastre) -> None:
    successors = {number for each in cadastre.succession.values() for number in each}
    assert {len(cadastre.truth[number]) for number in successors} == {1}


def test_merged_parcels_have_the_area_of_what_they_became(cadastre: Cadastre) -> None:
    merged: dict[str, int] = defaultdict(int)
    for former, successors in cadastre.succession.items():
        if len(successors) == 1:
            merged[successors[0]] += cadastre.parcels[former].area_m2
    assert len(merged) > 20
    assert all(cadastre.parcels[number].area_m2 == area for number, area in merged.items())


def test_cancelled_parcel_has_no_rights_and_no_successors(cadastre: Cadastre) -> None:
    cancelled = [row for row in cadastre.parcels.values() if row.status == "cancelled"]
    assert len(cancelled) > 10
    assert [row for row in cancelled if row.cadastral_number in cadastre.rights] == []
    assert [row for row in cancelled if row.cadastral_number in cadastre.succession] == []


@pytest.mark.parametrize("pause", [400, 401])
def test_filling_in_two_steps_gives_the_same_as_in_one(tmp_path: Path, pause: int) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    whole, grown = filled(tmp_path / "one", 900), filled(tmp_path / "two", pause, 900)
    without_ids = [
        {
            name: sorted(row[1:] if name in ("land_right", "restriction") else row for row in rows)
            for name, rows in held.items()
        }
        for held in (contents(whole), contents(grown))
    ]
    assert without_ids[0] == without_ids[1]
    for database in (whole, grown):
        database.close()


def test_shared_parcel_comes_with_the_last_of_its_holders(tmp_path: Path) -> None:
    first, number = next(
        (record.number, holding.object.cadastral_number)
        for record in islice(people(SEED), 2000)
        for holding in parcels_of(SEED, record)
        if holding.holders == (record.number, record.number + 1)
        and record.number > FIRST_DRAWN
        and fate_of(SEED, record.number + 1).error is None
    )
    database = filled(tmp_path, first)
    with database.reading() as connection:
        assert find_parcel(connection, number) is None
    prepare(registry, database, RegistrySettings(seed=SEED, persons=first + 1))
    with database.reading() as connection:
        found = find_parcel(connection, number)
    assert found is not None
    assert len(found.parcel.rights) == 2
    database.close()


def test_filling_again_adds_nothing(tmp_path: Path) -> None:
    database = filled(tmp_path, 300)
    with database.reading() as connection:
        before = rows_of(connection, parcel)
    assert prepare(registry, database, RegistrySettings(seed=SEED, persons=300)) == 0
    with database.reading() as connection:
        assert rows_of(connection, parcel) == before
    database.close()


def test_killed_filling_goes_on_where_it_stopped_and_makes_the_lookups(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/cadastre.db")

    def die(there: int, wanted: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(registry, database, RegistrySettings(seed=SEED, persons=CHUNK + 10), die)
    assert not lookups_of(database) & {index.name for index in tables.LOOKUPS}
    assert prepare(registry, database, RegistrySettings(seed=SEED, persons=CHUNK + 10)) == 10
    assert lookups_of(database) >= {index.name for index in tables.LOOKUPS}
    database.close()


def lookups_of(database: Database) -> set[str | None]:
    with database.reading() as connection:
        known = inspect(connection)
        return {found["name"] for name in known.get_table_names() for found in known.get_indexes(name)}


def test_another_seed_over_the_same_database_is_refused(tmp_path: Path) -> None:
    database = filled(tmp_path, 50)
    with pytest.raises(SeedMismatchError):
        prepare(registry, database, RegistrySettings(seed=2, persons=50))
    database.close()


def test_every_database_holds_and_answers_the_same(database: Database, tmp_path: Path) -> None:
    prepare(registry, database, RegistrySettings(seed=SEED, persons=150))
    other = filled(tmp_path / "other", 150)
    assert contents(database) == contents(other)
    with database.reading() as connection, other.reading() as other_connection:
        assert find_parcel(connection, PARCEL_OF_1) == find_parcel(other_connection, PARCEL_OF_1)
        held, expected = (
            find_held_by_code(each, SETTLEMENTS[0].council.edrpou, 3, 1) for each in (connection, other_connection)
        )
    assert held == expected
    assert len(held.parcels) == 3
    other.close()
