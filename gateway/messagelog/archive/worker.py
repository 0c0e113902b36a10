"""The archiver's side of its pipes: it reads the database itself, and has everything written by the server.

The process lives no longer than the server it works for: when standard input ends, it ends at once,
wherever it is. That is a crash like any other, and the next run puts it in order.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, TextIO

from gateway.messagelog.archive.archiver import Tally
from gateway.messagelog.archive.journal import Command
from gateway.messagelog.archive.wire import show_command, show_fault, show_tally
from gateway.xroad.faults import LoggingUnavailable, XRoadFault

log = logging.getLogger(__name__)

_NICE: Final = 10
_ORPHANED: Final = 3

# Does the work, given the order, a way to have commands carried out, and somebody to tell of progress.
Work = Callable[[dict[str, Any], Callable[[Command], None], Callable[[Tally], None]], Tally]


def serve(work: Work) -> None:
    """Do what the order on standard input says, and tell on standard output how it ended."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    speaker = _Speaker(sys.stdout, lines)
    threading.Thread(target=_listen, args=(sys.stdin, lines), name="orders", daemon=True).start()
    order = json.loads(lines.get())
    os.nice(_NICE)
    try:
        speaker.say({"tally": show_tally(work(order, speaker.carry_out, speaker.tell))})
    except XRoadFault as fault:
        speaker.say({"fault": show_fault(fault)})
    except Exception as cause:
        log.exception("archiving failed")
        reason = f"{type(cause).__name__}: {cause}"[:300]
        speaker.say({"fault": show_fault(LoggingUnavailable("internal_error", "archive.failed", reason=reason))})


class _Speaker:
    """Says lines, and waits for the answers to commands."""

    def __init__(self, out: TextIO, answers: queue.SimpleQueue[str]) -> None:
        self._out = out
        self._answers = answers

    def say(self, facts: dict[str, Any]) -> None:
        self._out.write(json.dumps(facts) + "\n")
        self._out.flush()

    def tell(self, tally: Tally) -> None:
        self.say({"progress": show_tally(tally)})

    def carry_out(self, command: Command) -> None:
        self.say(show_command(command))
        answer = json.loads(self._answers.get())
        if "refused" in answer:
            raise LoggingUnavailable("internal_error", "archive.cannot_commit", reason=answer["refused"])


def _listen(stream: TextIO, lines: queue.SimpleQueue[str]) -> None:
    for line in stream:
        lines.put(line)
    os._exit(_ORPHANED)
