from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from gateway.runtime.accounts.model import Principal
from gateway.runtime.admin_api import (
    AdminApiSettings,
    ApiError,
    ApiWarning,
    install_error_handlers,
    protect,
    warnings_detected,
)
from gateway.runtime.audit.file_watch import FileWatch, files_below
from gateway.runtime.audit.model import without_secrets
from gateway.runtime.audit.requests import RefusedKeys, recorded
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import FixedClock

CLOCK = FixedClock(datetime(2026, 3, 1, 9, tzinfo=UTC))
NAMES = {
    ("POST", "/things"): "Add thing",
    ("PUT", "/things/{id}/open"): "Open thing",
    ("POST", "/things/preview"): None,
    ("DELETE", "/things/{id}"): "Delete thing",
}


async def authenticate(secret: str) -> Principal | None:
    return Principal("api-key-7", frozenset()) if secret == "good" else None


class Site:
    """An API that keeps things in a folder, behind key and trail."""

    def __init__(self, folder: Path) -> None:
        self.state, self.things = folder / "state", folder / "things"
        self.state.mkdir()
        self.things.mkdir()
        self.trail = Trail(self.state, CLOCK)
        self.watch = FileWatch(self.trail, self.state / "files.json", lambda: files_below(self.things))
        self.watch.look()
        app = self._app()
        inner = recorded(app, self.trail, NAMES, prefix="/api/v1", watch=self.watch, apart=("/api/v1/apart/",))
        unbound = AdminApiSettings(requests_per_second=0, requests_per_minute=0)
        self.app = protect(inner, authenticate, unbound, on_refused=RefusedKeys(self.trail, clock=lambda: 0.0))

    def _app(self) -> FastAPI:
        app = FastAPI()
        install_error_handlers(app)

        @app.post("/api/v1/things", status_code=201)
        async def add(request: Request) -> dict[str, str]:
            (self.things / "one").write_text("1")
            return {"id": "one", "size": str(len(await request.body()))}

        @app.put("/api/v1/things/{id}/open")
        async def open_thing(id: str) -> None:
            if id == "warned":
                raise warnings_detected([ApiWarning("thing_is_old")])
            if id == "broken":
                raise RuntimeError("broken")
            raise ApiError(404, "thing_not_found", id)

        @app.post("/api/v1/things/preview")
        @app.get("/api/v1/things")
        @app.post("/api/v1/apart/search")
        async def nothing() -> dict[str, str]:
            return {}

        return app

    def events(self) -> list[dict[str, Any]]:
        return [event for event in self.trail.read() if event["event"] != "Watch files"][::-1]

    def client(self, key: str = "good") -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=("192.0.2.9", 1)),
            base_url="https://api.test/api/v1",
            headers={"Authorization": f"X-Road-ApiKey token={key}"},
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with nothing in it."""
    made = Site(tmp_path)
    yield made
    for folder in (made.state, made.state / "audit.pending"):
        if folder.exists():
            folder.chmod(0o700)


async def test_change_is_on_record_with_caller_and_request(site: Site) -> None:
    async with site.client() as http:
        answer = await http.post("/things?force=true", json={"name": "n", "pin": "1234"})
    (event,) = site.events()
    assert answer.status_code == 201
    assert (event["event"], event["user"], event["ipaddress"], event["auth"], event["url"]) == (
        "Add thing", "api-key-7", "192.0.2.9", "ApiKey", "/api/v1/things",
    )  # fmt: skip
    assert event["data"] == {"query": "force=true", "request": {"name": "n", "pin": "***"}, "answer_id": "one"}
    assert event["correlation"] == answer.headers["x-road-ui-correlation-id"]


async def test_upload_is_on_record_by_its_hash(site: Site) -> None:
    async with site.client() as http:
        await http.post("/things", content=b"\x00\x01", headers={"Content-Type": "application/octet-stream"})
    data = site.events()[0]["data"]
    assert (data["request_bytes"], len(data["request_sha256"])) == (2, 64)


async def test_refused_change_is_a_failed_event_with_its_reason(site: Site) -> None:
    async with site.client() as http:
        await http.put("/things/gone/open")
        await http.put("/things/warned/open")
        await http.put("/things/broken/open")
    said = [(event["event"], event["reason"], event["warning"], event["data"]["id"]) for event in site.events()]
    assert said[0] == ("Open thing failed", "thing_not_found: gone", False, "gone")
    assert said[1] == ("Open thing failed", "warnings_detected", True, "warned")
    assert said[2][0] == "Open thing failed"
    assert said[2][1].startswith("internal_error") or said[2][1] == "500"


async def test_change_without_a_name_is_on_record_by_its_path(site: Site) -> None:
    async with site.client() as http:
        await http.patch("/things/one")
    assert [event["event"] for event in site.events()] == ["PATCH /api/v1/things/one failed"]


async def test_questions_and_those_who_record_themselves_pass_by(site: Site) -> None:
    async with site.client() as http:
        for method, path in (("GET", "/things"), ("POST", "/things/preview"), ("POST", "/apart/search")):
            assert (await http.request(method, path)).status_code == 200
    assert site.events() == []


async def test_file_that_a_request_writes_is_no_edit_of_others(site: Site) -> None:
    async with site.client() as http:
        await http.post("/things")
    site.watch.look()
    assert [event["event"] for event in site.events()] == ["Add thing"]


async def test_nothing_is_changed_when_it_cannot_be_recorded(site: Site) -> None:
    (site.state / "audit.pending").write_text("in the way of the folder")
    async with site.client() as http:
        answer = await http.post("/things")
        question = await http.get("/things")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "audit_log_unavailable")
    assert "nothing was changed" in answer.json()["error"]["metadata"][0]
    assert not (site.things / "one").exists()
    assert question.status_code == 200


async def test_change_whose_outcome_cannot_be_recorded_is_not_answered_with_success(site: Site) -> None:
    async with site.client() as http:
        (site.state / "audit.pending").mkdir()
        (site.state / "audit.log").rename(site.state / "kept")
        (site.state / "audit.log").mkdir()  # a log that nobody can write
        answer = await http.post("/things")
        refused = await http.post("/things")
        (site.state / "audit.log").rmdir()
        (site.state / "kept").rename(site.state / "audit.log")
        again = await http.post("/things")
    assert (answer.status_code, refused.status_code, again.status_code) == (500, 500, 201)


async def test_unknown_keys_are_told_once_a_minute_with_a_count(site: Site) -> None:
    async with site.client("bad") as http:
        answers = [await http.post("/things") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {401}
    (event,) = site.events()
    assert (event["event"], event["user"], event["reason"]) == ("API key authentication failed", None, "unknown key")


async def test_many_changes_at_once_are_all_on_record(site: Site) -> None:
    async with site.client() as http:
        await asyncio.gather(*(http.post("/things") for _ in range(12)))
    assert [event["event"] for event in site.events()] == ["Add thing"] * 12


def test_secrets_are_hidden_at_any_depth() -> None:
    said = {"software_token_pin": "1", "new_pin": "2", "list": [{"password": "3"}], "spinning": "kept", "label": "x"}
    assert without_secrets(said) == {
        "software_token_pin": "***",
        "new_pin": "***",
        "list": [{"password": "***"}],
        "spinning": "kept",
        "label": "x",
    }
