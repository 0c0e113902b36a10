"""The API of auditors, /api/v1/audit: the same questions as the console's, for programs and for `surma audit`.

    GET    /exchanges                     search: a parameter for each field of a query, `before`, `limit`
    GET    /exchanges/count               how many there are, counted up to `at_most`
    GET    /exchanges/sample              a sample that can be drawn again: `size`, `seed`, `through`
    GET    /exchanges/{id}                an exchange with its entries; …/related, …/report (HTML)
    GET    /entries/{n}                   a signed message; …/message, …/attachments/{i}, …/container,
                                          …/verdict with every check, …/proof of its place in the ledger
    GET    /refusals/{n}                  a refusal or failure
    GET    /status                        how complete and how healthy the source is
    POST   /exports                       ask for an export; GET lists own ones; /exports/{id} GET, DELETE; …/file
    GET    /checkpoints/newest            the newest checkpoint; POST /checkpoints makes one
    POST   /completeness                  compare the log with the checkpoint in the body

Content leaves unmasked only with a `reason`. 404 stands for what is not there and for what is not for
this auditor to see alike; 503 `audit_trail_unavailable` for a deed that could not be recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Body, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.routing import APIRoute

from gateway.auditing import model, shapes
from gateway.auditing.deeds import Missing, ReasonRequired, TrailUnavailable, required
from gateway.auditing.deps import AuditDeps
from gateway.auditing.desk import Desk, desk_of
from gateway.auditing.export_texts import exchange_facts, refusal_facts
from gateway.auditing.exports import TooManyExports
from gateway.auditing.query_facts import NAMES, BadQuery, query_of
from gateway.auditing.report import report_html, report_of
from gateway.auditing.sample import MAX_SEED_CHARACTERS, MAX_SIZE
from gateway.runtime.admin_api import ApiError, bad_request, conflict, not_found, principal_of, validation_failure
from gateway.runtime.texts import LANGUAGES, choose_language, render
from gateway.xroad.checkpoint import CONTENT_TYPE as CHECKPOINT_TYPE
from gateway.xroad.faults import MalformedMessage, SignatureRefused, XRoadFault

PREFIX: Final = "/audit"
MAX_LIMIT: Final = 500
MAX_COUNT: Final = 10_000_000
CONTAINER_TYPE: Final = "application/vnd.etsi.asic-e+zip"
_MAX_NUMBER: Final = 2**63 - 1
_HEAVY_AT_ONCE: Final = 2  # questions that read the whole log
# A report is opened from a disk, but should anybody show it here, it can do nothing.
_REPORT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

Number = Annotated[int, Path(ge=1, le=_MAX_NUMBER)]
Before = Annotated[int | None, Query(ge=1, le=_MAX_NUMBER)]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class AuditRoute(APIRoute):
    """A route that knows what is asked, and turns refusals of the desk into errors of the API."""

    def get_route_handler(self) -> Handler:
        """Return the handler."""
        handle = super().get_route_handler()
        known = {parameter.alias for parameter in self.dependant.query_params} | (
            set(NAMES) if self.path.startswith(f"{PREFIX}/exchanges") else set()
        )

        async def answer(request: Request) -> Response:
            unknown = sorted(set(request.query_params) - known)
            if unknown:  # a condition that is not understood would widen the search
                raise validation_failure({name[:80]: ["unknown_parameter"] for name in unknown})
            try:
                return await handle(request)
            except Missing:
                raise not_found("not_found") from None
            except ReasonRequired:
                raise bad_request("reason_required") from None
            except BadQuery as cause:
                raise validation_failure({cause.field: ["invalid"]}) from None
            except TooManyExports as cause:
                raise conflict("too_many_exports", cause.limit) from None
            except TrailUnavailable as cause:
                raise ApiError(503, "audit_trail_unavailable") from cause
            except XRoadFault as fault:
                raise _error_of(fault) from fault

        return answer


def audit_router(deps: AuditDeps) -> APIRouter:
    """Return the routes; for an application behind `protect`."""
    router = APIRouter(prefix=PREFIX, route_class=AuditRoute)
    heavy = asyncio.Semaphore(_HEAVY_AT_ONCE)

    def desk(request: Request) -> Desk:
        found = desk_of(deps, principal_of(request), url=request.url.path)
        if found is None:
            raise ApiError(403, "forbidden")
        return found

    _add_exchanges(router, desk, heavy)
    _add_entries(router, desk)
    _add_exports(router, desk)
    _add_completeness(router, desk, heavy)

    @router.get("/status")
    async def status(request: Request) -> dict[str, Any]:
        return shapes.status_shape(await desk(request).status())

    return router


DeskOf = Callable[[Request], Desk]


def _add_exchanges(router: APIRouter, desk: DeskOf, heavy: asyncio.Semaphore) -> None:
    @router.get("/exchanges")
    async def search(
        request: Request, before: Before = None, limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50
    ) -> dict[str, Any]:
        at = desk(request)
        page = await at.search(_query(request), before=before, limit=limit)
        return {"items": [exchange_facts(one) for one in page.exchanges], "next_before": page.next_before}

    @router.get("/exchanges/count")
    async def count(request: Request, at_most: Annotated[int, Query(ge=1, le=MAX_COUNT)] = 10_000) -> dict[str, Any]:
        at = desk(request)
        async with heavy:
            found = await at.count(_query(request), at_most=at_most)
        return {"count": found.number, "is_exact": found.is_exact}

    @router.get("/exchanges/sample")
    async def sample(
        request: Request,
        size: Annotated[int, Query(ge=1, le=MAX_SIZE)],
        seed: Annotated[str, Query(min_length=1, max_length=MAX_SEED_CHARACTERS)],
        through: Before = None,
    ) -> dict[str, Any]:
        at = desk(request)
        async with heavy:
            return shapes.sample_shape(await at.sample(_query(request), size, seed, through=through))

    @router.get("/exchanges/{exchange_id}")
    async def exchange(request: Request, exchange_id: Number) -> dict[str, Any]:
        return shapes.dossier_shape(await desk(request).open(exchange_id), _language(request))

    @router.get("/exchanges/{exchange_id}/related")
    async def related(request: Request, exchange_id: Number) -> dict[str, Any]:
        found = await desk(request).related(exchange_id)
        return {"items": [exchange_facts(one) for one in found]}

    @router.get("/exchanges/{exchange_id}/report")
    async def report(request: Request, exchange_id: Number, language: str | None = None) -> Response:
        found = await report_of(desk(request), exchange_id)
        html = report_html(found, language if language in LANGUAGES else _language(request))
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        return _file(html.encode(), f"report-{exchange_id}.html", "text/html; charset=utf-8", headers)


def _add_entries(router: APIRouter, desk: DeskOf) -> None:
    @router.get("/entries/{sequence}")
    async def entry(request: Request, sequence: Number) -> dict[str, Any]:
        return shapes.entry_shape(await desk(request).read(sequence))

    @router.get("/entries/{sequence}/message")
    async def message(
        request: Request, sequence: Number, form: str = "readable", reason: str | None = None
    ) -> Response:
        at = desk(request)
        if form == "raw":
            content = (await at.read(sequence, reason=required(reason))).message
            return _file(content, f"message-{sequence}", "application/octet-stream")
        if form != "readable":
            raise validation_failure({"form": ["raw or readable"]})
        parts = await at.read_parts(sequence, reason=reason)
        return JSONResponse({"sequence": sequence, "parts": [shapes.part_shape(part) for part in parts]})

    @router.get("/entries/{sequence}/attachments/{number}")
    async def attachment(request: Request, sequence: Number, number: Number, reason: str | None = None) -> Response:
        content = await desk(request).attachment(sequence, number, reason=reason)
        return _file(content, f"entry-{sequence}-attachment{number}", "application/octet-stream")

    @router.get("/entries/{sequence}/container")
    async def container(request: Request, sequence: Number, reason: str | None = None) -> Response:
        document = await desk(request).container(sequence, reason=reason)
        return _file(document.container, document.name, CONTAINER_TYPE)

    @router.get("/entries/{sequence}/verdict")
    async def verdict(request: Request, sequence: Number) -> dict[str, Any]:
        return shapes.proof_shape(await desk(request).verify(sequence), _language(request))

    @router.get("/entries/{sequence}/proof")
    async def proof(request: Request, sequence: Number) -> dict[str, Any]:
        return shapes.inclusion_shape(*await desk(request).prove(sequence))

    @router.get("/refusals/{sequence}")
    async def refusal(request: Request, sequence: Number) -> dict[str, Any]:
        return refusal_facts(await desk(request).refusal(sequence))


def _add_exports(router: APIRouter, desk: DeskOf) -> None:
    @router.post("/exports", status_code=202)
    async def create(request: Request, asked: Annotated[dict[str, str | None], Body()]) -> dict[str, Any]:
        at = desk(request)
        unknown = sorted(set(asked) - {*NAMES, "reason"})
        if unknown:
            raise validation_failure({name[:80]: ["unknown_parameter"] for name in unknown})
        job = await at.export(query_of(asked), reason=asked.get("reason"))
        return shapes.job_shape(job, _language(request))

    @router.get("/exports")
    async def exports(request: Request) -> dict[str, Any]:
        jobs = await desk(request).exports()
        return {"items": [shapes.job_shape(job, _language(request)) for job in jobs]}

    @router.get("/exports/{export_id}")
    async def export(request: Request, export_id: str) -> dict[str, Any]:
        return shapes.job_shape(await desk(request).export_job(export_id), _language(request))

    @router.get("/exports/{export_id}/file")
    async def export_file(request: Request, export_id: str) -> Response:
        job, path = await desk(request).export_file(export_id)
        return FileResponse(path, filename=f"export-{job.id}.zip", media_type="application/zip")

    @router.delete("/exports/{export_id}", status_code=204)
    async def delete(request: Request, export_id: str) -> Response:
        await desk(request).delete_export(export_id)
        return Response(status_code=204)


def _add_completeness(router: APIRouter, desk: DeskOf, heavy: asyncio.Semaphore) -> None:
    @router.get("/checkpoints/newest")
    async def newest(request: Request) -> Response:
        return _file(await desk(request).checkpoint(), "checkpoint.txt", CHECKPOINT_TYPE)

    @router.post("/checkpoints", status_code=201)
    async def make(request: Request) -> Response:
        answer = _file(await desk(request).make_checkpoint(), "checkpoint.txt", CHECKPOINT_TYPE)
        answer.status_code = 201
        return answer

    @router.post("/completeness")
    async def completeness(request: Request) -> dict[str, Any]:
        at, note = desk(request), await request.body()
        async with heavy:
            return shapes.completeness_shape(await at.completeness(note), _language(request))


def _query(request: Request) -> model.Query:
    return query_of({name: request.query_params.get(name) for name in NAMES})


def _language(request: Request) -> str:
    return choose_language(request.headers.get("accept-language"))


def _file(content: bytes, name: str, media_type: str, headers: dict[str, str] | None = None) -> Response:
    ascii_name = name.encode("ascii", "replace").decode().translate(str.maketrans('"\\', "__"))
    disposition = f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
    kept = {"Content-Disposition": disposition, "X-Content-Type-Options": "nosniff", **(headers or {})}
    return Response(content, media_type=media_type, headers=kept)


def _error_of(fault: XRoadFault) -> ApiError:
    """What was sent to us is the caller's to repair; all else is ours, and says so by its sentence."""
    status = 400 if isinstance(fault, (MalformedMessage, SignatureRefused)) else 503
    return ApiError(status, fault.code.rsplit(".", 1)[-1], render(fault.text_id, fault.facts))
