"""One operation: a function from a declared request to a declared answer, and how it is run.

Whatever form a request came in, it is run here: in one reading transaction, its looks noted before
the answer is returned. A function sees its request, the context and a connection; nothing of XML,
HTTP or threads.
"""

from __future__ import annotations

import logging
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gateway.runtime.clock import Clock
from gateway.runtime.database import Database
from gateway.xroad.faults import XRoadFault
from registry_adapters.sdk.access_log import AccessLog, Entry, Look
from registry_adapters.sdk.context import RequestContext
from registry_adapters.sdk.errors import InternalError, RegistryError, UnavailableError, error_of
from registry_adapters.sdk.purposes import EVERYTHING, Purposes

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Call:
    """What an operation may use while it answers one request."""

    context: RequestContext
    connection: Connection  # reads; what an operation writes, it writes in `database.transaction()`
    database: Database
    clock: Clock
    looks: list[Look] = field(default_factory=list)

    def note(self, look: Look) -> None:
        """Note a look at a record; the same look twice in one call is one look."""
        if look not in self.looks:
            self.looks.append(look)


Function = Callable[[Any, Call], Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """A function with its name and the types it declares."""

    name: str
    function: Function
    request: type
    response: type
    title: str
    doc: str


def operation_of(name: str, function: Function) -> Operation:
    """Return the operation of a function; TypeError when its annotations do not say the two types."""
    hints = typing.get_type_hints(function)
    response = hints.pop("return", None)
    request = next(iter(hints.values()), None)
    if request is None or response is None:
        raise TypeError(f"operation {name} must be annotated: (request: Request, call: Call) -> Response")
    title, _, doc = (function.__doc__ or name).strip().partition("\n\n")
    return Operation(name, function, request, response, title.strip(), " ".join(doc.split()))


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs operations on one registry's database."""

    database: Database
    access_log: AccessLog
    clock: Clock
    purposes: Purposes | None = None  # None: every field goes out to whoever may call

    def run(self, operation: Operation, request: Any, context: RequestContext) -> Any:
        """Return what of the operation's answer may leave; its looks are durable by then. Raises RegistryError."""
        allowance = self.purposes.allow(operation.name, context) if self.purposes else EVERYTHING
        try:
            with self.database.reading() as connection:
                call = Call(context, connection, self.database, self.clock)
                answer = operation.function(request, call)
        except SQLAlchemyError as cause:
            _log.exception("the database failed", extra={"operation": operation.name})
            raise UnavailableError("registry.database_unavailable") from cause
        if call.looks:
            now = self.clock.now()
            self.access_log.note(
                [Entry(now, operation.name, context, look, sealed=allowance.sealed) for look in call.looks]
            )
        return allowance.minimise(answer)


def as_registry_error(cause: Exception) -> RegistryError:
    """Return what an exception means to the asker: the edge's last word, which never names internals."""
    if isinstance(cause, RegistryError):
        return cause
    if isinstance(cause, XRoadFault):
        return error_of(cause)
    return InternalError("registry.internal_error")
