from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.globalconf.optional_parts import (
    OptionalParts,
    build_fetch_interval,
    build_monitoring,
    build_next_update,
    parse_fetch_interval,
    parse_monitoring,
    parse_next_update,
)
from tests.factories.globalconf import CLIENT, OWNER


def test_absence_means_the_defaults_of_the_reference() -> None:
    assert OptionalParts() == OptionalParts(None, True, 1200)


@pytest.mark.parametrize("client", [CLIENT, OWNER, None])
def test_the_monitoring_client_is_read_back(client: object) -> None:
    assert parse_monitoring(build_monitoring(client)) == client  # type: ignore[arg-type]


def test_next_update_and_fetch_interval_are_read_back() -> None:
    assert parse_next_update(build_next_update(False)) is False
    assert parse_next_update(build_next_update(True)) is True
    assert parse_fetch_interval(build_fetch_interval(600)) == 600


@pytest.mark.parametrize("value", [b"0", b"-5", b"never", b"99999999999"])
def test_an_interval_out_of_bounds_is_refused(value: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_fetch_interval(build_fetch_interval(600).replace(b"600", value))


@given(st.binary(max_size=200), st.sampled_from([parse_monitoring, parse_next_update, parse_fetch_interval]))
def test_any_bytes_are_a_part_or_a_fault(data: bytes, parse: object) -> None:
    with pytest.raises(XRoadFault):
        parse(data)  # type: ignore[operator]
