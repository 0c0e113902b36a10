"""How each time-stamping service does: what status pages show, kept in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.xroad.faults import XRoadFault


@dataclass(frozen=True, slots=True)
class AuthorityFailure:
    """The last failure of a service; `text_id` and `facts` say which check failed, in any language."""

    at: datetime
    code: str
    text_id: str
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AuthorityHealth:
    """One service: when it last gave a proven time-stamp, how it last failed, and how often in a row since."""

    url: str
    last_success_at: datetime | None = None
    last_failure: AuthorityFailure | None = None
    failures_in_a_row: int = 0

    @property
    def is_failing(self) -> bool:
        """Whether it failed when it was asked last."""
        return self.failures_in_a_row > 0


class AuthorityRecords:
    """What happened with each service since this process began."""

    def __init__(self) -> None:
        self._known: dict[str, AuthorityHealth] = {}

    def of(self, urls: Sequence[str]) -> tuple[AuthorityHealth, ...]:
        """Return the health of these services; one that was never asked has nothing to say."""
        return tuple(self._known.get(url, AuthorityHealth(url)) for url in urls)

    def succeeded(self, url: str, at: datetime) -> None:
        """Note a proven time-stamp."""
        (known,) = self.of([url])
        self._known[url] = replace(known, last_success_at=at, failures_in_a_row=0)

    def failed(self, url: str, at: datetime, fault: XRoadFault) -> None:
        """Note why there was none."""
        (known,) = self.of([url])
        failure = AuthorityFailure(at, fault.code, fault.text_id, fault.facts)
        self._known[url] = replace(known, last_failure=failure, failures_in_a_row=known.failures_in_a_row + 1)
