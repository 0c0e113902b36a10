"""What can go wrong on an HTTP connection: one family, by what happened (RFC 9110 15, RFC 9112 11).

    HttpProblem(text_id, **facts)
      MalformedHttp       the peer's bytes: not HTTP, or readable in two ways
      HttpTooLarge        head, headers, trailers or body beyond a limit
      HttpTimeout         the peer was too slow, in the stage named
      UnknownHost         no address for a name
      ConnectFailed       no TCP connection
      TlsFailed           no TLS, `handshaken` says whether the peer refused before or after the handshake
      PeerRefused         TLS came about, with a certificate we did not want
      ConnectionLost      the peer went away, in the stage named

Whoever calls maps these to the faults of its own protocol.
"""

from __future__ import annotations

from typing import Final

_STATUS: Final = {"http.version": 505, "http.transfer_coding": 501, "http.unknown_method": 501, "http.expectation": 417}


class HttpProblem(Exception):  # noqa: N818 (a problem may be the peer's ordinary behaviour)
    """A connection or message that cannot go on; `text_id` and `facts` make the sentence for people."""

    status = 400

    def __init__(self, text_id: str, **facts: object) -> None:
        super().__init__(text_id, facts)
        self.text_id = text_id
        self.facts = facts

    def __str__(self) -> str:
        return " ".join([self.text_id, *(f"{name}={value}" for name, value in self.facts.items())])


class MalformedHttp(HttpProblem):
    """What came is not HTTP/1.1, or two readers could understand it differently."""

    def __init__(self, text_id: str, **facts: object) -> None:
        super().__init__(text_id, **facts)
        self.status = _STATUS.get(text_id, 400)


class HttpTooLarge(HttpProblem):
    """A head, header count, trailer or body is beyond its limit; facts hold `limit`."""

    def __init__(self, text_id: str, **facts: object) -> None:
        super().__init__(text_id, **facts)
        self.status = 413 if text_id == "http.body_too_large" else 431


class HttpTimeout(HttpProblem):
    """The peer was too slow; `stage` says at what."""

    status = 408

    def __init__(self, stage: str, *, seconds: float) -> None:
        super().__init__(f"http.timeout_{stage}", seconds=seconds)
        self.stage = stage


class UnknownHost(HttpProblem):
    """The name has no address."""

    status = 502

    def __init__(self, host: str, reason: str) -> None:
        super().__init__("http.unknown_host", host=host, reason=reason)


class ConnectFailed(HttpProblem):
    """No TCP connection to any address of the host."""

    status = 502

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__("http.connect_failed", host=host, port=port, reason=reason)
        self.reason = reason


class TlsFailed(HttpProblem):
    """TLS did not come about, or the peer refused our certificate (TLS 1.3: after the handshake)."""

    status = 502

    def __init__(self, host: str, port: int, reason: str, *, handshaken: bool) -> None:
        text_id = "http.tls_refused_later" if handshaken else "http.tls_failed"
        super().__init__(text_id, host=host, port=port, reason=reason)
        self.reason = reason
        self.handshaken = handshaken


class PeerRefused(HttpProblem):
    """The peer's certificate is not one of those expected; nothing was sent."""

    status = 502


class ConnectionLost(HttpProblem):
    """The peer went away; `stage` says during what, `sent` whether any byte of our request had gone out."""

    status = 502

    def __init__(self, stage: str, *, reason: str = "closed", sent: bool = True) -> None:
        super().__init__(f"http.lost_{stage}", reason=reason)
        self.stage = stage
        self.sent = sent
