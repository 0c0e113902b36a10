"""The composition root of the archiver's process: `python -m gateway.archiving`, started by the server.

It opens the log for reading only. Everything that changes the log goes back to the server that
started it, over standard output.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.auditing.configurations import HistoricConfigurations
from gateway.configuration_client.cache import Cache
from gateway.configuration_client.history import History
from gateway.messagelog.archive.archiver import Archiver, Tally
from gateway.messagelog.archive.entries import ConfigurationAt, EntrySource
from gateway.messagelog.archive.journal import Journal
from gateway.messagelog.archive.order import ArchiveOrder, read_order
from gateway.messagelog.archive.places import open_place
from gateway.messagelog.archive.worker import serve
from gateway.messagelog.bodies import BodyStore
from gateway.messagelog.encryption import LogKeys
from gateway.messagelog.reader import MessageReader
from gateway.runtime import logs
from gateway.runtime.clock import SystemClock
from gateway.runtime.database import Database, open_database

if TYPE_CHECKING:  # the settings of a whole server are nothing that the archiver's process needs
    from gateway.paths import StatePaths


def order_of(paths: StatePaths) -> ArchiveOrder:
    """Return the order for a security server: an archive in a folder is staged there, any other in the state."""
    settings = paths.settings.archive
    in_folder = "://" not in settings.url
    place = str(paths.root.joinpath(settings.url or "archive").absolute()) if in_folder else settings.url
    return ArchiveOrder(
        database_url=paths.message_log_url,
        bodies=paths.bodies,
        encryption_key_file=paths.settings.messagelog.records.encryption_key_file,
        globalconf=paths.globalconf,
        history=paths.history,
        # A rename within a folder is one step.
        staging=Path(place, ".staging") if in_folder else paths.root / "archive-staging",
        place=place,
        settings=settings,
    )


def build_archiver(
    order: ArchiveOrder,
    database: Database,
    configuration_at: ConfigurationAt,
    journal: Journal,
    progress: Callable[[Tally], None] = lambda _: None,
) -> Archiver:
    """Return the archiver that an order asks for."""
    settings = order.settings
    messages = MessageReader(BodyStore(order.bodies), LogKeys(order.encryption_key_file))
    return Archiver(
        database=database,
        entries=EntrySource(database, messages, configuration_at, settings.digest_algorithm, order.staging),
        place=open_place(order.place, endpoint=settings.s3_endpoint, region=settings.s3_region),
        staging=order.staging,
        settings=settings,
        journal=journal,
        clock=SystemClock(),
        progress=progress,
    )


def _work(facts: dict[str, Any], journal: Journal, progress: Callable[[Tally], None]) -> Tally:
    order = read_order(facts)
    cache = Cache(order.globalconf)
    configurations = HistoricConfigurations(History(order.history), lambda: cache.read_anchor().anchor, grows=True)
    database = open_database(order.database_url, pool_size=1)
    try:
        return build_archiver(order, database, lambda at: configurations(at).globalconf, journal, progress).run()
    finally:
        database.close()


if __name__ == "__main__":
    logs.configure()
    serve(_work)
