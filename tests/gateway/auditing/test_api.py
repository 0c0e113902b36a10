"""The API of auditors: what it answers, what it refuses, what it writes into the trail."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.auditing.exports import Exports, ExportSettings
from gateway.runtime.accounts.model import Principal
from gateway.runtime.clock import FixedClock
from tests.factories.audit import ALPHA, MemorySource, a_source
from tests.factories.auditors import an_api, an_api_client, an_auditor, audit_deps, deeds
from tests.factories.pki import NOON


@pytest.fixture
def source() -> MemorySource:
    return a_source()


@pytest.fixture
async def api(source: MemorySource, tmp_path: Path) -> AsyncIterator[Any]:
    (tmp_path / "trail").mkdir()
    settings = ExportSettings(reserve_bytes=0)
    exports = Exports(
        tmp_path / "exports", source, FixedClock(NOON), server_name=lambda: source.name, settings=settings
    )
    await exports.start()
    deps = audit_deps(source, tmp_path / "trail", exports=exports)
    people = {
        "all": an_auditor(name="olha"),
        "alpha": an_auditor(str(ALPHA), name="petro"),
        "admin": Principal("admin", frozenset({"XROAD_SYSTEM_ADMINISTRATOR"})),
    }
    yield an_api(deps, people)
    await exports.stop()


@pytest.fixture
async def client(api: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with an_api_client(api, "all") as opened:
        yield opened


async def get(client: httpx.AsyncClient, path: str, /, **query: object) -> Any:
    answer = await client.get(path, params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(client: httpx.AsyncClient, path: str, /, **query: object) -> tuple[int, str]:
    answer = await client.get(path, params={name: str(value) for name, value in query.items()})
    return answer.status_code, answer.json()["error"]["code"]


# finding


async def test_search_answers_page_by_page(client: httpx.AsyncClient) -> None:
    first = await get(client, "/exchanges", limit=8)
    assert len(first["items"]) == 8
    rest = await get(client, "/exchanges", limit=8, before=first["next_before"])
    assert (len(rest["items"]), rest["next_before"]) == (5, None)
    ids = [item["id"] for item in first["items"] + rest["items"]]
    assert ids == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"query_id": "alpha-soap"}, ["alpha-soap"]),
        ({"query_id": "beta-r*"}, ["beta-refused", "beta-rest"]),
        ({"issue": "alpha-case-2"}, ["alpha-rest"]),
        ({"user_id": "beta-clerk", "service": "UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons"}, ["beta-rest"]),
        ({"purpose": "1.2", "client": "UA-DEMO/GOV/22222222"}, ["beta-soap"]),
        ({"outcome": "open"}, ["beta-open", "alpha-open"]),
        ({"fault_code": "client.invalid_soap"}, [None]),
        ({"side": "provider"}, ["beta-provided", "alpha-provided"]),
        ({"since": "2026-11-21T12:05:00Z", "until": "2026-11-21T12:30:00Z"}, ["beta-provided", "alpha-provided"]),
        ({"since": "2026-11-22"}, []),
        ({"until": "2026-11-21", "query_id": "alpha-open"}, ["alpha-open"]),
        ({"x_request_id": hashlib.sha256(b"beta-soap").hexdigest()[:32]}, ["beta-soap"]),
    ],
)
async def test_every_field_of_a_query_is_a_parameter(
    client: httpx.AsyncClient, condition: dict[str, str], found: list[str | None]
) -> None:
    assert [item["query_id"] for item in (await get(client, "/exchanges", **condition))["items"]] == found
    assert await get(client, "/exchanges/count", **condition) == {"count": len(found), "is_exact": True}


async def test_count_beyond_its_bound_is_not_exact(client: httpx.AsyncClient) -> None:
    assert await get(client, "/exchanges/count", at_most=5) == {"count": 5, "is_exact": False}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/exchanges", {"outcome": "lost"}),
        ("/exchanges", {"since": "yesterday"}),
        ("/exchanges", {"clent": "UA-DEMO/GOV/11111111"}),
        ("/exchanges", {"limit": "501"}),
        ("/exchanges", {"before": "0"}),
        ("/exchanges", {"before": str(2**63)}),
        ("/exchanges", {"query_id": "a" * 1001}),
        ("/exchanges", {"query_id": "a\x00"}),
        ("/exchanges/count", {"at_most": "0"}),
        ("/exchanges/sample", {"size": "5"}),
        ("/exchanges/sample", {"size": "0", "seed": "s"}),
        ("/exchanges/0", {}),
        ("/exchanges/x", {}),
        ("/entries/99999999999999999999", {}),
        ("/entries/1", {"reason": "not asked for here"}),
        ("/entries/1/message", {"form": "hidden"}),
    ],
)
async def test_question_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, path: str, query: dict[str, str]
) -> None:
    assert await refused(client, path, **query) == (400, "validation_failure")


async def test_sample_is_drawn_again_by_seed_and_last_number(client: httpx.AsyncClient, source: MemorySource) -> None:
    first = await get(client, "/exchanges/sample", size=4, seed="court 7")
    source.ask(source.entries[1].client, query_id="later")
    again = await get(client, "/exchanges/sample", size=4, seed="court 7", through=first["through"])
    assert again == first
    assert (first["population"], first["size"], first["through"]) == (13, 4, 19)
    assert "SHA-256" in first["algorithm"]


# looking


async def test_exchange_comes_with_its_entries_and_what_belongs_to_it(client: httpx.AsyncClient) -> None:
    found = await get(client, "/exchanges/3")
    assert (found["query_id"], found["outcome"]) == ("alpha-rest", "answered")
    assert found["entries"]["request"]["attachments"] == [{"number": 1, "size": 38, "kept": True}]
    assert found["entries"]["response"]["kind"] == "response"
    assert found["entries"]["refusal"] is None
    refusal = (await get(client, "/exchanges/7"))["entries"]["refusal"]
    assert (refusal["times"], refusal["fault_code"]) == (17, "server.clientproxy.network_error")


async def test_related_exchanges_share_an_id(client: httpx.AsyncClient, source: MemorySource) -> None:
    source.ask(source.entries[1].client, query_id="alpha-soap")
    assert [item["id"] for item in (await get(client, "/exchanges/1/related"))["items"]] == [20]


async def test_message_is_masked_until_there_is_a_reason(client: httpx.AsyncClient, tmp_path: Path) -> None:
    head, body = (await get(client, "/entries/3/message"))["parts"]
    assert (head["kind"], body["kind"], body["is_masked"]) == ("http", "json", True)
    assert "alpha-name" not in body["text"]
    _, body = (await get(client, "/entries/3/message", reason="complaint 7"))["parts"]
    assert json.loads(body["text"])["lastName"] == "alpha-name"
    assert deeds(tmp_path / "trail")[-1]["data"]["grounds"] == "complaint 7"


@pytest.mark.parametrize(
    ("path", "query"),
    [("/entries/3/message", {"form": "raw"}), ("/entries/3/attachments/1", {}), ("/entries/3/container", {})],
)
async def test_bytes_leave_with_a_reason_only(client: httpx.AsyncClient, path: str, query: dict[str, str]) -> None:
    assert await refused(client, path, **query) == (400, "reason_required")
    answer = await client.get(path, params={**query, "reason": "complaint 7"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_raw_message_attachment_and_container_are_the_bytes_as_recorded(
    client: httpx.AsyncClient, source: MemorySource
) -> None:
    async def content(path: str, **query: str) -> bytes:
        return (await client.get(path, params={"reason": "r", **query})).content

    assert await content("/entries/3/message", form="raw") == source.entries[3].message
    assert await content("/entries/3/attachments/1") == source.attachments[3, 1]
    assert await content("/entries/3/container") == source.documents[3].container


async def test_verdict_names_every_check(client: httpx.AsyncClient) -> None:
    found = await get(client, "/entries/1/verdict")
    assert (found["result"], found["fault"]) == ("valid", None)
    assert len(found["checks"]) == 15
    assert found["verdict"]["signer"] == "UA-DEMO/GOV/11111111/DESK"


async def test_verdict_of_an_unstamped_message_says_what_is_missing(client: httpx.AsyncClient) -> None:
    found = await get(client, "/entries/5/verdict")
    assert (found["result"], found["verdict"]) == ("invalid", None)
    assert found["fault"]["code"] == "malformed_signature"


async def test_refusal_has_its_sentence_in_both_languages(client: httpx.AsyncClient) -> None:
    found = await get(client, "/refusals/6")
    assert found["facts"]["client"] == "alpha-told"
    assert set(found["text"]) == {"en", "uk"}


@pytest.mark.parametrize(("language", "title"), [("uk", "Звіт про записаний обмін"), ("en", "Report of a recorded")])
async def test_report_is_one_file_without_content_of_messages(
    client: httpx.AsyncClient, language: str, title: str
) -> None:
    answer = await client.get("/exchanges/3/report", params={"language": language})
    assert title in answer.text
    assert "alpha-case-2" in answer.text
    assert "alpha-name" not in answer.text
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_status_says_how_far_searches_reach(client: httpx.AsyncClient, source: MemorySource) -> None:
    source.indexed_through = 17
    found = await get(client, "/status")
    assert (found["indexed_through"], found["last_sequence"]) == (17, 19)


# taking away


async def test_export_is_asked_for_followed_fetched_and_deleted(client: httpx.AsyncClient, tmp_path: Path) -> None:
    answer = await client.post("/exports", json={"query_id": "alpha-*", "reason": "complaint 7"})
    assert answer.status_code == 202
    path = f"/exports/{answer.json()['id']}"
    async with asyncio.timeout(20):
        while (job := await get(client, path))["state"] != "done":
            await asyncio.sleep(0.01)
    assert (job["total"], job["done"]) == (5, 5)
    file = await client.get(f"{path}/file")
    assert hashlib.sha256(file.content).hexdigest() == job["sha256"]
    assert "manifest.json" in zipfile.ZipFile(io.BytesIO(file.content)).namelist()
    assert [item["id"] for item in (await get(client, "/exports"))["items"]] == [job["id"]]
    assert (await client.delete(path)).status_code == 204
    assert await refused(client, path) == (404, "not_found")
    names = [event["event"] for event in deeds(tmp_path / "trail")]
    assert names[0] == "Export messages"
    assert names[-4:] == ["Download export", "List exports", "Delete export", "View export failed"]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({}, 400, "reason_required"),
        ({"reason": "r", "clent": "x"}, 400, "validation_failure"),
        ({"reason": "r", "outcome": "lost"}, 400, "validation_failure"),
        ({"reason": "r", "since": 5}, 400, "validation_failure"),
    ],
)
async def test_export_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, asked: dict[str, Any], status: int, code: str
) -> None:
    answer = await client.post("/exports", json=asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_export_that_is_not_finished_has_no_file(client: httpx.AsyncClient, source: MemorySource) -> None:
    source.exchanges[1] = None  # type: ignore[assignment]
    job = (await client.post("/exports", json={"reason": "r"})).json()
    async with asyncio.timeout(20):
        while (await get(client, f"/exports/{job['id']}"))["state"] != "failed":
            await asyncio.sleep(0.01)
    assert await refused(client, f"/exports/{job['id']}/file") == (404, "not_found")


# refusing


async def test_caller_without_the_role_is_refused(api: Any) -> None:
    async with an_api_client(api, "admin") as admin:
        assert await refused(admin, "/exchanges") == (403, "forbidden")
    async with an_api_client(api, "nobody") as nobody:
        assert await refused(nobody, "/exchanges") == (401, "unauthorized")


async def test_nothing_is_answered_when_the_trail_cannot_be_written(client: httpx.AsyncClient, tmp_path: Path) -> None:
    for file in (tmp_path / "trail").iterdir():
        file.unlink()
    (tmp_path / "trail").rmdir()
    for path in ("/exchanges", "/exchanges/1", "/exchanges/99", "/status", "/exports", "/entries/1/verdict"):
        assert await refused(client, path) == (503, "audit_trail_unavailable")


async def test_there_is_no_checkpoint_without_a_ledger(client: httpx.AsyncClient) -> None:
    assert await refused(client, "/checkpoints/newest") == (404, "not_found")
    assert await refused(client, "/entries/1/proof") == (404, "not_found")
