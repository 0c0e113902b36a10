"""Refusals as the edge of a proxy describes them."""

from __future__ import annotations

from typing import Any

from gateway.messagelog import store
from gateway.messagelog.model import Refusal, RefusalContent, Side
from gateway.messagelog.tables import (
    archive_files,
    archived_entries,
    message_bodies,
    message_records,
    record_timestamps,
    refusals,
)
from gateway.runtime.clock import epoch_ms
from gateway.runtime.database import Database
from tests.factories.pki import NOON


def a_refusal(**changes: Any) -> RefusalContent:
    """A client that may not call a service, at noon."""
    said = RefusalContent(
        time_ms=epoch_ms(NOON),
        until_ms=epoch_ms(NOON),
        times=1,
        side=Side.PROVIDER,
        is_failure=False,
        fault_code="server.serverproxy.access_denied",
        text_id="access.denied",
        facts='{"client":"UA-DEMO/GOV/10000001/SNAP"}',
        address="127.0.2.1",
        x_request_id="r-1",
        query_id="q-1",
        client="UA-DEMO/GOV/10000001/SNAP",
        provider="UA-DEMO/GOV/10000002/DEMOGRAPHIC",
        service_code="GetPerson",
        service_version="v1",
        message_digest=bytes(64),
    )
    return said._replace(**changes)


def refusals_in(database: Database) -> list[Refusal]:
    """Every refusal that has an entry."""
    with database.reading() as connection:
        return list(store.walk_refusals(connection))


def archive_through(database: Database, last: int, *, delete_through: int = 0) -> None:
    """Remember entries as archived, and delete the rows of the oldest of them, as the archive does."""
    with database.reading() as connection:
        hashes = list(store.walk_hashes(connection, through=last))
    with database.transaction() as connection:
        connection.execute(
            archive_files.insert().values(
                id=1, group_name="", name="mlog.zip", location="mlog.zip", first_sequence=1, last_sequence=last,
                entries=last, size=1, last_digest="", digest_algorithm="SHA-512", created_ms=0,
            )
        )  # fmt: skip
        rows = [{"sequence": n, "file_id": 1, "name": None, "content_hash": content} for n, content in hashes]
        connection.execute(archived_entries.insert(), rows)
        for table in (record_timestamps, message_bodies, message_records, refusals):
            connection.execute(table.delete().where(table.c.sequence <= delete_through))
