"""A small map of a parcel: SVG with its neighbours, a north arrow and a scale bar.

North is up. Nothing in it runs or is fetched: shapes and words only, so that it can be shown in any page or
printed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape

from registry_adapters.cadastre.geometry import Point, Ring, in_metres

_SIZE: Final = 320  # of the map, in user units; the words stand below
_FOOT: Final = 36
_MARGIN: Final = 0.7  # of the parcel's greater extent, on each side
_LEAST_HALF_M: Final = 25.0  # round a garage there is something to see too
_BARS_M: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_STYLES: Final = {
    "land": 'fill="#eef3e6"',
    "neighbour": 'fill="#fbf8ef" stroke="#8a8468" stroke-width="1"',
    "parcel": 'fill="#ffd966" stroke="#7a4b00" stroke-width="2.5"',
    "words": 'font-family="sans-serif" font-size="11" fill="#222222"',
}


def draw(cadastral_number: str, ring: Ring, neighbours: Iterable[tuple[str, Ring]]) -> str:
    """Return the picture of a parcel among others; who is too far away is left out."""
    view = _View.around(ring)
    shapes = [_parcel(view, number, other, "neighbour") for number, other in neighbours if view.shows(other)]
    shapes.append(_parcel(view, cadastral_number, ring, "parcel"))
    title = f"Земельна ділянка {cadastral_number}"
    height = _SIZE + _FOOT
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {height}" width="{_SIZE}" ',
            f'height="{height}" role="img"><title>{escape(title)}</title>',
            f'<rect width="{_SIZE}" height="{height}" fill="#ffffff"/>',
            f'<svg width="{_SIZE}" height="{_SIZE}"><rect width="{_SIZE}" height="{_SIZE}" {_STYLES["land"]}/>',
            *shapes,
            "</svg>",
            _north_arrow(),
            _scale_bar(view),
            "</svg>",
        )
    )


class _View:
    """The window of the map: from degrees to the picture's units."""

    def __init__(self, origin: Point, half_m: float) -> None:
        self.origin = origin
        self.half_m = half_m
        self.units_per_m = _SIZE / (2 * half_m)

    @classmethod
    def around(cls, ring: Ring) -> _View:
        """Return a window with the ring in its middle."""
        (west, south), (east, north) = _bounds(ring)
        origin = (west + east) / 2, (south + north) / 2
        (left, lower), (right, upper) = _bounds(in_metres(ring, origin))
        return cls(origin, max(max(right - left, upper - lower) * (0.5 + _MARGIN), _LEAST_HALF_M))

    def shows(self, ring: Ring) -> bool:
        """Tell whether some of a ring may be in the window."""
        (left, lower), (right, upper) = _bounds(in_metres(ring, self.origin))
        return min(right, upper) > -self.half_m and max(left, lower) < self.half_m

    def points(self, ring: Ring) -> list[Point]:
        """Return a ring's corners in the picture's units, where y grows downwards."""
        half = _SIZE / 2
        return [
            (half + x * self.units_per_m, half - y * self.units_per_m) for x, y in in_metres(ring[:-1], self.origin)
        ]


def _bounds(ring: Ring) -> tuple[Point, Point]:
    return (min(x for x, _ in ring), min(y for _, y in ring)), (max(x for x, _ in ring), max(y for _, y in ring))


def _parcel(view: _View, cadastral_number: str, ring: Ring, style: str) -> str:
    corners = view.points(ring)
    listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    x, y = (sum(corner[axis] for corner in corners) / len(corners) for axis in (0, 1))
    return (
        f'<polygon points="{listed}" {_STYLES[style]}><title>{escape(cadastral_number)}</title></polygon>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" {_STYLES["words"]}>{escape(cadastral_number[-4:])}'
        "</text>"
    )


def _north_arrow() -> str:
    return (
        '<g transform="translate(298 14)"><polygon points="0,-10 6,10 0,5 -6,10" fill="#222222"/>'
        f'<text y="24" text-anchor="middle" {_STYLES["words"]}>Пн</text></g>'
    )


def _scale_bar(view: _View) -> str:
    longest = view.half_m * 0.8
    metres = max((bar for bar in _BARS_M if bar <= longest), default=_BARS_M[0])
    width = metres * view.units_per_m
    return (
        f'<g transform="translate(12 {_SIZE + 14})"><path d="M0,-5 V0 H{width:.1f} V-5" fill="none" '
        f'stroke="#222222" stroke-width="1.5"/><text x="0" y="14" {_STYLES["words"]}>{metres} м</text></g>'
    )
