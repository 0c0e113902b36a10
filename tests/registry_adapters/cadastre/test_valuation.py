from __future__ import annotations

from decimal import Decimal

import pytest

from registry_adapters.cadastre.classifier import PURPOSES, LandCategory, category_of
from registry_adapters.cadastre.valuation import valuation_of


@pytest.mark.parametrize(
    ("area", "purpose", "koatuu", "value"),
    [
        # 612 m2 x 2.7520 x 3.0 x 1.5 x 1.12 = 8488.488960
        ("0.0612", "01.05", "8000000000", "8488.49"),
        # 8450 m2 x 2.7520 x 1.8 x 1 x 1.12 = 46880.870400
        ("0.8450", "01.03", "4610100000", "46880.87"),
        # 982 m2 x 212.67 x 1.2 x 1 x 1.12 = 280683.567360
        ("0.0982", "02.01", "5310100000", "280683.57"),
        # 5000 m2 x 69.15 x 1.2 x 1 x 1.12 = 464688
        ("0.5000", "11.02", "7410100000", "464688.00"),
    ],
)
def test_value_is_area_times_base_times_coefficients(area: str, purpose: str, koatuu: str, value: str) -> None:
    assert valuation_of(Decimal(area), purpose, koatuu) == Decimal(value)


def test_value_is_rounded_half_up_to_kopiyky() -> None:
    # 0.625 m2 x 212.67 x 2.0 x 2.5 x 1.12 = 744.345, which half to even would make 744.34
    assert valuation_of(Decimal("0.0000625"), "03.07", "6310100000") == Decimal("744.35")


def test_every_purpose_has_a_category_and_a_value() -> None:
    for purpose in PURPOSES:
        assert isinstance(category_of(purpose), LandCategory)
        assert valuation_of(Decimal("0.1"), purpose, "8000000000") > 0
