from __future__ import annotations

from lxml import etree

from gateway.xroad.xml import parse_xml
from registry_adapters.cadastre.layout import ring_of
from registry_adapters.cadastre.picture import draw
from registry_adapters.population.parcels import FIELD, Lot
from registry_adapters.population.settlements import SETTLEMENTS

SVG = "{http://www.w3.org/2000/svg}"
NUMBER = "8000000000:90:999:0012"


def lot(slot: int, stand: int = 1, rank: int = 0) -> Lot:
    return Lot(SETTLEMENTS[0], rank, stand, slot)


def drawn(neighbours: list[tuple[str, Lot]], number: str = NUMBER, area: int = 800) -> etree._Element:
    others = [(name, ring_of(place, 1200)) for name, place in neighbours]
    return parse_xml(draw(number, ring_of(lot(1), area), others).encode())


def polygons(picture: etree._Element) -> dict[str, list[tuple[float, float]]]:
    found = {}
    for polygon in picture.iter(f"{SVG}polygon"):
        title = polygon.findtext(f"{SVG}title")
        if title:
            points = [tuple(map(float, point.split(","))) for point in polygon.attrib["points"].split()]
            found[title] = points
    return found


def test_picture_names_the_parcel_in_its_title() -> None:
    assert drawn([]).findtext(f"{SVG}title") == f"Земельна ділянка {NUMBER}"


def test_parcel_stands_in_the_middle_and_inside_the_map() -> None:
    (points,) = polygons(drawn([])).values()
    assert all(0 < x < 320 and 0 < y < 320 for x, y in points)
    assert abs(min(x for x, _ in points) + max(x for x, _ in points) - 320) < 1


def test_neighbours_are_drawn_and_who_is_far_is_not() -> None:
    near, far = "8000000000:90:999:0013", "8000000000:90:999:0999"
    shown = polygons(drawn([(near, lot(2)), (far, lot(0, stand=99))]))
    assert set(shown) == {NUMBER, near}


def test_neighbour_to_the_east_stands_to_the_right_and_one_to_the_north_above() -> None:
    shown = polygons(drawn([("east", lot(2)), ("north", Lot(SETTLEMENTS[0], 0, 1, FIELD))]))
    middle = {
        name: tuple(sum(axis) / len(axis) for axis in zip(*points, strict=True)) for name, points in shown.items()
    }
    assert middle["east"][0] > middle[NUMBER][0]
    assert middle["north"][1] < middle[NUMBER][1]


def test_picture_has_a_north_arrow_and_a_round_scale() -> None:
    words = [text.text for text in drawn([]).iter(f"{SVG}text")]
    assert "Пн" in words
    assert "20 м" in words


def test_scale_bar_is_as_long_as_it_says() -> None:
    picture = drawn([], area=800)
    (bar,) = [path.attrib["d"] for path in picture.iter(f"{SVG}path")]
    units = float(bar.split("H")[1].split()[0])
    points = polygons(picture)[NUMBER]
    street_side = ((points[1][0] - points[0][0]) ** 2 + (points[1][1] - points[0][1]) ** 2) ** 0.5
    assert abs(street_side / units * 20 - 800 / 36) < 0.2


def test_picture_holds_nothing_that_runs_or_is_fetched() -> None:
    picture = drawn([("8000000000:90:999:0013", lot(2))])
    assert {etree.QName(each).localname for each in picture.iter()} == {
        "svg",
        "title",
        "rect",
        "polygon",
        "text",
        "g",
        "path",
    }
    names = {str(name) for each in picture.iter() for name in each.attrib}
    assert [name for name in names if name.lower().startswith("on") or "href" in name or name == "style"] == []


def test_text_is_escaped() -> None:
    assert drawn([], number='<script>&"').findtext(f"{SVG}title") == 'Земельна ділянка <script>&"'


def test_garage_has_room_round_it() -> None:
    points = polygons(drawn([], area=30))[NUMBER]
    assert max(x for x, _ in points) - min(x for x, _ in points) < 100
