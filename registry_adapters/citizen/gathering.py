"""What was asked about a person, gathered from every registry at once through the security server.

Each registry keeps its own log and answers for itself (`sdk/usage.py`); nothing is kept here. One that
does not answer in time is shown as silent and the others are shown without it. The lists are merged
newest first. A page is cut from the merged list; `marks` say how far each registry's log went when the first
page was made, so that looks which come meanwhile move nothing to another page.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from gateway.xroad.faults import RemoteFault, XRoadFault
from registry_adapters.citizen.model import Subject
from registry_adapters.citizen.settings import AskedRegistry, CitizenSettings, service_of
from registry_adapters.sdk.client import Reason, XRoadClient
from registry_adapters.sdk.errors import RegistryError
from registry_adapters.sdk.usage import MAX_USAGES, Usage, UsageAnswer

_log: Final = logging.getLogger(__name__)

THREADS: Final = 32  # for all visitors together
FIND_USAGE: Final = "/findUsage"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose looks, of which time, from which registries; `marks` of the first page keep the next ones in step."""

    subject: Subject
    since: datetime | None = None
    until: datetime | None = None
    marks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What one registry told: `usages` are its newest; None stands for silence."""

    registry: AskedRegistry
    answer: UsageAnswer | None
    usages: tuple[Usage, ...] = ()

    @property
    def is_silent(self) -> bool:
        """Whether the registry did not answer."""
        return self.answer is None


@dataclass(frozen=True, slots=True)
class Look:
    """One look with the registry that told of it."""

    registry: AskedRegistry
    usage: Usage


class Gathering:
    """Asks registries on behalf of those who are signed in; used from many threads."""

    def __init__(self, client: XRoadClient, settings: CitizenSettings) -> None:
        self._client = client
        self._settings = settings
        self._threads = ThreadPoolExecutor(THREADS, "gathering")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    def gather(self, asker: str, wanted: Wanted, registries: Sequence[AskedRegistry], newest: int) -> list[Told]:
        """Ask `registries` for the `newest` looks each, at once; `asker` is the code of who is signed in."""
        asked = [self._threads.submit(self._ask, asker, wanted, registry, newest) for registry in registries]
        return [one.result() for one in asked]

    def _ask(self, asker: str, wanted: Wanted, registry: AskedRegistry, newest: int) -> Told:
        began = time.monotonic()
        try:
            mark = wanted.marks.get(registry.name)
            answer = self._page(asker, wanted, registry, 0, newest, mark)
            usages = list(answer.usages)
            while len(usages) < min(newest, answer.total_usages) and answer.as_of is not None:
                page = self._page(asker, wanted, registry, len(usages), newest, answer.as_of)
                if not page.usages:
                    break
                usages += page.usages
        except (XRoadFault, RemoteFault, RegistryError, ValueError, KeyError, TypeError, RecursionError) as cause:
            _log.warning(
                "a registry does not tell of looks",
                extra={"registry": registry.name, "reason": str(cause)[:200], "after_s": time.monotonic() - began},
            )
            return Told(registry, None)
        return Told(registry, answer, tuple(usages[:newest]))

    def _page(
        self, asker: str, wanted: Wanted, registry: AskedRegistry, offset: int, newest: int, mark: int | None
    ) -> UsageAnswer:
        query = {
            "userCode": wanted.subject.code,
            "offset": str(offset),
            "limit": str(max(1, min(newest - offset, MAX_USAGES))),
        }
        for name, at in (("periodStart", wanted.since), ("periodEnd", wanted.until)):
            if at is not None:
                query[name] = at.astimezone(UTC).isoformat()
        if mark is not None:
            query["asOf"] = str(mark)
        service = service_of(registry.service)
        answer = self._client.call_rest("GET", service, FIND_USAGE, query=query, reason=Reason(user_id=asker))
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        return answer.read(UsageAnswer)


def merged(told: Iterable[Told]) -> Iterable[Look]:
    """Yield the looks of all registries, newest first; at one moment in the registries' order."""
    lists = [[Look(one.registry, usage) for usage in one.usages] for one in told]
    return heapq.merge(*lists, key=lambda look: -look.usage.logtime.timestamp())


def page_of(told: Iterable[Told], offset: int, size: int) -> list[Look]:
    """Return one page of the merged list."""
    return list(islice(merged(told), offset, offset + size))


def total_of(told: Iterable[Told]) -> int:
    """Return how many looks there are that may be shown."""
    return sum(one.answer.total_usages for one in told if one.answer is not None)


def marks_of(told: Iterable[Told]) -> dict[str, int]:
    """Return how far each registry's log went; a registry without looks is at 0."""
    return {one.registry.name: one.answer.as_of or 0 for one in told if one.answer is not None}
