"""`python -m tests.tampering [words]`: do every recipe, or those whose name has the words, and print what is found.

Exit status: 0 when every deed was found where it was done, with the leaves of a checkpoint and without.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from gateway.messagelog.completeness.model import Kind
from tests.tampering.deeds import is_found, is_within, look_with_leaves, look_without_leaves, make_original
from tests.tampering.recipes import RECIPES


def main(words: list[str]) -> int:
    """Print the table; return the exit status."""
    wanted = [recipe for recipe in RECIPES if " ".join(words) in recipe.name]
    width = max((len(recipe.name) for recipe in wanted), default=0)
    missed = 0
    print(f"{'recipe':{width}}  found        place    without leaves")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "untouched").mkdir()
        original = make_original(Path(folder) / "untouched")
        for number, recipe in enumerate(wanted):
            with original.copied(Path(folder) / str(number)) as superuser:
                recipe.do(superuser)
                exact, blurred = look_with_leaves(superuser, recipe), look_without_leaves(superuser)
            ranges = [f.place for f in blurred.findings if f.first is not None and f.kind is not Kind.CHECKPOINT]
            is_well = is_found(recipe, exact) and (recipe.deep or is_within(recipe, blurred))
            missed += not is_well
            found, place = (recipe.found.kind.value, recipe.found.place) if is_well else ("MISSED", "-")
            print(f"{recipe.name:{width}}  {found:11}  {place:7}  {', '.join(ranges) or '-'}", flush=True)
    print(f"{len(wanted) - missed} of {len(wanted)} deeds found in their place")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
