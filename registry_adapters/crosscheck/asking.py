"""Ask registries through the security server: in parallel, for one purpose, never waiting longer than allowed.

A registry that is silent, refuses or says what cannot be read is an `Unheard` with its reason, not an error.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.xroad.faults import RemoteFault, XRoadFault
from gateway.xroad.identifiers import ServiceId, client_of
from registry_adapters.crosscheck.model import Flag, Outcome, Unheard
from registry_adapters.sdk.client import Reason, XRoadClient
from registry_adapters.sdk.context import RequestContext
from registry_adapters.settings import CrossCheckSettings

PURPOSE: Final = "CROSS-CHECK"
ACCESS_DENIED: Final = ("access_denied", "AccessDenied")  # as security servers spell it, by their age
# REST services of the registries, after the instance.
SERVICES: Final = {
    "demographic": ("GOV", "10000002", "DEMOGRAPHIC", "persons"),
    "tax": ("GOV", "10000004", "TAX", "tax"),
    "civil_status": ("GOV", "10000005", "CIVIL-STATUS", "civil-status"),
    "property_rights": ("GOV", "10000005", "PROPERTY-RIGHTS", "property-rights"),
    "displaced": ("GOV", "10000006", "DISPLACED", "displaced"),
}


class UnheardError(Exception):
    """A registry's word is missing."""

    def __init__(self, reason: Unheard) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(slots=True)
class Asker:
    """Asks for one comparison and keeps the message ids of what it asked."""

    client: XRoadClient
    reason: Reason
    exchanges: list[str] = field(default_factory=list)

    def get(self, registry: str, path: str, **query: str | None) -> Any:
        """Return the JSON of an answer; fields that are None are not asked by. Raises UnheardError."""
        return self._ask("GET", registry, path, query={name: value for name, value in query.items() if value})

    def post(self, registry: str, path: str, **body: Any) -> Any:
        """Return the JSON of an answer to a body. Raises UnheardError."""
        return self._ask("POST", registry, path, json={name: value for name, value in body.items() if value})

    def fetch(self, registry: str, path: str, message_id: str) -> Any:
        """Return the JSON of an answer that is given once; again for the same message id. Raises UnheardError."""
        return self._ask("GET", registry, path, message_id=message_id)

    def _ask(self, method: str, registry: str, path: str, *, message_id: str | None = None, **content: Any) -> Any:
        *provider, code = SERVICES[registry]
        service = ServiceId(client_of((self.client.client.parts[0], *provider)), code)
        message_id = message_id or str(uuid.uuid4())
        self.exchanges.append(message_id)
        try:
            answer = self.client.call_rest(method, service, path, reason=self.reason, message_id=message_id, **content)
        except RemoteFault as cause:
            refused = cause.code.rpartition(".")[2] in ACCESS_DENIED
            raise UnheardError(Unheard.REFUSED if refused else Unheard.SILENT) from cause
        except XRoadFault as cause:
            raise UnheardError(Unheard.SILENT) from cause
        if answer.status != 200:
            raise UnheardError(Unheard.SILENT if answer.status >= 500 else Unheard.REFUSED)
        try:
            return answer.json()
        except (ValueError, RecursionError) as cause:
            raise UnheardError(Unheard.UNCLEAR) from cause


Leg = Callable[[Asker], Outcome]


class Registries:
    """The registries, as they are reached through the service's own security server."""

    def __init__(self, settings: CrossCheckSettings) -> None:
        client = client_of(settings.client.split("/"))
        self.client = XRoadClient(settings.security_server_url, client, timeout_s=settings.timeout_s)
        self.timeout_s = settings.timeout_s

    def ask_all(self, context: RequestContext, legs: Mapping[str, Leg]) -> dict[str, Flag]:
        """Return the flag of each comparison; whatever is not there in time is unknown."""
        reason = Reason(context.user_id, context.issue, (PURPOSE,), context.legal_ground)
        askers = {name: Asker(self.client, reason) for name in legs}
        pool = ThreadPoolExecutor(max_workers=len(legs), thread_name_prefix="cross-check")
        running = {name: pool.submit(leg, askers[name]) for name, leg in legs.items()}
        wait(running.values(), timeout=self.timeout_s)
        pool.shutdown(wait=False, cancel_futures=True)  # what is under way ends by the client's own time limit
        return {name: _flag(future, askers[name]) for name, future in running.items()}


def _flag(future: Future[Outcome], asker: Asker) -> Flag:
    asked = tuple(asker.exchanges)
    if not future.done():
        return Flag(Outcome.UNKNOWN, Unheard.SILENT, exchanges=asked)
    try:
        return Flag(future.result(), exchanges=asked)
    except UnheardError as cause:
        return Flag(Outcome.UNKNOWN, cause.reason, exchanges=asked)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError):
        return Flag(Outcome.UNKNOWN, Unheard.UNCLEAR, exchanges=asked)  # an answer of another form
