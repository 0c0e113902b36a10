from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_adapters.cadastre.geometry import (
    AREA_TOLERANCE,
    AREA_TOLERANCE_M2,
    Ring,
    area_m2,
    geojson_of,
    in_metres,
    read_ring,
    signed_area,
    write_ring,
)
from registry_adapters.cadastre.layout import ring_of, width_m
from registry_adapters.population.parcels import FIELD, Lot
from registry_adapters.population.settlements import SETTLEMENTS

LOTS = st.builds(
    Lot,
    st.sampled_from(SETTLEMENTS),
    st.integers(0, 20_000),
    st.integers(0, 99),
    st.integers(0, FIELD),
)


def sphere_area_m2(ring: Ring) -> float:
    """The area on a sphere of the Earth's mean radius, by the line integral that map libraries use."""
    total = 0.0
    for (lon1, lat1), (lon2, lat2) in pairwise(ring):
        total += math.radians(lon2 - lon1) * (2 + math.sin(math.radians(lat1)) + math.sin(math.radians(lat2)))
    return -total * 6_371_008.8**2 / 2


def areas_of(lot: Lot) -> st.SearchStrategy[int]:
    return st.integers(4000, 9500) if lot.slot == FIELD else st.integers(24, 60) | st.integers(300, 1700)


@given(st.data(), LOTS)
def test_boundary_has_the_registered_area_within_the_tolerance(data: st.DataObject, lot: Lot) -> None:
    area = data.draw(areas_of(lot))
    stored = read_ring(write_ring(ring_of(lot, area)))
    assert area_m2(stored) == pytest.approx(area, rel=AREA_TOLERANCE, abs=AREA_TOLERANCE_M2)


@given(st.data(), LOTS)
def test_area_agrees_with_another_way_to_compute_it(data: st.DataObject, lot: Lot) -> None:
    ring = ring_of(lot, data.draw(areas_of(lot)))
    assert sphere_area_m2(ring) == pytest.approx(area_m2(ring), rel=0.01)


@given(st.data(), LOTS)
def test_ring_is_closed_and_runs_counter_clockwise(data: st.DataObject, lot: Lot) -> None:
    ring = read_ring(write_ring(ring_of(lot, data.draw(areas_of(lot)))))
    assert ring[0] == ring[-1]
    assert len(set(ring)) == len(ring) - 1 >= 3
    assert signed_area(ring) > 0


@given(LOTS)
def test_ring_lies_in_ukraine(lot: Lot) -> None:
    for lon, lat in ring_of(lot, 5000 if lot.slot == FIELD else 1000):
        assert 22 < lon < 41
        assert 44 < lat < 54


def test_lots_side_by_side_do_not_overlap() -> None:
    origin = ring_of(Lot(SETTLEMENTS[0], 3, 0, 0), 1000)[0]
    rings = [
        in_metres(ring_of(Lot(SETTLEMENTS[0], 3, stand, slot), 9500 if slot == FIELD else 1700), origin)
        for stand in (0, 1, 10)
        for slot in range(FIELD + 1)
    ]
    for index, one in enumerate(rings):
        for other in rings[index + 1 :]:
            assert not any(is_inside(point, other) for point in one[:-1])
            assert not any(is_inside(point, one) for point in other[:-1])


def is_inside(point: tuple[float, float], ring: Ring) -> bool:
    """Whether a point is left of every side of a convex ring, by more than a millimetre."""
    x, y = point
    sides = pairwise(ring)
    return all((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) > 0.001 for (x1, y1), (x2, y2) in sides)


def test_quarters_of_a_settlement_do_not_overlap() -> None:
    settlement = SETTLEMENTS[0]
    origin = settlement.longitude, settlement.latitude
    corners = [in_metres(ring_of(Lot(settlement, rank, 0, 0), 1000), origin)[0] for rank in range(60)]
    distances = [math.dist(one, other) for index, one in enumerate(corners) for other in corners[index + 1 :]]
    assert min(distances) > 1000


def test_second_half_begins_where_the_first_ends() -> None:
    lot = Lot(SETTLEMENTS[4], 7, 12, 2)
    first, second = ring_of(lot, 600), ring_of(lot, 610, skip_m=width_m(lot, 600))
    assert first[1] == pytest.approx(second[0])


def test_geojson_is_a_polygon_with_one_ring() -> None:
    ring = ring_of(Lot(SETTLEMENTS[0], 0, 1, 1), 612)
    document = json.loads(geojson_of(write_ring(ring)))
    assert document["type"] == "Polygon"
    assert [[tuple(point) for point in each] for each in document["coordinates"]] == [list(read_ring(write_ring(ring)))]


def test_turned_ring_has_negative_area() -> None:
    assert signed_area(((0, 0), (0, 1), (1, 1), (1, 0), (0, 0))) == -1
