from __future__ import annotations

from importlib import resources

import alembic.command
import alembic.config
import pytest
from sqlalchemy import text

from gateway.runtime.database import Database
from registry_adapters.demographic.registry import registry
from registry_adapters.population.seeding import SeedMismatchError
from registry_adapters.sdk.registry import prepare
from tests.factories.registry import FEW

PERSON = "INSERT INTO person VALUES (9, NULL, NULL, 'a', 'b', NULL, 'a|b', NULL, 'male', '2000-01-01', 'c', 'UKR', %s)"
DOCUMENT = "INSERT INTO document VALUES ('000000009', 9, 'id_card', '2020-01-01', NULL, '1', 'in_force')"
LOOK = (
    "INSERT INTO access_log (noted_at, operation, outcome, matched_by, subject, dialect, client, message_id, purposes) "
    "VALUES ('2026-01-01 00:00:00', 'GetPerson', 'found', 'unzr', '9', 'rest', 'c', 'm', '')"
)


def test_older_database_keeps_its_looks_and_is_not_filled_with_others_under_the_same_numbers(
    database: Database,
) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(resources.files(registry.migrations or "")))
    with database.transaction() as connection:
        config.attributes |= {"connection": connection, "version_table": "alembic_version_demographic"}
        alembic.command.upgrade(config, "0001")
        connection.execute(text(PERSON % "FALSE, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"))
        for statement in (DOCUMENT, LOOK, "INSERT INTO seeding VALUES (1, 1, 'demographic-1', 9)"):
            connection.execute(text(statement))
    with pytest.raises(SeedMismatchError, match="demographic-1"):
        prepare(registry, database, FEW)
    with database.reading() as connection:
        assert connection.execute(text("SELECT subject, sealed FROM access_log")).all() == [("9", False)]
        assert connection.execute(text("SELECT count(*) FROM person")).scalar_one() == 0
