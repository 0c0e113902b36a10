"""Every parser takes a fixed set of mutated inputs; `make fuzz` goes on from there."""

from __future__ import annotations

import contextlib
import random

import pytest

from tests.fuzz.mutations import mutate
from tests.fuzz.targets import TARGETS

INPUTS = 300


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_mutated_input_is_parsed_or_refused_by_a_fault(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds()
    rng = random.Random(name)
    for _ in range(INPUTS):
        with contextlib.suppress(target.refuses_with):
            target.run(mutate(rng, seeds))


@pytest.mark.parametrize(
    "name",
    [
        "soap", "rest-part", "uxp-request", "transport", "signature", "container", "directory", "wsdl",
        "wsdl-for-callers",
    ],
)  # fmt: skip
def test_seed_is_accepted_as_it_is(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds():
        target.run(seed)
