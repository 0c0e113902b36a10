from __future__ import annotations

from gateway.runtime.database import Database
from gateway.serverconf import store
from gateway.serverconf.model import ClientStatus, ConnectionType
from gateway.serverconf.provider import ServerConfProvider
from gateway.xroad.identifiers import MemberId

OWNER = MemberId("TEST", "GOV", "1001")


def add_owner(database: Database) -> None:
    with database.transaction() as tx:
        store.add_client(tx, OWNER, status=ClientStatus.SAVED, connection_type=ConnectionType.HTTP)


async def test_snapshot_stays_until_it_is_refreshed(migrated: Database) -> None:
    provider = ServerConfProvider(migrated)
    before = provider.current()
    add_owner(migrated)
    assert provider.current() is before
    await provider.refresh()
    assert provider.current().find_client(OWNER) is not None
    assert before.find_client(OWNER) is None


async def test_unchanged_configuration_is_not_read_again(migrated: Database) -> None:
    add_owner(migrated)
    provider = ServerConfProvider(migrated)
    before = provider.current()
    await provider.refresh()
    assert provider.current() is before


async def test_change_of_another_process_is_noticed(migrated: Database) -> None:
    here, there = ServerConfProvider(migrated), ServerConfProvider(migrated)
    add_owner(migrated)
    await here.refresh()
    await there.refresh()
    assert here.current().clients == there.current().clients != {}
