"""Normative valuation of a parcel: area times base, times coefficients (Methodology, resolution 1147 of 03.11.2021).

    value = area in square metres
          x base of the category (capitalised rental income, UAH per square metre)
          x coefficient of the place (large cities' influence)
          x coefficient of the purpose
          x coefficient of indexation up to the day of valuation

All are decimal fractions; the product is rounded once, at its end, half up to kopiyky. The figures are made up for the
synthetic cadastre, the arithmetic is the methodology's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final

from registry_adapters.cadastre.classifier import LandCategory, category_of

VALUED_ON: Final = date(2025, 1, 1)
KOPIYKA: Final = Decimal("0.01")

BASE: Final[Mapping[LandCategory, Decimal]] = {
    LandCategory.AGRICULTURAL: Decimal("2.7520"),
    LandCategory.RESIDENTIAL_AND_PUBLIC: Decimal("212.67"),
    LandCategory.INDUSTRY_AND_TRANSPORT: Decimal("69.15"),
}
PLACE: Final[Mapping[str, Decimal]] = {
    "8000000000": Decimal("3.0"),
    "6310100000": Decimal("2.0"),
    "5110100000": Decimal("2.0"),
    "1210100000": Decimal("1.8"),
    "4610100000": Decimal("1.8"),
}
OTHER_PLACE: Final = Decimal("1.2")
PURPOSE: Final[Mapping[str, Decimal]] = {
    "01.05": Decimal("1.5"),
    "01.08": Decimal("0.6"),
    "02.05": Decimal("1.2"),
    "03.07": Decimal("2.5"),
    "18.00": Decimal("0.5"),
}
INDEXATION: Final = Decimal("1.12")


def valuation_of(area_ha: Decimal, purpose_code: str, koatuu: str) -> Decimal:
    """Return the normative value in UAH of a parcel of a settlement (code of the old codifier)."""
    return (area_ha * _value_of_hectare(purpose_code, koatuu)).quantize(KOPIYKA, ROUND_HALF_UP)


@lru_cache(maxsize=1024)  # there are few purposes and settlements
def _value_of_hectare(purpose_code: str, koatuu: str) -> Decimal:
    base = BASE[category_of(purpose_code)]
    coefficients = PLACE.get(koatuu, OTHER_PLACE) * PURPOSE.get(purpose_code, Decimal(1)) * INDEXATION
    return 10_000 * base * coefficients
