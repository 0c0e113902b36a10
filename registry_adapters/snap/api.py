"""The once-only composer as an API: one request, several registries, partial answers with reasons, one receipt.

    GET  /api/v1/life-events                       what can be asked, and what has to be known for it
    POST /api/v1/life-events/{recipe}              open a case and wait for its answers, up to `wait_s`
    GET  /api/v1/cases/{number}?wait_s=            how far it is; the registries go on being asked meanwhile
    POST /api/v1/cases/{number}/legs/{leg}/retry   ask one registry again, now
    GET  /api/v1/cases/{number}/receipt            every signed exchange
    GET  /api/v1/openapi.json                      this, described

Callers have an API key with the role COMPOSER for one centre, or for all. A case of another centre is not there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from gateway.runtime.accounts.model import EVERYTHING, Principal
from gateway.runtime.accounts.routes import authenticator
from gateway.runtime.admin_api import (
    API_PREFIX,
    AdminApiSettings,
    ApiError,
    bad_request,
    error_response,
    install_error_handlers,
    principal_of,
    protect,
    requires,
)
from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.database import Database
from registry_adapters.snap.accounts import COMPOSER
from registry_adapters.snap.api_shapes import (
    CaseShape,
    LifeEventShape,
    NewCaseShape,
    ReceiptShape,
    case_shape,
    life_event_shape,
    receipt_shape,
)
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.errors import CaseNotFoundError, CaseStateError, FieldsError, SnapError
from registry_adapters.snap.model import Case, CaseStatus, LegState
from registry_adapters.snap.settings import ApiBounds

OPENAPI_PATH: Final = f"{API_PREFIX}/openapi.json"

Wait = Annotated[float, Query(ge=0, description="Seconds to wait for answers; the server bounds it.")]


def composer_api(cases: CaseService, accounts: Database, bounds: ApiBounds, *, clock: Clock | None = None) -> ASGIApp:
    """Return the application; the keys of callers are in `accounts`."""
    app = FastAPI(title="Surma once-only composer", version="1.0.0", openapi_url=OPENAPI_PATH, docs_url=None)
    app.router.redirect_slashes = False
    install_error_handlers(app)
    app.add_exception_handler(SnapError, _on_snap_error)
    app.include_router(_router(cases, bounds, clock or SystemClock()), prefix=API_PREFIX)
    limits = AdminApiSettings(
        requests_per_second=bounds.requests_per_second,
        requests_per_minute=bounds.requests_per_minute,
        max_request_bytes=bounds.max_request_bytes,
        max_upload_bytes=bounds.max_request_bytes,
    )
    return protect(app, authenticator(accounts), limits, public=(OPENAPI_PATH,))


def _router(cases: CaseService, bounds: ApiBounds, clock: Clock) -> APIRouter:
    router = APIRouter(tags=["composer"], dependencies=[requires(COMPOSER)])

    async def told(request: Request, number: str, wait_s: float) -> CaseShape:
        centre = _centre_of(principal_of(request))
        case = await settled(cases, number, centre, min(wait_s, bounds.max_wait_s), clock)
        receipt = await run_in_threadpool(cases.receipt, number)
        return case_shape(case, receipt)

    @router.get("/life-events")
    def life_events() -> list[LifeEventShape]:
        """List what can be asked, and what has to be known for it."""
        return [life_event_shape(recipe) for recipe in cases.recipes.values()]

    @router.post("/life-events/{recipe}", status_code=201)
    async def open_case(request: Request, recipe: str, asked: NewCaseShape) -> CaseShape:
        """Open a case, ask all registries, and return what has been answered when all have or `wait_s` is over."""
        principal = principal_of(request)
        centre = _centre_of(principal) or asked.centre
        if centre is None:
            raise bad_request("centre_missing")
        if asked.centre not in (None, centre):
            raise ApiError(403, "forbidden")

        def opened() -> Case:
            return cases.open_case(recipe, asked.fields, clerk=asked.user_id or principal.name, centre=centre)

        case = await run_in_threadpool(opened)
        return await told(request, case.number, asked.wait_s)

    @router.get("/cases/{number}")
    async def case(request: Request, number: str, wait_s: Wait = 0) -> CaseShape:
        """Return a case as it stands."""
        return await told(request, number, wait_s)

    @router.get("/cases/{number}/receipt")
    def receipt(request: Request, number: str) -> ReceiptShape:
        """Return every signed exchange of a case."""
        return receipt_shape(cases.receipt(number, centre=_centre_of(principal_of(request))))

    @router.post("/cases/{number}/legs/{leg}/retry")
    async def retry(request: Request, number: str, leg: str, wait_s: Wait = 0) -> CaseShape:
        """Ask one registry again, now."""
        principal = principal_of(request)

        def again() -> Case:
            cases.case(number, centre=_centre_of(principal))
            return cases.retry_leg(number, leg, clerk=principal.name)

        await run_in_threadpool(again)
        return await told(request, number, wait_s)

    return router


def _centre_of(principal: Principal) -> str | None:
    """Return the one centre a caller is for; None when it is for all."""
    scopes = principal.scopes_of(COMPOSER)
    if EVERYTHING in scopes:
        return None
    if len(scopes) != 1:
        raise ApiError(403, "forbidden")
    return next(iter(scopes))


async def settled(cases: CaseService, number: str, centre: str | None, wait_s: float, clock: Clock) -> Case:
    """Return a case as soon as nothing more will come within `wait_s`, or when that is over."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    deadline = time.monotonic() + wait_s
    until = clock.now() + timedelta(seconds=wait_s)
    case = await run_in_threadpool(cases.case, number, centre=centre)
    if wait_s <= 0:
        return case
    end = cases.watch(number, lambda: _wake(loop, changed))
    try:
        while True:
            changed.clear()
            case = await run_in_threadpool(cases.case, number, centre=centre)
            left = deadline - time.monotonic()
            is_moving = case.status is CaseStatus.GATHERING or any(
                leg.state is LegState.PARKED and leg.next_at is not None and leg.next_at < until for leg in case.legs
            )
            if left <= 0 or case.status.is_closed or not is_moving:
                return case
            await _within(left, changed.wait)
    finally:
        end()


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(event.set)


async def _within(limit_s: float, wait: Callable[[], Awaitable[object]]) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await wait()
    except TimeoutError:
        return


async def _on_snap_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SnapError)
    code = error.text_id.rpartition(".")[2]
    if isinstance(error, FieldsError):
        wrong = {f"fields.{name}": [text_id.rpartition(".")[2]] for name, text_id in error.fields.items()}
        return error_response(ApiError(400, "validation_failure", validation_errors=wrong))
    if isinstance(error, CaseNotFoundError):
        return error_response(ApiError(404, code, *error.facts.values()))
    return error_response(ApiError(409 if isinstance(error, CaseStateError) else 400, code, *error.facts.values()))
