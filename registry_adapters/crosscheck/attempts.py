"""How often a client may be told that a declared value differs: a few times per person, kind and day.

Who could try on would find a registered income by halving. So an attempt is taken before registries are asked,
also by requests that come together, and given back only when its outcome was no difference.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select

from registry_adapters.crosscheck.tables import attempt
from registry_adapters.sdk.errors import RefusedError
from registry_adapters.sdk.operations import Call

KEPT: Final = timedelta(days=2)


def take_attempts(call: Call, subject: str, kinds: Iterable[str], limit: int) -> dict[str, str]:
    """Return the taken attempt of each kind. Raises RefusedError when one has none left today."""
    client, today = str(call.context.client), call.clock.now().date()
    mine = (attempt.c.client == client, attempt.c.subject == subject, attempt.c.day == today)
    used = select(attempt.c.kind, func.count().label("used")).where(*mine).group_by(attempt.c.kind)
    taken = {kind: str(uuid.uuid4()) for kind in kinds}
    with call.database.transaction() as connection:
        if not call.database.is_sqlite:  # SQLite's writers queue; here those who ask about one person do
            connection.execute(select(func.pg_advisory_xact_lock(zlib.crc32(f"{client} {subject}".encode()))))
        connection.execute(delete(attempt).where(attempt.c.day < today - KEPT))
        counts = {row.kind: row.used for row in connection.execute(used)}
        spent = sorted(kind for kind in taken if counts.get(kind, 0) >= limit)
        if spent:
            raise RefusedError("registry.check_attempts", kinds=", ".join(spent), limit=limit)
        connection.execute(
            insert(attempt),
            [
                {"id": number, "client": client, "subject": subject, "kind": kind, "day": today}
                for kind, number in taken.items()
            ],
        )
    return taken


def give_back(call: Call, attempts: Iterable[str]) -> None:
    """Give back attempts that told of no difference."""
    numbers = list(attempts)
    if numbers:
        with call.database.transaction() as connection:
            connection.execute(delete(attempt).where(attempt.c.id.in_(numbers)))
