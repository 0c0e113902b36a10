"""What land is for: purposes of parcels (КВЦПЗ), categories of land, kinds of restrictions.

Codes and names are those of the Procedure of the State Land Cadastre (resolution 1051 of 17.10.2012, annexes 59 and
6); categories are those of the Land Code, article 19. Only the entries the synthetic cadastre uses are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class LandCategory(StrEnum):
    """Categories of land (Land Code, article 19)."""

    AGRICULTURAL = "agricultural"
    RESIDENTIAL_AND_PUBLIC = "residential_and_public"
    NATURE_RESERVE = "nature_reserve"
    HEALTH = "health"
    RECREATIONAL = "recreational"
    HISTORICAL = "historical"
    FOREST = "forest"
    WATER = "water"
    INDUSTRY_AND_TRANSPORT = "industry_and_transport"


PURPOSES: Final[Mapping[str, str]] = {
    "01.01": "Для ведення товарного сільськогосподарського виробництва",
    "01.02": "Для ведення фермерського господарства",
    "01.03": "Для ведення особистого селянського господарства",
    "01.05": "Для індивідуального садівництва",
    "01.08": "Для сінокосіння і випасання худоби",
    "02.01": (
        "Для будівництва і обслуговування житлового будинку, господарських будівель і споруд (присадибна ділянка)"
    ),
    "02.03": "Для будівництва і обслуговування багатоквартирного житлового будинку",
    "02.05": "Для будівництва індивідуальних гаражів",
    "03.01": "Для будівництва та обслуговування будівель органів державної влади та органів місцевого самоврядування",
    "03.02": "Для будівництва та обслуговування будівель закладів освіти",
    "03.07": "Для будівництва та обслуговування будівель торгівлі",
    "11.02": (
        "Для розміщення та експлуатації основних, підсобних і допоміжних будівель та споруд підприємств переробної, "
        "машинобудівної та іншої промисловості"
    ),
    "18.00": "Землі загального користування",
}

RESTRICTIONS: Final[Mapping[str, str]] = {
    "01.05": "Охоронна зона навколо (уздовж) об'єкта енергетичної системи",
    "01.08": "Охоронна зона навколо інженерних комунікацій",
    "05.02": "Прибережна захисна смуга вздовж річок, навколо водойм та на островах",
}

_SECTIONS: Final[Mapping[str, LandCategory]] = {
    "01": LandCategory.AGRICULTURAL,
    "02": LandCategory.RESIDENTIAL_AND_PUBLIC,
    "03": LandCategory.RESIDENTIAL_AND_PUBLIC,
    "11": LandCategory.INDUSTRY_AND_TRANSPORT,
    "18": LandCategory.RESIDENTIAL_AND_PUBLIC,  # common use may be of any category; here it is streets
}


def category_of(purpose_code: str) -> LandCategory:
    """Return the category a purpose belongs to, by its section."""
    return _SECTIONS[purpose_code[:2]]
