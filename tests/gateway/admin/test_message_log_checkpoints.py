from __future__ import annotations

from pathlib import Path

import httpx

from gateway.admin import roles
from gateway.admin.api.message_log_checkpoints import checkpoint_router, show_status
from gateway.admin.app import admin_app
from gateway.messagelog.checkpoint_delivery import Delivery
from gateway.messagelog.checkpoints import CheckpointStatus
from gateway.runtime.database import Database
from gateway.xroad.checkpoint import parse_checkpoint, parse_export
from gateway.xroad.faults import SigningUnavailable
from tests.factories.ledger import a_checkpointer, refuse
from tests.factories.messagelog import a_logbook
from tests.factories.pki import NOON
from tests.factories.security_server import UNBOUND, a_server


def test_what_is_amiss_is_told_in_the_reader_s_language() -> None:
    failure = SigningUnavailable("token_not_active", "signer.token_not_active")
    delivery = Delivery("https://witness.test/", 7, NOON, "answered with status 500")
    shown = show_status(CheckpointStatus(9, None, failure, (delivery,)), "uk")
    assert (shown["ledger_size"], shown["newest"]) == (9, None)
    assert shown["error"]["code"] == "signer.token_not_active"
    (told,) = shown["deliveries"]
    assert (told["delivered"], told["failing_since"]) == (7, "2026-11-21T12:00:00.000Z")
    assert told["error"].startswith("Найновішу контрольну точку не вдалося доставити до https://witness.test/")


async def test_administrator_makes_one_and_observers_take_it_away(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path / "log") as book, a_server(tmp_path / "server") as server:
        checkpointer = a_checkpointer(book)
        app = admin_app(server.deps, UNBOUND, routers=(checkpoint_router(checkpointer, sqlite_database),))

        def client(*granted: str) -> httpx.AsyncClient:
            headers = {"Authorization": f"X-Road-ApiKey token={server.api_key(*granted)}"}
            return httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="https://ss.test/api/v1", headers=headers
            )

        async with client(roles.SYSTEM_ADMINISTRATOR) as administrator, client(roles.OBSERVER) as observer:
            empty = await administrator.post("/message-log/checkpoints")
            nothing = await observer.get("/message-log/checkpoints/newest")
            await refuse(book, 3)
            refused = await observer.post("/message-log/checkpoints")
            made = await administrator.post("/message-log/checkpoints")
            rebuilt = await administrator.post("/message-log/ledger/rebuild")
            shown = await observer.get("/message-log/checkpoints")
            export = await observer.get("/message-log/checkpoints/newest")
            note = await observer.get("/message-log/checkpoints/newest", params={"leaves": "false"})
        async with client(roles.SERVICE_ADMINISTRATOR) as other:
            assert (await other.get("/message-log/checkpoints/newest")).status_code == 403
        await checkpointer.stop()
    assert (empty.status_code, nothing.status_code, refused.status_code, made.status_code) == (409, 404, 403, 201)
    assert made.json() == rebuilt.json() == shown.json()
    assert (shown.json()["newest"]["size"], shown.json()["error"]) == (3, None)
    assert parse_export(export.content.splitlines(keepends=True)).leaves is not None
    assert parse_checkpoint(note.content).head.size == 3
    assert export.headers["content-type"].startswith("text/plain")
