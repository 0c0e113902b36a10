"""The same pages over the rows of a server, over its archives, and over archives alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.auditing.console.app import audit_pages
from gateway.auditing.console.archives import ListFiles, files_in, stored_files
from gateway.auditing.deps import AuditDeps
from gateway.auditing.model import AUDITOR, Query, Scope
from gateway.messagelog.archive.places import FolderPlace, open_place
from gateway.runtime.accounts.model import Principal
from gateway.runtime.audit.trail import Trail
from gateway.runtime.console.app import Console, console_app, entrance
from gateway.runtime.console.visitors import OneVisitor
from gateway.runtime.database import Database
from tests.factories.sources import KINDS, Seen, a_source_over
from tests.gateway.auditing.console.site import tree_of

ALL = Scope(frozenset({"*"}))


@asynccontextmanager
async def a_console(
    seen: Seen, *, archives: ListFiles | None = None, scope: str = "*"
) -> AsyncIterator[httpx.AsyncClient]:
    """The console of a program for one person, entered with its key."""
    one = OneVisitor(Principal("auditor", frozenset({AUDITOR}), scope))
    (seen.folder / "audit").mkdir(exist_ok=True)
    deps = AuditDeps(seen.source, Trail(seen.folder / "audit", seen.book.clock), seen.book.clock, lambda: "here")
    parts = [audit_pages(deps, archives), entrance(one)]
    app = console_app(Console(one, lambda: "here", parts, secure=False, signs_in=False, requests_per_second=0))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://console.test", follow_redirects=True) as client:
        assert (await client.get("/enter", params={"key": one.key})).status_code == 200
        yield client


@pytest.mark.parametrize("kind", KINDS)
async def test_every_exchange_can_be_read_and_every_message_is_genuine(
    sqlite_database: Database, tmp_path: Path, kind: str
) -> None:
    async with a_source_over(kind, sqlite_database, tmp_path) as seen, a_console(seen) as client:
        for exchange in seen.source.walk(Query(), ALL):
            page = await client.get(f"/audit/exchanges/{exchange.id}")
            assert page.status_code == 200
            text = " ".join(tree_of(page).text_content().split())
            assert "19900101-00017" not in text
            for half, number in (("The request", exchange.request), ("The answer", exchange.response)):
                assert (f"{half}: genuine" in text) == (number is not None)
            assert (await client.get(f"/audit/exchanges/{exchange.id}/report")).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
async def test_state_and_search_know_the_whole_source(sqlite_database: Database, tmp_path: Path, kind: str) -> None:
    async with a_source_over(kind, sqlite_database, tmp_path) as seen, a_console(seen) as client:
        assert "What is here" in (await client.get("/audit")).text
        found = await client.get("/audit/search", params={"issue": "case-1"})
        expected = [one.id for one in seen.source.search(Query(issue="case-1"), ALL).exchanges]
        links = tree_of(found).xpath("//table//a[starts-with(@href, '/audit/exchanges/')]/@href")
        assert [int(link.rpartition("/")[2]) for link in links] == expected != []


async def test_archives_of_a_server_are_listed_with_what_they_hold(sqlite_database: Database, tmp_path: Path) -> None:
    listed = stored_files(sqlite_database, open_place)
    async with (
        a_source_over("archives of a server", sqlite_database, tmp_path, grouping="member") as seen,
        a_console(seen, archives=listed) as client,
    ):
        page = (await client.get("/audit/archives")).text
        names = [path.name for path in (tmp_path / "archive").glob("*.zip")]
        assert len(names) > 1
        assert all(name in page for name in names)
        assert "not here" not in page
        (tmp_path / "archive" / names[0]).rename(tmp_path / names[0])
        assert (await client.get("/audit/archives")).text.count("not here") == 1


async def test_archives_alone_are_listed_as_they_lie_there(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_source_over("archives alone", sqlite_database, tmp_path) as seen:
        listed = files_in(FolderPlace(tmp_path / "archive"), {})
        async with a_console(seen, archives=listed) as client:
            page = (await client.get("/audit/archives")).text
            names = [path.name for path in (tmp_path / "archive").glob("mlog-*")]
            assert all(name in page for name in names)


async def test_names_of_archives_are_for_those_who_may_see_everything(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with a_source_over("archives of a server", sqlite_database, tmp_path) as seen:
        listed = stored_files(sqlite_database, open_place)
        async with a_console(seen, archives=listed, scope="UA-DEMO/GOV/10000001") as client:
            answer = await client.get("/audit/archives")
            assert answer.status_code == 403
            assert "mlog-" not in answer.text


async def test_an_odd_place_in_the_list_is_no_error(sqlite_database: Database, tmp_path: Path) -> None:
    listed = stored_files(sqlite_database, open_place)
    async with (
        a_source_over("archives of a server", sqlite_database, tmp_path) as seen,
        a_console(seen, archives=listed) as client,
    ):
        for start in ("-1", "x", "9" * 30, "5"):
            assert (await client.get("/audit/archives", params={"start": start})).status_code == 200
