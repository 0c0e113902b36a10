"""One question to one registry through the security server, and what its answer means for a case.

    200, found              answered
    200, found = false,     not found; also count = 0, and 404 of the registry
    200, ambiguous          several fit, and none is told
    200, a pending status   parked until the registry has its answer
    403, access_denied      refused
    503, 429, a server's    parked: asked again
    fault, no answer
    400, 409, 422           failed: asking the same way again does not help

Nothing of an answer goes further than the outputs that the recipe declares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import quote

import httpx

from gateway.xroad.faults import RemoteFault, ServiceFailed, XRoadFault, is_server_code
from gateway.xroad.identifiers import ClientId, ServiceId, client_of
from registry_adapters.sdk.client import Reason, RestAnswer, XRoadClient
from registry_adapters.snap.model import Fault, FaultKind, Leg, LegState, Value
from registry_adapters.snap.plan import Inputs
from registry_adapters.snap.values import keep, picked, take

MAX_WORDS: Final = 500  # of a fault that is kept
_PARAMETER: Final = re.compile(r"\{([a-z0-9_]+)\}")
_ACTIONS: Final[Mapping[str, tuple[LegState, FaultKind]]] = {  # of a problem document
    "retry": (LegState.PARKED, FaultKind.UNREACHABLE),
    "refused": (LegState.REFUSED, FaultKind.REFUSED),
    "ask_differently": (LegState.FAILED, FaultKind.QUESTION),
    "report": (LegState.PARKED, FaultKind.REGISTRY_FAILED),
}
_WRONG_PATHS: Final = ("no_such_operation", "no_such_path")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question ready to be sent."""

    number: str
    leg: Leg
    attempt: int
    inputs: Inputs
    reason: Reason
    message_id: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a question; a parked one says from when asking again makes sense, if anybody said so."""

    state: LegState
    values: Mapping[str, Value] = field(default_factory=dict)
    fault: Fault | None = None
    ready_at: datetime | None = None
    is_answered: bool = True  # False: nothing came back


class Asks(Protocol):
    """Whoever can ask registries."""

    def ask(self, asked: Asked) -> Reply:
        """Ask, and say what became of it; never raises."""
        ...


class Registries:
    """Asks through one security server; may be used from many threads at once."""

    def __init__(self, client: XRoadClient) -> None:
        self._client = client

    @property
    def client_id(self) -> ClientId:
        """As whom registries are asked."""
        return self._client.client

    def ask(self, asked: Asked) -> Reply:
        """Ask, and say what became of it."""
        leg = asked.leg
        is_read = leg.method == "GET"
        try:
            path, rest = _path_of(leg, asked.inputs.values)
            answer = self._client.call_rest(
                leg.method,
                service_of(leg, self._client.client.xroad_instance),
                path,
                query={name: _query_text(value) for name, value in rest.items()} if is_read and rest else None,
                json=None if is_read else rest,
                reason=asked.reason,
                message_id=asked.message_id,
            )
            return reply_of(leg, answer, asked.inputs.where)
        except RemoteFault as fault:
            return _reply_of_fault(fault.code, fault.text)
        except ServiceFailed as cause:
            is_slow = isinstance(cause.__cause__, httpx.TimeoutException)
            kind = FaultKind.TIMEOUT if is_slow else FaultKind.UNREACHABLE
            trouble = _trouble(LegState.PARKED, kind, cause.code, str(cause.facts.get("reason", "")))
            return replace(trouble, is_answered=False)
        except XRoadFault as cause:
            return _trouble(LegState.FAILED, FaultKind.ANSWER, cause.code, cause.text_id)
        except (ValueError, TypeError, RecursionError) as cause:
            return _trouble(LegState.FAILED, FaultKind.ANSWER, "invalid_answer", type(cause).__name__)


def service_of(leg: Leg, instance: str) -> ServiceId:
    """Return the full identifier of a leg's service."""
    *provider, service = leg.service.split("/")
    return ServiceId(client_of((instance, *provider)), service)


def _path_of(leg: Leg, values: Mapping[str, Value]) -> tuple[str, dict[str, Value]]:
    """Return the path with its parameters filled in, and the inputs that are not in it.

    Raises ValueError for a parameter that would lead elsewhere: dots are never percent-encoded.
    """
    named = set(_PARAMETER.findall(leg.path))
    if any(_query_text(values[name]) in (".", "..") for name in named):
        raise ValueError(leg.path)
    path = _PARAMETER.sub(lambda found: quote(_query_text(values[found[1]]), safe=""), leg.path)
    return path, {name: value for name, value in values.items() if name not in named}


def _query_text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def reply_of(leg: Leg, answer: RestAnswer, where: Mapping[str, str | None]) -> Reply:
    """Return what an answer of the registry itself means."""
    if not 200 <= answer.status < 300:
        return _reply_of_problem(leg, answer)
    content = answer.json()
    if not isinstance(content, dict):
        return _trouble(LegState.FAILED, FaultKind.ANSWER, "invalid_answer", type(content).__name__)
    if leg.poll is not None:
        status = str(take(content, leg.poll.status))
        if status in leg.poll.pending:
            return Reply(
                LegState.PARKED, fault=Fault(FaultKind.PENDING, status), ready_at=_moment(content, leg.poll.ready_at)
            )
        if status in leg.poll.given:
            return _trouble(LegState.PARKED, FaultKind.GIVEN_ALREADY, status, "")
        if status in leg.poll.failed:
            return _trouble(LegState.FAILED, FaultKind.QUESTION, status, "")
    content = picked(content, leg, where)
    if content.get("ambiguous") is True or (leg.one and _count(content, leg) > 1):
        return Reply(LegState.AMBIGUOUS)
    if content.get("found") is False or _count(content, leg) == 0:
        return Reply(LegState.NOT_FOUND)
    return Reply(LegState.ANSWERED, {output.name: keep(content, output) for output in leg.outputs})


def _count(content: Mapping[str, Any], leg: Leg) -> int:
    """Return how many items there are; an answer that counts nothing has one."""
    listed = content.get(leg.items) if leg.items is not None else None
    count = len(listed) if isinstance(listed, list) else content.get("count")
    return count if isinstance(count, int) and not isinstance(count, bool) else 1


def _moment(content: Mapping[str, Any], path: str | None) -> datetime | None:
    text = take(content, path) if path is not None else None
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _reply_of_problem(leg: Leg, answer: RestAnswer) -> Reply:
    problem = _problem(answer)
    name = str(problem.get("type", "")).rpartition(":")[2] or f"http_{answer.status}"
    detail = str(problem.get("detail") or problem.get("title") or "")
    if answer.status == 404:
        if name in _WRONG_PATHS:
            return _trouble(LegState.FAILED, FaultKind.NOT_PUBLISHED, name, detail)
        if leg.poll is None:
            return Reply(LegState.NOT_FOUND)
    if leg.poll is not None and answer.status in (404, 409, 410):
        return _trouble(LegState.PARKED, FaultKind.GIVEN_ALREADY, name, detail)
    state, kind = _ACTIONS.get(str(problem.get("action")), _by_status(answer.status))
    return _trouble(state, kind, name, detail)


def _by_status(status: int) -> tuple[LegState, FaultKind]:
    if status in (401, 403):
        return LegState.REFUSED, FaultKind.REFUSED
    if status in (408, 504):
        return LegState.PARKED, FaultKind.TIMEOUT
    if status in (425, 429, 502, 503):
        return LegState.PARKED, FaultKind.UNREACHABLE
    if status >= 500:
        return LegState.PARKED, FaultKind.REGISTRY_FAILED
    return LegState.FAILED, FaultKind.QUESTION


def _problem(answer: RestAnswer) -> Mapping[str, Any]:
    try:
        document = answer.json()
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _reply_of_fault(code: str, text: str) -> Reply:
    """Return what a fault of a security server means, in either spelling of its code."""
    plain = code.replace("_", "").lower()
    if "accessdenied" in plain:
        return _trouble(LegState.REFUSED, FaultKind.REFUSED, code, text)
    if plain.endswith(("unknownservice", "servicenotfound", "unknownmember", "clientnotfound")):
        return _trouble(LegState.FAILED, FaultKind.NOT_PUBLISHED, code, text)
    if "timeout" in plain or "timedout" in text.replace(" ", "").lower():
        return _trouble(LegState.PARKED, FaultKind.TIMEOUT, code, text)
    if plain.endswith(("networkerror", "unknownhost", "servicedisabled", "httperror", "ioerror", "maintenancemode")):
        return _trouble(LegState.PARKED, FaultKind.UNREACHABLE, code, text)
    if is_server_code(code):
        return _trouble(LegState.PARKED, FaultKind.GATEWAY_FAILED, code, text)
    return _trouble(LegState.FAILED, FaultKind.QUESTION, code, text)


def _trouble(state: LegState, kind: FaultKind, code: str, text: str) -> Reply:
    return Reply(state, fault=Fault(kind, code[:100], text[:MAX_WORDS]))
