"""Do a recipe on a copy of the log, and ask what is found."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.archive.reader import ArchiveReader
from gateway.messagelog.bodies import BodyStore
from gateway.messagelog.completeness.check import check_completeness
from gateway.messagelog.completeness.model import Completeness
from gateway.messagelog.reader import MessageReader
from gateway.runtime.database import Database, open_database
from gateway.xroad.checkpoint import parse_export
from tests.tampering.superuser import Superuser
from tests.tampering.table import Recipe
from tests.tampering.untouched import TAKEN, Untouched, a_globalconf, build, copy_of


@dataclass(frozen=True)
class Original:
    """The untouched log in a folder, with its database as a file."""

    folder: Path
    untouched: Untouched

    @contextmanager
    def copied(self, target: Path) -> Iterator[Superuser]:
        """Lend a copy."""
        target.mkdir()
        shutil.copy(self.folder / "log.db", target / "log.db")
        database = open_database(f"sqlite:///{target}/log.db")
        try:
            yield Superuser(database, copy_of(self.untouched, target))
        finally:
            database.close()


def make_original(folder: Path) -> Original:
    """Build the log in an empty folder."""
    database = open_database(f"sqlite:///{folder}/log.db")
    try:
        return Original(folder, asyncio.run(build(database, folder)))
    finally:
        database.close()  # the last one to close it leaves one file behind


def look(database: Database, here: Untouched, *texts: bytes, deep: bool) -> Completeness:
    """Check a log against what an auditor took away."""
    with ArchiveReader(FolderPlace(here.archives)) as archives:
        return check_completeness(
            database,
            [parse_export(text.splitlines(keepends=True)) for text in texts],
            reader=MessageReader(BodyStore(here.bodies)),
            archives=archives,
            trust=lambda _: a_globalconf(),
            deep=deep,
        )


def look_with_leaves(s: Superuser, recipe: Recipe) -> Completeness:
    """Check against the newest checkpoint, exported with its leaves."""
    return look(s.database, s.here, s.here.exports[TAKEN], deep=recipe.deep)


def look_without_leaves(s: Superuser) -> Completeness:
    """Check against the text of all checkpoints that were taken away."""
    return look(s.database, s.here, *s.here.notes.values(), deep=False)


def is_found(recipe: Recipe, result: Completeness) -> bool:
    """Tell whether everything was found that the recipe expects, in its place, and nothing else."""
    found = {(finding.kind, finding.first, finding.last) for finding in result.findings}
    return found == {(one.kind, *one.ends) for one in (recipe.found, *recipe.also)}


def is_within(recipe: Recipe, result: Completeness) -> bool:
    """Tell whether something was found in a range that holds the recipe's place."""
    first = recipe.found.first
    ranges = [(finding.first, finding.last) for finding in result.findings]
    return first is None or any(a is not None and b is not None and a <= first <= b for a, b in ranges)
