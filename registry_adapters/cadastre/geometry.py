"""Boundaries of parcels: rings of coordinates, their area, and GeoJSON (RFC 7946).

A ring is WGS 84 longitude and latitude in degrees, closed, counter-clockwise seen from above, as RFC 7946 3.1.6 has
outer rings. Parcels are small: metres per degree, taken at the ring's own latitude, are the same all over one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

Point = tuple[float, float]  # longitude, latitude; or metres to the east and to the north
Ring = tuple[Point, ...]

DIGITS: Final = 7  # of a degree: one centimetre
# How far a boundary's area may be from the registered one: coordinates are rounded to a centimetre.
AREA_TOLERANCE: Final = 0.005
AREA_TOLERANCE_M2: Final = 1.0
_EQUATOR_M: Final = 6_378_137.0
_ECCENTRICITY_2: Final = 0.006_694_379_990_14


@dataclass(frozen=True, slots=True)
class Scale:
    """Metres per degree at one latitude of the WGS 84 ellipsoid."""

    east: float
    north: float


def scale_at(latitude: float) -> Scale:
    """Return the metres per degree of longitude and of latitude."""
    sine = math.sin(math.radians(latitude))
    root = math.sqrt(1 - _ECCENTRICITY_2 * sine * sine)
    north = _EQUATOR_M * (1 - _ECCENTRICITY_2) / root**3
    east = _EQUATOR_M / root * math.cos(math.radians(latitude))
    return Scale(math.radians(east), math.radians(north))


def in_metres(ring: Ring, origin: Point) -> Ring:
    """Return a ring's points as metres to the east and north of a place nearby."""
    scale = scale_at(origin[1])
    return tuple(((lon - origin[0]) * scale.east, (lat - origin[1]) * scale.north) for lon, lat in ring)


def area_m2(ring: Ring) -> float:
    """Return the area of a ring of degrees in square metres; negative where it runs clockwise."""
    return signed_area(in_metres(ring, ring[0]))


def signed_area(ring: Sequence[Point]) -> float:
    """Return the area of a closed ring in the units of its points, positive where it runs counter-clockwise."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring)) / 2


def write_ring(ring: Ring) -> str:
    """Return a ring in the form it is stored in."""
    return f"[{','.join([f'[{round(lon, DIGITS)!r},{round(lat, DIGITS)!r}]' for lon, lat in ring])}]"


def read_ring(text: str) -> Ring:
    """Return a stored ring."""
    return tuple((lon, lat) for lon, lat in json.loads(text))


def geojson_of(ring_text: str) -> str:
    """Return the GeoJSON Polygon of a stored ring."""
    return f'{{"type":"Polygon","coordinates":[{ring_text}]}}'
