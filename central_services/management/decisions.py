"""The life of a management request: submitted, waiting, approved, declined, revoked.

Every change of status passes `_move`, which knows no other transitions than those of the table. A
request by a security server and one by an operator about the same thing complement each other and
share their status (X-Road AuthenticationCertificateRegistrationRequestHandler.java and its siblings).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from central_services.management import effects, store
from central_services.management.model import ManagementRequest, NewRequest, Origin, Status
from central_services.registry.errors import Conflict, Invalid, NotFound, RegistryError

_TRANSITIONS: Final = {
    Status.WAITING: {Status.SUBMITTED, Status.APPROVED, Status.DECLINED, Status.REVOKED},
    Status.SUBMITTED: {Status.APPROVED, Status.DECLINED},
    Status.APPROVED: set(),
    Status.DECLINED: set(),
    Status.REVOKED: set(),
}


def submit(tx: Connection, new: NewRequest, at: datetime, *, approve_at_once: bool = False) -> ManagementRequest:
    """Put a request on record; the types nobody decides take effect now.

    `approve_at_once` is for callers who may approve: their request does not wait for themselves.
    """
    effects.check(tx, new, at)
    if not new.type.is_decided:
        effects.apply(tx, new, at)
        return require(tx, store.add_request(tx, new, at, None))
    request_id = store.add_request(tx, new, at, _processing_for(tx, new, at))
    if approve_at_once:
        return approve(tx, request_id, at)
    return require(tx, request_id)


def _processing_for(tx: Connection, new: NewRequest, at: datetime) -> int:
    """Return the processing of the complementary request if it waits, else a new one."""
    others = store.find_like(tx, new, Status.WAITING, Status.SUBMITTED)
    if not others:
        return store.add_processing(tx, Status.WAITING)
    other = others[0]
    if len(others) > 1 or other.submitted.origin is new.origin or other.submitted.server != new.server:
        raise Conflict("management_request_exists", other.id)
    processing = store.processing_of(tx, other.id)
    assert processing is not None
    _move(tx, other, Status.SUBMITTED, at)
    return processing


def approve(tx: Connection, request_id: int, at: datetime) -> ManagementRequest:
    """Approve a request and do what it asks for."""
    request = require(tx, request_id)
    if request.status is None or not request.status.is_open:
        raise Invalid("management_request_invalid_state_for_approval", request_id)
    effects.apply(tx, request.submitted, at)
    _move(tx, request, Status.APPROVED, at)
    return require(tx, request_id)


def decline(tx: Connection, request_id: int, at: datetime) -> None:
    """Decline a request; an operator's own that nobody answered yet is revoked instead."""
    request = require(tx, request_id)
    if request.status is None or not request.status.is_open:
        raise Invalid("management_request_invalid_state", request_id)
    alone = request.status is Status.WAITING
    revoked = alone and request.submitted.origin is Origin.CENTER
    _move(tx, request, Status.REVOKED if revoked else Status.DECLINED, at)


def require(tx: Connection, request_id: int) -> ManagementRequest:
    """Return a request or refuse."""
    found = store.find_request(tx, request_id)
    if found is None:
        raise NotFound("management_request_not_found", request_id)
    return found


def _move(tx: Connection, request: ManagementRequest, status: Status, at: datetime) -> None:
    if request.status is None or status not in _TRANSITIONS[request.status]:
        raise RegistryError("management_request_invalid_state", request.id)
    processing = store.processing_of(tx, request.id)
    assert processing is not None
    store.set_status(tx, processing, status, at)
