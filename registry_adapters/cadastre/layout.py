"""Where the synthetic parcels lie: quarters round a settlement's centre, stands in a quarter, lots of a stand.

A quarter has ten times ten stands of 200 by 100 metres. Along the street a stand has four lots of 50 metres, behind
them one field. Nobody overlaps, and a parcel's width follows from its area.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

from registry_adapters.cadastre.geometry import Point, Ring, Scale, scale_at
from registry_adapters.population.parcels import FIELD, Lot
from registry_adapters.population.settlements import BY_KOATUU, Settlement

_STAND: Final = (200.0, 100.0)
_QUARTER: Final = (2040.0, 1040.0)  # with the road round it
_LOT_WIDTH_M: Final = 50.0
_FRONT_DEPTH_M: Final = 36.0
_GARAGE_DEPTH_M: Final = 6.0
_FIELD_DEPTH_M: Final = 50.0
_GARAGE_M2: Final = 200
_STREET_M: Final = 2.0  # from the stand's edge to its lots
_FIELD_AT_M: Final = 46.0


def ring_of(lot: Lot, area_m2: int, *, skip_m: float = 0.0) -> Ring:
    """Return the boundary of a parcel of that area on a lot, `skip_m` from the lot's own edge."""
    left, bottom, depth = _frame(lot, area_m2)
    left += skip_m
    right = left + area_m2 / depth
    slope = 0.0 if depth == _GARAGE_DEPTH_M else float((lot.stand * 5 + lot.slot * 3) % 7 - 3)
    corners = ((left, bottom), (right, bottom), (right, bottom + depth - slope), (left, bottom + depth + slope))
    return _on_the_ground(lot, (*corners, corners[0]))


def width_m(lot: Lot, area_m2: int) -> float:
    """Return how wide a parcel of that area is on a lot."""
    return area_m2 / _frame(lot, area_m2)[2]


def front_of(lot: Lot, slot: int) -> Lot:
    """Return another lot of the same stand."""
    return Lot(lot.settlement, lot.rank, lot.stand, slot)


def _frame(lot: Lot, area_m2: int) -> tuple[float, float, float]:
    """Return left edge and lower edge in metres from the quarter's corner, and the depth."""
    row, column = divmod(lot.stand, 10)
    x, y = column * _STAND[0], row * _STAND[1]
    if lot.slot == FIELD:
        return x, y + _FIELD_AT_M, _FIELD_DEPTH_M
    depth = _GARAGE_DEPTH_M if area_m2 < _GARAGE_M2 else _FRONT_DEPTH_M
    return x + lot.slot * _LOT_WIDTH_M, y + _STREET_M, depth


def _on_the_ground(lot: Lot, ring: Ring) -> Ring:
    corner, sine, cosine, scale = _quarter(lot.settlement.koatuu, lot.rank)
    left, bottom, east, north = *corner, scale.east, scale.north
    return tuple([(left + (x * cosine - y * sine) / east, bottom + (x * sine + y * cosine) / north) for x, y in ring])


@lru_cache(maxsize=64)  # parcels of one quarter are made one after the other
def _quarter(koatuu: str, rank: int) -> tuple[Point, float, float, Scale]:
    """Return a quarter's corner, sine and cosine of how it is turned, and the scale there."""
    settlement = BY_KOATUU[koatuu]
    corner, turn = _corner(settlement, rank), _turn(settlement)
    return corner, math.sin(turn), math.cos(turn), scale_at(corner[1])


def _turn(settlement: Settlement) -> float:
    """Return by how much a settlement's streets are turned from the east, in radians: not all towns are alike."""
    return math.radians(int(settlement.koatuu[:4]) % 60 - 30)


def _corner(settlement: Settlement, rank: int) -> Point:
    """Return the corner of a settlement's quarter; quarters fill ever larger squares."""
    shell = math.isqrt(rank)
    rest = rank - shell * shell
    column, row = (shell, rest) if rest <= shell else (2 * shell - rest, shell)
    x, y = column * _QUARTER[0], row * _QUARTER[1]
    turn = _turn(settlement)
    east, north = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
    latitude = settlement.latitude + north / scale_at(settlement.latitude).north
    return settlement.longitude + east / scale_at(latitude).east, latitude
