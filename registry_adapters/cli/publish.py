"""`surma registry publish`: a registry's descriptions, addresses and rights at a security server.

Through the admin API of any X-Road 7 security server, as a person does it by its pages:

1. the client is one of the server's;
2. each description (WSDL, OpenAPI) is added, or refreshed where it is there already;
3. each of its services has the registry's address;
4. each subsystem that is named may call each service;
5. the description is enabled.

What is done already is left alone, so it can be repeated, after a change of the registry too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import typer

from gateway.runtime.admin_client import AdminApi, AdminRequestFailed
from gateway.runtime.private_files import read_private
from gateway.xroad.faults import XRoadFault
from gateway.xroad.xml import parse_xml

TIMEOUT_S: Final = 10.0
_CODE: Final = re.compile(r'"code": ?"([a-z_]+)"')
_STATUS: Final = re.compile(r": ([0-9]{3}) ")

# What a person does about a refusal of the admin API, by its error code or status.
ADVICE: Final = {
    "service_description_download_failed": "the security server cannot fetch it: does it reach the registry?",
    "service_code_already_exists": "the client has a service of this code: give --moved-from or another --code",
    "service_already_exists": "the client has a service of this name: give --moved-from or rename it",
    "url_already_exists": "another description of this client has the address",
    "service_client_not_found": "a subsystem of --allow is not registered in this instance",
    "401": "the API key is not accepted: has it been revoked?",
    "403": "the API key lacks the role of a service administrator",
    "429": "the server has had too many requests: try again in a minute",
}


class PublishError(Exception):
    """Why a registry is not published, with what to do about it."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be there in the end; identifiers are `CLASS/CODE/SUBSYSTEM`, of the server's own instance."""

    client: str
    url: str
    allow: tuple[str, ...] = ()
    code: str | None = None  # of the REST service; the registry's name
    moved_from: str | None = None  # the URL under which it was published before


@dataclass(frozen=True, slots=True)
class _Description:
    kind: str
    described_at: str
    service_url: str
    was_described_at: str | None
    code: str | None = None  # of a REST service; a WSDL names its own


def publish(server: str, certificate: Path, key_file: Path, wanted: Publication) -> None:
    """Publish and print each thing that was done; ends with 1 and a sentence when it cannot be."""
    try:
        key = read_private(key_file)
        api = AdminApi(server.rstrip("/"), certificate, key)
    except (OSError, ValueError) as cause:
        typer.echo(f"the API key or the server's certificate cannot be used: {cause}", err=True)
        raise typer.Exit(1) from cause
    try:
        done = asyncio.run(_with(api, wanted))
    except PublishError as cause:
        typer.echo(str(cause), err=True)
        raise typer.Exit(1) from cause
    for line in done or ["nothing to do: everything is as wanted"]:
        typer.echo(line)


async def _with(api: AdminApi, wanted: Publication) -> list[str]:
    try:
        return await publish_through(api, wanted)
    finally:
        await api.close()


async def publish_through(api: AdminApi, wanted: Publication) -> list[str]:
    """Bring the server to what is wanted and return what was done. Raises PublishError."""
    descriptions = await asyncio.to_thread(_descriptions, wanted)
    done: list[str] = []
    try:
        client_id = await _client(api, wanted.client)  # (1)
        for description in descriptions:
            await _bring(api, client_id, description, wanted.allow, done)
    except AdminRequestFailed as cause:
        raise PublishError(_explained(str(cause))) from cause
    except httpx.HTTPError as cause:
        raise PublishError(f"the admin API does not answer ({cause}): check --server and --ca") from cause
    return done


def _descriptions(wanted: Publication) -> list[_Description]:
    """Ask the registry what it has."""
    url = wanted.url.rstrip("/")
    try:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as http:
            health, wsdl = http.get(f"{url}/health"), http.get(f"{url}/wsdl")
        name = str(health.raise_for_status().json()["registry"])
        parse_xml(wsdl.raise_for_status().content)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, XRoadFault) as cause:
        raise PublishError(f"no registry answers at {url} ({cause}): start it with surma registry serve") from cause
    before = wanted.moved_from.rstrip("/") if wanted.moved_from else None
    return [
        _Description("WSDL", f"{url}/wsdl", f"{url}/soap", f"{before}/wsdl" if before else None),
        _Description(
            "OPENAPI3", f"{url}/openapi.json", url, f"{before}/openapi.json" if before else None, wanted.code or name
        ),
    ]


async def _client(api: AdminApi, wanted: str) -> str:
    """Return the id of a client of the server."""
    ids = [client["id"] for client in await api.get("/clients", internal_search="true")]
    found = [one for one in ids if _same(one, wanted)]
    if not found:
        there = ", ".join(sorted(one.partition(":")[2].replace(":", "/") for one in ids)) or "none"
        raise PublishError(f"{wanted} is no client of this security server; it has {there}. Add and register it first")
    return str(found[0])


def _same(colons: str, said: str) -> bool:
    """Compare `INSTANCE:CLASS:CODE:SUB` with `CLASS/CODE/SUB`, before which the instance may stand."""
    slashes = colons.replace(":", "/")
    return said in (slashes, slashes.partition("/")[2])


async def _bring(api: AdminApi, client_id: str, wanted: _Description, allow: Sequence[str], done: list[str]) -> None:
    known = {one["url"]: one for one in await api.get(f"/clients/{client_id}/service-descriptions")}
    before = known.get(wanted.described_at) or known.get(wanted.was_described_at or "")
    if before is None:  # (2)
        body = {"url": wanted.described_at, "type": wanted.kind}
        if wanted.code:
            body["rest_service_code"] = wanted.code
        there = await api.post(f"/clients/{client_id}/service-descriptions", body)
        done.append(f"added {wanted.kind} {wanted.described_at}")
    else:
        there = await _refreshed(api, before, wanted, done)
    for service in there["services"]:
        await _point(api, service, wanted.service_url, done)  # (3)
        await _allow(api, client_id, service, allow, done)  # (4)
    if there["disabled"]:  # (5)
        await api.put(f"/service-descriptions/{there['id']}/enable")
        done.append(f"enabled {wanted.kind} {wanted.described_at}")


async def _refreshed(api: AdminApi, known: dict[str, Any], wanted: _Description, done: list[str]) -> Any:
    path = f"/service-descriptions/{known['id']}"
    if known["url"] != wanted.described_at:
        body: dict[str, Any] = {"url": wanted.described_at, "type": wanted.kind, "ignore_warnings": True}
        if wanted.code:
            body["rest_service_code"] = known["services"][0]["service_code"]
        await api.patch(path, body)
        done.append(f"moved {wanted.kind} from {known['url']} to {wanted.described_at}")
    else:
        await api.put(f"{path}/refresh", {"ignore_warnings": True})
    there = await api.get(path)
    before, after = _codes(known), _codes(there)
    done += [f"service {code} is there now" for code in sorted(after - before)]
    done += [f"service {code} is gone" for code in sorted(before - after)]
    return there


def _codes(description: dict[str, Any]) -> set[str]:
    return {service["full_service_code"] for service in description["services"]}


async def _point(api: AdminApi, service: dict[str, Any], url: str, done: list[str]) -> None:
    if service["url"].rstrip("/") != url:
        await api.patch(
            f"/services/{service['id']}",
            {"url": url, "timeout": service["timeout"], "ssl_auth": url.startswith("https")},
        )
        done.append(f"service {service['full_service_code']} is at {url}")


async def _allow(api: AdminApi, client_id: str, service: dict[str, Any], allow: Sequence[str], done: list[str]) -> None:
    path = f"/services/{service['id']}/service-clients"
    there = [subject["id"] for subject in await api.get(path)] if allow else []
    for subject in allow:
        if any(_same(one, subject) for one in there):
            continue
        instance = client_id.partition(":")[0]
        wanted = subject.replace("/", ":")
        subject_id = wanted if wanted.count(":") == 3 else f"{instance}:{wanted}"
        await api.post(path, {"items": [{"id": subject_id, "service_client_type": "SUBSYSTEM"}]})
        done.append(f"{subject} may call {service['full_service_code']}")


def _explained(refusal: str) -> str:
    """Return a refusal of the admin API with what a person does about it."""
    code, status = _CODE.search(refusal), _STATUS.search(refusal)
    advice = next((ADVICE[found[1]] for found in (code, status) if found and found[1] in ADVICE), "")
    return f"{advice}\n{refusal}" if advice else refusal
