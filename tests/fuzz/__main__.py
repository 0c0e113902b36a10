"""`make fuzz`: mutate each target's seeds for some seconds; what breaks the rule is kept and printed."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.fuzz.mutations import mutate
from tests.fuzz.targets import TARGETS, Target

FOUND = Path("build/fuzz")
SAVED = Path(__file__).with_name("corpus")


def fuzz(target: Target, seconds: float, seed: int) -> tuple[int, bytes | None]:
    """Return how many inputs were tried, and the first one that broke the rule."""
    rng = random.Random(seed)
    seeds = [*map(bytes, target.seeds()), *(path.read_bytes() for path in sorted((SAVED / target.name).glob("*")))]
    until = time.monotonic() + seconds
    tried, most = 0, len(seeds) + 200
    while time.monotonic() < until:
        data = mutate(rng, seeds)
        tried += 1
        try:
            target.run(data)
        except target.refuses_with:
            continue
        except Exception:
            return tried, data
        if len(seeds) < most:
            seeds.append(data)  # it was accepted: a good place to go on from
    return tried, None


def main() -> int:
    """Fuzz all targets, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="which parsers; all unless named")
    parser.add_argument("--seconds", type=float, default=30, help="for each target")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the same seed, the same inputs")
    options = parser.parse_args()
    broken = 0
    for name in options.targets or TARGETS:
        tried, data = fuzz(TARGETS[name], options.seconds, options.seed)
        if data is None:
            print(f"{name:20} {tried:8} inputs, all parsed or refused by a fault", flush=True)
            continue
        broken += 1
        FOUND.mkdir(parents=True, exist_ok=True)
        path = FOUND / f"{name}-{options.seed}.bin"
        path.write_bytes(data)
        print(f"{name:20} {tried:8} inputs, BROKEN by {path}", flush=True)
        try:
            TARGETS[name].run(data)
        except Exception as error:
            print(f"{'':20} {type(error).__name__}: {error}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
