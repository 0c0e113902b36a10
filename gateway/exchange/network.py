"""Network problems -> faults (X-Road XrdRuntimeException.java): what the wire did, in the field's codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def network_faults(where: str) -> Iterator[None]:
    """Turn problems of the enclosed HTTP exchange with `where` into ServiceFailed."""
    try:
        yield
    except HttpProblem as problem:
        raise ServiceFailed(code_of(problem), "exchange.network", where=where, reason=str(problem)) from problem
