"""Log lines: one JSON object each, with the id of the exchange they belong to.

`request_id` is a context variable, so every line written while an exchange runs carries its id
without anybody passing it along. Only named facts of a record are written; bodies and secrets are
never handed to a logger.

`info` is the short way for lines that every exchange writes: no `LogRecord` is made, and the lines of
one turn of the loop go out in one write, at the latest when the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TextIO

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_encode: Final = json.JSONEncoder(ensure_ascii=False, default=str).encode
_quote: Final = json.encoder.encode_basestring


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, message, request_id, extra facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        current = request_id.get()
        if current is not None:
            line["request_id"] = current
        line.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


class LineHandler(logging.Handler):
    """Writes lines to a stream: those of loggers at once, those that are `put` when the loop has turned."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self._stream = stream
        self._lines: list[str] = []
        self._turning: asyncio.AbstractEventLoop | None = None  # that loop is going to flush

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, after everything that was put before it."""
        try:
            self._lines.append(self.format(record) + "\n")
            self._write()
        except Exception:  # as every handler of the standard library: a line never fails its writer
            if not self._stream.closed:  # else there is nobody to tell
                self.handleError(record)

    def put(self, line: str) -> None:
        """Write a line, without its newline, together with the others of this turn of the loop."""
        with self._guard():
            self._lines.append(line + "\n")
        loop = asyncio._get_running_loop()
        if loop is None:
            self.flush()
        elif loop is not self._turning:
            self._turning = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what was put; `logging` calls this when the process ends."""
        self._turning = None
        with self._guard(), contextlib.suppress(OSError, ValueError):  # nobody is left to tell that the stream is gone
            self._write()

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        if not lines:
            return
        text = "".join(lines)
        try:
            self._stream.write(text)
        except UnicodeEncodeError:  # half of a surrogate pair, out of some peer's header
            encoding = self._stream.encoding or "ascii"
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self._stream.flush()

    def _guard(self) -> contextlib.AbstractContextManager[object]:
        assert self.lock is not None
        return self.lock


def info(logger: logging.Logger, message: str, facts: Mapping[str, object]) -> None:
    """Write what `logger.info(message, extra=facts)` writes, at a fraction of its price."""
    if not logger.isEnabledFor(logging.INFO):
        return
    handler = _only_handler_of(logger)
    if handler is None:
        logger.info(message, extra=facts)
        return
    now_ms = time.time_ns() // 1_000_000
    said = [f'"time": "{_second(now_ms // 1000)}.{now_ms % 1000:03d}+00:00", "level": "info"']
    said.append(f'"logger": {_quote(logger.name)}, "message": {_quote(message)}')
    current = request_id.get()
    if current is not None and "request_id" not in facts:
        said.append(f'"request_id": {_quote(current)}')
    said += [f'"{name}": {_json_of(value)}' for name, value in facts.items()]
    handler.put("{" + ", ".join(said) + "}")


def _json_of(value: object) -> str:
    if type(value) is str:
        return _quote(value)
    if value is None:
        return "null"
    return str(value) if type(value) is int else _encode(value)


@lru_cache(maxsize=2)
def _second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _only_handler_of(logger: logging.Logger) -> LineHandler | None:
    """Return our handler when nobody else would get a record of this logger."""
    current: logging.Logger | None = logger
    while current is not None and current.parent is not None:
        if current.handlers or current.filters or not current.propagate:
            return None
        current = current.parent
    handlers = logging.root.handlers
    if len(handlers) == 1 and isinstance(handlers[0], LineHandler) and not handlers[0].filters:
        return handlers[0]
    return None


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log line of the process to `stream` (standard error) as JSON; calling it again replaces it."""
    # Nobody prints these, and finding them out costs half of a line (logging HOWTO, Optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, LineHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(LineHandler(stream or sys.stderr))
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "alembic", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@contextmanager
def exchange(identifier: str) -> Iterator[None]:
    """Give every line written inside the block this request id."""
    token = request_id.set(identifier)
    try:
        yield
    finally:
        request_id.reset(token)
