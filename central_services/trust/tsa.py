"""The test time-stamping authority (RFC 3161).

Serial numbers are reserved from the database in blocks, so that none is given out twice, not even
across a crash, and a stamp does not wait for a disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from central_services.settings import TrustSettings
from central_services.trust import store
from central_services.trust.authorities import Authority
from gateway.runtime.database import Database
from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki import tsp

_BLOCK: Final = 1000
# RFC 3161 2.4.2, PKIFailureInfo.
_BAD_ALGORITHM: Final = 0
_BAD_DATA_FORMAT: Final = 5
_UNACCEPTED_POLICY: Final = 15


class TimestampingAuthority:
    """Stamps what it is given with the present time."""

    def __init__(
        self, authority: Authority, database: Database, settings: TrustSettings, now: Callable[[], datetime]
    ) -> None:
        self._authority = authority
        self._database = database
        self._policy = settings.tsa_policy
        self._now = now
        self._lock = threading.Lock()
        self._next = 0
        self._end = 0

    def answer(self, request_der: bytes) -> bytes:
        """Return a token, or a rejection that says what was wrong with the question."""
        try:
            request = tsp.parse_request(request_der)
        except SignatureRefused as refused:
            return tsp.build_rejection(refused.text_id, _BAD_DATA_FORMAT)
        algorithm = request.imprint.algorithm
        if algorithm is DigestAlgorithm.SHA1:
            return tsp.build_rejection("SHA-1 is not stamped", _BAD_ALGORITHM)
        if len(request.imprint.value) != len(algorithm.digest(b"")):
            return tsp.build_rejection("the imprint is not as long as its algorithm says", _BAD_DATA_FORMAT)
        if request.policy not in (None, self._policy):
            return tsp.build_rejection("only one policy is offered", _UNACCEPTED_POLICY)
        return tsp.build_response(
            request,
            key=self._authority.key,
            certificate=self._authority.certificate,
            at=self._now(),
            serial_number=self._serial_number(),
            policy=self._policy,
        )

    def _serial_number(self) -> int:
        with self._lock:
            if self._next == self._end:
                with self._database.transaction() as tx:
                    self._next = store.next_numbers(tx, "timestamp", _BLOCK)
                self._end = self._next + _BLOCK
            self._next += 1
            return self._next - 1
