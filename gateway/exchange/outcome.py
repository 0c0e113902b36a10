"""The end of an exchange: one line that says who asked whom for what, how it ended and how long it took."""

from __future__ import annotations

import logging

from gateway.exchange.faults import Origin
from gateway.exchange.requests import Timeline
from gateway.runtime import logs

log = logging.getLogger("gateway.exchanges")


def observe(origin: Origin, request_id: str, timeline: Timeline, error: Exception | None) -> None:
    """Write the line; contents of messages never stand in it."""
    took_ms = (timeline.response_out_ms or timeline.request_in_ms) - timeline.request_in_ms
    logs.info(
        log,
        "exchange",
        {
            "side": "consumer" if origin is Origin.CONSUMER else "provider",
            "request_id": request_id,
            "outcome": "answered" if error is None else type(error).__name__,
            "code": getattr(error, "code", None),
            "took_ms": took_ms,
            **timeline.facts,
        },
    )


def let_go(error: BaseException | None) -> None:
    """Drop the tracebacks of a failure and its causes: they keep frames, and frames keep spooled bodies on disk."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
