"""Every parser takes the saved inputs and a fixed set of mutated ones; `make fuzz` goes on from there."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from tests.fuzz.mutations import mutate
from tests.fuzz.targets import TARGETS

INPUTS = 2000
CORPUS = Path(__file__).with_name("corpus")


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
        "soap", "soap-known", "rest-part", "uxp-request", "transport", "signature", "container", "directory", "wsdl",
        "wsdl-for-callers",
    ],
)  # fmt: skip
def test_seed_is_accepted_as_it_is(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds():
        target.run(seed)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_saved_input_is_parsed_or_refused_by_a_fault(path: Path) -> None:
    target = TARGETS[path.parent.name]
    with contextlib.suppress(target.refuses_with):
        target.run(path.read_bytes())


def test_every_folder_of_the_corpus_belongs_to_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} <= set(TARGETS)
