"""Whether records can be time-stamped, and for how long not: the switch that may refuse traffic.

Evidence without a time-stamp is worth little, so an instance allows only so many hours of failure.
The moment failure began is kept in the database too: a restart must not start the clock again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from gateway.runtime.clock import epoch_ms, from_epoch_ms
from gateway.xroad.faults import LoggingUnavailable


class StampingHealth:
    """Knows since when time-stamping fails, and refuses once that is too long.

    `acceptable_failure_s` of 0 never refuses; `tsa_urls` of None asks for no service at all.
    """

    def __init__(self, acceptable_failure_s: float, tsa_urls: Callable[[], Sequence[str]] | None) -> None:
        self._acceptable_failure_s = acceptable_failure_s
        self._tsa_urls = tsa_urls
        self._failing_since_ms: int | None = None

    @property
    def failing_since(self) -> datetime | None:
        """When the first failure after the last success was; None while all is well."""
        return None if self._failing_since_ms is None else from_epoch_ms(self._failing_since_ms)

    @property
    def refuses_at(self) -> datetime | None:
        """When nothing is recorded any more unless time-stamping recovers; None while all is well, or never."""
        if self._failing_since_ms is None or not self._acceptable_failure_s:
            return None
        return from_epoch_ms(self._failing_since_ms) + timedelta(seconds=self._acceptable_failure_s)

    def load(self, failing_since_ms: int | None) -> None:
        """Take up what an earlier process remembered."""
        self._failing_since_ms = failing_since_ms

    def succeeded(self) -> bool:
        """Note a success; return whether that is news."""
        changed, self._failing_since_ms = self._failing_since_ms is not None, None
        return changed

    def failed(self, at: datetime) -> bool:
        """Note a failure; return whether it is the first of its row."""
        if self._failing_since_ms is not None:
            return False
        self._failing_since_ms = epoch_ms(at)
        return True

    def require(self, at: datetime) -> None:
        """Raise LoggingUnavailable when nothing may be recorded for want of time-stamps."""
        if self._tsa_urls is not None and not self._tsa_urls():
            raise LoggingUnavailable(
                "logging_failed.mlog.no_timestamping_provider_found", "messagelog.no_timestamping_provider"
            )
        if self._failing_since_ms is None or not self._acceptable_failure_s:
            return
        failing_s = (epoch_ms(at) - self._failing_since_ms) // 1000
        if failing_s > self._acceptable_failure_s:
            raise LoggingUnavailable(
                "logging_failed.timestamping_failed",
                "messagelog.not_stampable",
                failing_s=failing_s,
                limit_s=int(self._acceptable_failure_s),
            )
