"""For what reason an auditor sees the personal data of one exchange: until the session ends, and for it alone.

Kept in memory: after a restart the reason is asked for again, which nobody minds and which leaves
nothing to be stolen. What was revealed, by whom and why, stands in the audit trail.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Final

MAX_KEPT: Final = 10_000


class Reveals:
    """The reasons that were given; the oldest are forgotten first."""

    def __init__(self, limit: int = MAX_KEPT) -> None:
        self._limit = limit
        self._reasons: OrderedDict[tuple[bytes, int], str] = OrderedDict()

    def give(self, secret: str, exchange_id: int, reason: str) -> None:
        """Note a reason; `secret` is that of the session."""
        key = _key(secret, exchange_id)
        self._reasons[key] = reason
        self._reasons.move_to_end(key)
        while len(self._reasons) > self._limit:
            self._reasons.popitem(last=False)

    def find(self, secret: str, exchange_id: int) -> str | None:
        """Return the reason for which this session sees the personal data of an exchange."""
        return self._reasons.get(_key(secret, exchange_id))

    def take_back(self, secret: str, exchange_id: int) -> None:
        """Hide it again."""
        self._reasons.pop(_key(secret, exchange_id), None)


def _key(secret: str, exchange_id: int) -> tuple[bytes, int]:
    return hashlib.sha256(secret.encode()).digest(), exchange_id
