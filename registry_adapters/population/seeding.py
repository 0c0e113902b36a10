"""Fill a registry with what a population gives it: chunk by chunk, resumable, told apart by seed.

Each chunk is one transaction together with the mark of how far it came, so a filling that was killed
goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select, update

from gateway.runtime.database import Database
from registry_adapters.population.people import people

CHUNK: Final = 5000

Progress = Callable[[int, int], None]  # persons there, persons wanted
RowsOf = Callable[[Sequence[Any], Connection], None]  # writes what these persons give the registry


class SeedMismatchError(RuntimeError):
    """The database holds another population than the settings name."""


def seed_table(metadata: MetaData) -> Table:
    """Add the table with one row: which population is being made, and how far it has come."""
    return Table(
        "seeding",
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("seed", Integer, nullable=False),
        Column("generator", String(32), nullable=False),
        Column("persons", Integer, nullable=False),
    )


def seed_rows(
    database: Database,
    table: Table,
    generator: str,
    seed: int,
    persons: int,
    write: RowsOf,
    progress: Progress | None = None,
    population: Callable[[int], Iterator[Any]] = people,
) -> int:
    """Make what is missing of the first `persons` persons; return for how many.

    `population` yields one item a person: the record itself, or with what is to be known of the neighbours.
    `generator` changes when the same seed would give other rows. `write` is shown each person once, in order,
    but after a pause not those who are there: what it makes of one depends on the seed and that person, not
    on what it drew before. Raises SeedMismatchError over another seed's persons.
    """
    with database.transaction() as connection:
        done = _mark(connection, table, generator, seed)
    if done >= persons:
        return 0
    source = islice(population(seed), done, None)
    added = 0
    while done < persons:
        chunk = list(islice(source, min(CHUNK - done % CHUNK, persons - done)))
        with database.transaction() as connection:
            write(chunk, connection)
            done += len(chunk)
            connection.execute(update(table).values(persons=done))
        added += len(chunk)
        if progress:
            progress(done, persons)
    return added


def _mark(connection: Connection, table: Table, generator: str, seed: int) -> int:
    row = connection.execute(select(table)).one_or_none()
    if row is None:
        connection.execute(insert(table).values(id=1, seed=seed, generator=generator, persons=0))
        return 0
    if (row.seed, row.generator) != (seed, generator):
        raise SeedMismatchError(
            f"the database holds the population of seed {row.seed} made by {row.generator}, "
            f"not of seed {seed} by {generator}: name that seed, or another database"
        )
    return int(row.persons)
