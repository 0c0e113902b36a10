from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from gateway.admin import roles
from gateway.admin.api.message_log_archive import archive_router, show_state
from gateway.admin.app import admin_app
from gateway.messagelog.archive.archiver import Tally
from gateway.messagelog.archive.retention import Removed
from gateway.messagelog.archive.service import ArchiveState
from gateway.messagelog.archive.transfer import TransferFailure
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.pki import NOON
from tests.factories.security_server import UNBOUND, a_server


def a_state(**changes: Any) -> ArchiveState:
    facts: dict[str, Any] = {
        "place": "s3://evidence/ss1",
        "is_running": False,
        "finished_runs": 3,
        "finished_at": NOON,
        "archived_through": 7,
        "archivable_through": 9,
        "last_sequence": 10,
        "files": 2,
        "tally": Tally(archived_through=7, target=7, entries=4, files=1),
        "removed": Removed(records=1),
        "failure": None,
        "transfer_failure": None,
        "waiting_file": None,
        "unverified_count": 0,
        "unverified": (),
    }
    return ArchiveState(**{**facts, **changes})


def test_state_is_shown_in_the_reader_s_language() -> None:
    failure = LoggingUnavailable("internal_error", "archive.place", place="s3://evidence/ss1", reason="refused")
    shown = show_state(
        a_state(
            failure=failure,
            transfer_failure=TransferFailure("mlog-1.zip", NOON, "status 1"),
            unverified_count=30,
            unverified=((4, "the contents of the record were changed"),),
        ),
        "uk",
    )
    assert shown["error"]["code"] == "archive.place"
    assert shown["error"]["message"].startswith("Архів у s3://evidence/ss1 недоступний")
    assert shown["transfer_error"]["message"].startswith("Команда передавання")
    assert shown["unverified"] == [{"sequence": 4, "reason": "the contents of the record were changed"}]
    assert (shown["run"]["entries"], shown["run"]["removed"]["records"]) == (4, 1)


async def test_who_may_see_it_sees_and_an_administrator_asks_for_a_run(tmp_path: Path) -> None:
    asked: list[None] = []

    async def state() -> ArchiveState:
        return a_state()

    async with a_server(tmp_path) as server:
        router = archive_router(state, lambda: asked.append(None))
        app = admin_app(server.deps, UNBOUND, routers=(router,))

        def client(*granted: str) -> httpx.AsyncClient:
            headers = {"Authorization": f"X-Road-ApiKey token={server.api_key(*granted)}"}
            return httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="https://ss.test/api/v1", headers=headers
            )

        async with client(roles.OBSERVER) as observer:
            assert (await observer.get("/message-log/archive")).json()["archived_through"] == 7
            assert (await observer.post("/message-log/archive")).status_code == 403
        async with client(roles.SECURITY_OFFICER) as officer:
            assert (await officer.get("/message-log/archive")).status_code == 403
        assert asked == []
        async with client(roles.SYSTEM_ADMINISTRATOR) as administrator:
            answer = await administrator.post("/message-log/archive")
    assert (answer.status_code, answer.json()["finished_runs"], asked) == (202, 3, [None])
