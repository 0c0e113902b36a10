"""No auditor is answered anything of a member that is not granted: the whole matrix, over a real log.

Four subsystems of two members leave one exchange of each kind, every text in it marked with a word of
its own. Each auditor asks everything: every route of the API with every parameter, every page of the
console, every verb of the command line. Routes are read from the routers, so a new one that is not in
the tables below fails here. No answer may hold a word, an identifier or a number of somebody else's.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import APIRoute
from typer.testing import CliRunner, Result

from gateway.auditing.api import audit_router
from gateway.auditing.console.app import audit_pages
from gateway.cli.audit import app as commands
from gateway.runtime.console.app import Console, console_app, entrance
from gateway.runtime.console.visitors import OneVisitor
from gateway.xroad.checkpoint import build_checkpoint
from gateway.xroad.identifiers import encode_path
from tests.factories.ledger import a_checkpoint, a_head
from tests.gateway.auditing.matrix import (
    AUDITORS,
    MARKS,
    NOBODY,
    NOT_THERE,
    REASON,
    Site,
    a_matrix_site,
    assert_nothing_foreign,
    unpacked,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with a_matrix_site(tmp_path_factory.mktemp("site")) as made:
        yield made


# What is asked. A path without its prefix -> whether it names an exchange, an entry, an export or nothing.

Asked = tuple[str, str, dict[str, Any]]  # method, path, options of httpx


def by_number(path: str, **parameters: str) -> Callable[[Site, str], list[Asked]]:
    def asked(site: Site, _name: str) -> list[Asked]:
        return [("GET", path.format(number), {"params": parameters}) for number in (*site.parties, NOT_THERE)]

    return asked


def searches(path: str, *, all_conditions: bool = False, **more: str) -> Callable[[Site, str], list[Asked]]:
    def asked(_site: Site, _name: str) -> list[Asked]:
        return [("GET", path, {"params": {**query, **more}}) for query in queries(all_conditions=all_conditions)]

    return asked


def queries(*, all_conditions: bool) -> list[dict[str, str]]:
    """Every condition with a value of each subsystem, exact and as the beginning of a text; or the widest of them."""
    found: list[dict[str, str]] = [{}, {"client": "UA-DEMO*"}, {"client": "*"}, {"outcome": "refused"}]
    if not all_conditions:
        return found
    found += [{"side": "provider"}, {"since": "2026-11-21"}, {"until": "2026-11-21"}]
    for party, word in (*MARKS.items(), (None, NOBODY)):
        texts = {
            "query_id": f"{word}-soap", "x_request_id": f"{word}-request", "issue": f"{word}-case",
            "purpose": f"{word}-purpose", "user_id": f"{word}-clerk", "fault_code": f"server.{word}",
            "represented_party": f"{word}-party",
        }  # fmt: skip
        found += [{name: text} for name, text in texts.items()]
        found += [{name: f"{word[:4]}*"} for name in ("query_id", "issue")]
        if party is not None:
            found += [{"client": encode_path(party)}, {"client": encode_path(party.member)}]
            found += [{"service": f"{encode_path(party)}/{word}Own"}, {"service": encode_path(party)}]
    return found


def exports_of_all(method: str, path: str) -> Callable[[Site, str], list[Asked]]:
    def asked(site: Site, name: str) -> list[Asked]:
        return [(method, path.format(job), {}) for owner, job in site.exports.items() if owner != name]

    return asked


ROUTES: Final[dict[tuple[str, str], Callable[[Site, str], list[Asked]]]] = {
    ("GET", "/exchanges"): searches("/audit/exchanges", all_conditions=True, limit="500"),
    ("GET", "/exchanges/count"): searches("/audit/exchanges/count"),
    ("GET", "/exchanges/sample"): searches("/audit/exchanges/sample", size="100", seed="s"),
    ("GET", "/exchanges/{exchange_id}"): by_number("/audit/exchanges/{}"),
    ("GET", "/exchanges/{exchange_id}/related"): by_number("/audit/exchanges/{}/related"),
    ("GET", "/exchanges/{exchange_id}/report"): by_number("/audit/exchanges/{}/report", language="uk"),
    ("GET", "/entries/{sequence}"): by_number("/audit/entries/{}"),
    ("GET", "/entries/{sequence}/message"): by_number("/audit/entries/{}/message", reason=REASON, form="raw"),
    ("GET", "/entries/{sequence}/attachments/{number}"): by_number("/audit/entries/{}/attachments/1", reason=REASON),
    ("GET", "/entries/{sequence}/container"): by_number("/audit/entries/{}/container", reason=REASON),
    ("GET", "/entries/{sequence}/verdict"): by_number("/audit/entries/{}/verdict"),
    ("GET", "/entries/{sequence}/proof"): by_number("/audit/entries/{}/proof"),
    ("GET", "/refusals/{sequence}"): by_number("/audit/refusals/{}"),
    ("GET", "/status"): lambda *_: [("GET", "/audit/status", {})],
    ("POST", "/exports"): lambda *_: [("POST", "/audit/exports", {"json": {"reason": REASON, "client": "*"}})],
    ("GET", "/exports"): lambda *_: [("GET", "/audit/exports", {})],
    ("GET", "/exports/{export_id}"): exports_of_all("GET", "/audit/exports/{}"),
    ("GET", "/exports/{export_id}/file"): exports_of_all("GET", "/audit/exports/{}/file"),
    ("DELETE", "/exports/{export_id}"): exports_of_all("DELETE", "/audit/exports/{}"),
    ("GET", "/checkpoints/newest"): lambda *_: [("GET", "/audit/checkpoints/newest", {})],
    ("POST", "/checkpoints"): lambda *_: [("POST", "/audit/checkpoints", {})],
    ("POST", "/completeness"): lambda site, _: [("POST", "/audit/completeness", {"content": site.note})],
}


async def test_every_route_of_the_api_is_in_the_matrix(site: Site) -> None:
    routes = {
        (method, route.path.removeprefix("/audit"))
        for route in audit_router(site.deps).routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert routes == set(ROUTES)


@pytest.mark.parametrize("name", AUDITORS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: " ".join(route))
async def test_no_route_answers_anything_foreign(site: Site, route: tuple[str, str], name: str) -> None:
    own = {str(number) for number in site.own(name)}
    absent = set()
    async with site.client(name) as client:
        for method, path, options in ROUTES[route](site, name):
            answer = await client.request(method, path, **options)
            assert answer.status_code < 500, (path, answer.text)
            assert_nothing_foreign(name, unpacked(answer.content), (path, options))
            assert_nothing_foreign(name, str(answer.headers), (path, options))
            number = re.search(r"/(?:exchanges|entries|refusals)/(\d+)", path)
            if (number is not None and number[1] not in own) or "{export_id}" in route[1]:
                absent.add((answer.status_code, answer.content, tuple(sorted(answer.headers))))
    # What is foreign is answered byte for byte as what is not there.
    assert {status for status, _, _ in absent} <= {404}
    assert len(absent) <= 1


@pytest.mark.parametrize("name", AUDITORS)
async def test_what_is_granted_is_answered_in_full(site: Site, name: str) -> None:
    """So that the tests above do not pass because nothing is ever answered."""
    async with site.client(name) as client:
        found = (await client.get("/audit/exchanges")).json()["items"]
        assert {one["party"] for one in found} == {site.parties[number] for number in site.own(name)}
        assert (await client.get("/audit/exchanges/count")).json()["count"] == len(found)
        for one in found:
            assert (await client.get(f"/audit/exchanges/{one['id']}")).status_code == 200
            if one["request"] is not None:
                verdict = (await client.get(f"/audit/entries/{one['request']}/verdict")).json()
                assert verdict["result"] == "valid", verdict
            number = one["refusal"] or one["request"]
            proof = (await client.get(f"/audit/entries/{number}/proof")).json()
            assert proof["size"] == site.last


@pytest.mark.parametrize("name", AUDITORS)
async def test_own_export_holds_nothing_foreign(site: Site, name: str) -> None:
    async with site.client(name) as client:
        content = (await client.get(f"/audit/exports/{site.exports[name]}/file")).content
        assert_nothing_foreign(name, unpacked(content), "export")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            counts = json.loads(archive.read("manifest.json"))["counts"]
        assert counts["containers"] + counts["refusals"] == len(site.own(name))
        assert counts["missing"] == 0


@pytest.mark.parametrize("name", AUDITORS)
async def test_findings_about_foreign_entries_say_no_more_than_where(site: Site, name: str) -> None:
    """Here against a checkpoint of a log that had more entries than this one."""
    leaf = hashlib.sha256(b"x").digest()
    other = build_checkpoint(a_checkpoint(a_head(size=site.last + 5, root=leaf), stamped_at=site.book.clock.now()))
    async with site.client(name) as client:
        answer = await client.post("/audit/completeness", content=other)
        assert_nothing_foreign(name, answer.content, "completeness")


# Pages


def pages_by_number(path: str) -> Callable[[Site, str], list[Asked]]:
    def asked(site: Site, name: str) -> list[Asked]:
        return [("GET", path.format(number=number), {}) for number in (*site.probed(name), NOT_THERE)]

    return asked


def forms_by_number(path: str) -> Callable[[Site, str], list[Asked]]:
    def asked(site: Site, name: str) -> list[Asked]:
        return [("POST", path.format(number=number), {"data": {"reason": REASON}}) for number in site.probed(name)]

    return asked


_PATH = "/audit/exchanges/{exchange_id}/{sequence}"
_ENTRY = "/audit/exchanges/{number}/{number}"
DRAW = {"size": "99", "seed": "s", "through": "99"}

PAGES: Final[dict[tuple[str, str], Callable[[Site, str], list[Asked]]]] = {
    ("GET", "/audit"): lambda *_: [("GET", "/audit", {})],
    ("GET", "/audit/help"): lambda *_: [("GET", "/audit/help", {})],
    ("GET", "/audit/search"): lambda *_: [("GET", "/audit/search", {"params": {"search": "1"}})],
    ("GET", "/audit/sample"): lambda *_: [
        ("GET", "/audit/sample", {"params": {"size": "99", "seed": "s", "through": "99"}})
    ],
    ("GET", "/audit/sample.csv"): searches("/audit/sample.csv", **DRAW),
    ("POST", "/audit/exchanges/{exchange_id}/reveal"): forms_by_number("/audit/exchanges/{number}/reveal"),
    ("GET", "/audit/exchanges/{exchange_id}"): pages_by_number("/audit/exchanges/{number}"),
    ("GET", f"{_PATH}/container"): pages_by_number(f"{_ENTRY}/container"),
    ("GET", "/audit/exchanges/{exchange_id}/{sequence}/attachments/{number}"): pages_by_number(
        f"{_ENTRY}/attachments/1"
    ),
    ("GET", f"{_PATH}/proof"): pages_by_number(f"{_ENTRY}/proof"),
    ("GET", "/audit/exchanges/{exchange_id}/report"): pages_by_number("/audit/exchanges/{number}/report"),
    ("GET", "/audit/exchanges/{exchange_id}/report.html"): pages_by_number("/audit/exchanges/{number}/report.html"),
    ("POST", "/audit/exchanges/{exchange_id}/hide"): forms_by_number("/audit/exchanges/{number}/hide"),
    ("GET", "/audit/exports"): lambda *_: [("GET", "/audit/exports", {})],
    ("GET", "/audit/exports/new"): lambda *_: [("GET", "/audit/exports/new", {})],
    ("POST", "/audit/exports/new"): lambda *_: [("POST", "/audit/exports/new", {"data": {"grounds": REASON}})],
    ("GET", "/audit/exports/{export_id}"): exports_of_all("GET", "/audit/exports/{}"),
    ("GET", "/audit/exports/{export_id}/file"): exports_of_all("GET", "/audit/exports/{}/file"),
    ("GET", "/audit/exports/{export_id}/delete"): exports_of_all("GET", "/audit/exports/{}/delete"),
    ("POST", "/audit/exports/{export_id}/delete"): exports_of_all("POST", "/audit/exports/{}/delete"),
    ("GET", "/audit/checkpoint"): lambda *_: [("GET", "/audit/checkpoint", {})],
    ("GET", "/audit/completeness"): lambda *_: [("GET", "/audit/completeness", {})],
    ("POST", "/audit/completeness"): lambda site, _: [
        ("POST", "/audit/completeness", {"files": {"note": ("checkpoint.txt", site.note)}})
    ],
    ("GET", "/audit/completeness/{check_id}"): lambda *_: [("GET", "/audit/completeness/0123456789abcdef", {})],
}


async def test_every_page_is_in_the_matrix(site: Site) -> None:
    part = audit_pages(site.deps)
    app = FastAPI()
    app.include_router(part.router, prefix=part.prefix)
    routes = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    assert routes == set(PAGES)


@pytest.mark.parametrize("name", AUDITORS)
async def test_no_page_shows_anything_foreign(site: Site, name: str) -> None:
    one = OneVisitor(site.people()[name])
    console = Console(
        one, lambda: "SS1", [audit_pages(site.deps), entrance(one)], secure=False, signs_in=False,
        requests_per_second=0, requests_per_minute=0,
    )  # fmt: skip
    transport = httpx.ASGITransport(console_app(console))
    async with httpx.AsyncClient(transport=transport, base_url="http://ss.test", follow_redirects=True) as browser:
        await browser.get(f"/enter?key={one.key}")
        found = re.search(r'name="csrf_token" value="([^"]+)"', (await browser.get("/audit/exports/new")).text)
        assert found is not None
        for method, path, options in [asked for ask in PAGES.values() for asked in ask(site, name)]:
            if method == "POST":
                options = {**options, "data": {**options.get("data", {}), "csrf_token": found[1]}}
            answer = await browser.request(method, path, **options)
            assert answer.status_code < 500, (path, answer.text)
            assert_nothing_foreign(name, unpacked(answer.content), (path, options))
            number = re.match(r"/audit/exchanges/(\d+)", path)
            if number is not None and int(number[1]) not in site.own(name) and not path.endswith("/hide"):
                assert answer.status_code == 404 or answer.url.path == f"/audit/exchanges/{number[1]}", path


# Commands


async def ask(site: Site, name: str, verb: str, *arguments: object) -> Result:
    place = ["--server", site.url, "--key-file", site.folder / name, "--ca", site.folder / "admin.crt"]
    words = [verb, *map(str, (*arguments, *place))]
    return await asyncio.to_thread(CliRunner().invoke, commands, words)


@pytest.mark.parametrize("name", AUDITORS)
async def test_no_command_prints_or_writes_anything_foreign(site: Site, name: str, tmp_path: Path) -> None:
    foreign = site.foreign(name)[0]
    own = site.own(name)
    note = tmp_path / "kept.txt"
    note.write_bytes(site.note)
    verbs: dict[str, list[tuple[object, ...]]] = {
        "search": [("--json",), ("--query-id", "*"), ("--client", "UA-DEMO*", "--json")],
        "show": [(foreign,), (foreign, "--json", "--reason", REASON, "--documents", tmp_path / "documents")],
        "sample": [("--size", 100, "--seed", "s", "--json")],
        "export": [("-o", tmp_path / "export.zip", "--reason", REASON, "--json")],
        "completeness": [("--checkpoint", note, "--take", tmp_path / "taken.txt", "--json")],
        "verify": [("--reason", REASON, "--all", "--extract", tmp_path / "extracted")],
    }
    assert {command.name for command in commands.registered_commands} == {*verbs, "serve"}  # which asks no server
    for verb, calls in verbs.items():
        for arguments in calls:
            result = await ask(site, name, verb, *arguments)
            assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit)
            assert_nothing_foreign(name, result.output, (verb, arguments))
            assert result.exit_code == 1 if verb == "show" else True, result.output
    for path in tmp_path.rglob("*"):
        assert_nothing_foreign(name, path.name, path)
        if path.is_file():
            assert_nothing_foreign(name, unpacked(path.read_bytes()), path)
    shown = await ask(site, name, "search", "--json", "--limit", 100)
    assert len(json.loads(shown.stdout)["items"]) == json.loads(shown.stdout)["count"] <= len(own)
