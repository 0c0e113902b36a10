"""Request ids and boundaries."""

from __future__ import annotations

import uuid

from gateway.exchange.boundaries import new_boundary, new_request_id


def test_request_ids_are_random_uuids() -> None:
    ids = {new_request_id() for _ in range(200)}

    assert len(ids) == 200
    assert {(uuid.UUID(made).version, uuid.UUID(made).variant) for made in ids} == {(4, uuid.RFC_4122)}
    assert all(str(uuid.UUID(made)) == made for made in ids)


def test_boundaries_are_letters() -> None:
    assert new_boundary().isalpha()
    assert new_boundary() != new_boundary()
