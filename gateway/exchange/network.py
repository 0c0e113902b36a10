"""Network problems -> faults (X-Road XrdRuntimeException.java): what the wire did, in the field's codes."""

from __future__ import annotations

from types import TracebackType

from gateway.runtime.http.problems import ConnectFailed, HttpProblem, PeerRefused, TlsFailed, UnknownHost
from gateway.xroad.faults import ServiceFailed


def code_of(problem: HttpProblem) -> str:
    """Return the leaf code for a problem with the other end of a connection of ours."""
    if isinstance(problem, UnknownHost):
        return "unknown_host"
    if isinstance(problem, ConnectFailed):
        return "network_error"
    if isinstance(problem, TlsFailed | PeerRefused):
        return "ssl_authentication_failed"
    return "io_error"


class network_faults:  # noqa: N801  it is used like a function
    """Turn problems of the enclosed HTTP exchange with `where` into ServiceFailed."""

    __slots__ = ("_where",)

    def __init__(self, where: object) -> None:
        self._where = where

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Translate what came out."""
        if isinstance(problem, HttpProblem):
            where = str(self._where)
            raise ServiceFailed(code_of(problem), "exchange.network", where=where, reason=problem) from problem
