"""Boundaries of transport messages."""

from __future__ import annotations

from gateway.exchange.boundaries import new_boundary


def test_boundaries_are_letters_and_new_each_time() -> None:
    made = {new_boundary() for _ in range(100)}

    assert len(made) == 100
    assert all(letters.isalpha() and len(letters) == 30 for letters in made)
