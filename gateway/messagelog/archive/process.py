"""Run the archiver in a process of its own: it builds and verifies, the server's log writer commits.

So archiving takes nothing from the message path but what its commits take, and memory it used is given
back when it ends. A process that dies or is killed is a failure like any other; nothing is lost by it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.messagelog.archive.archiver import Tally
from gateway.messagelog.archive.journal import Deliver, change_of
from gateway.messagelog.archive.wire import MAX_LINE_BYTES, read_command, read_fault
from gateway.messagelog.recorder import MessageLog
from gateway.runtime.group_commit import CommitUnavailable
from gateway.xroad.faults import LoggingUnavailable

log = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-m", "gateway.archiving")


async def run_archiver(
    message_log: MessageLog,
    order: dict[str, Any],
    *,
    command: Sequence[str] = COMMAND,
    progress: Callable[[Tally], None] = lambda _: None,
    delivered: Callable[[], None] = lambda: None,
) -> Tally:
    """Archive as ordered and return what was done; `delivered` is told of each file in its place.

    Raises LoggingUnavailable with what stood in the way. Cancelling ends the process.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MAX_LINE_BYTES,
        start_new_session=True,  # what interrupts the server is told by the end of its input
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018
    try:
        await _say(process.stdin, order)
        async for line in process.stdout:
            said = json.loads(line)
            if "command" in said:
                await _say(process.stdin, await _carry_out(message_log, said, delivered))
            elif "progress" in said:
                progress(Tally(**said["progress"]))
            elif "fault" in said:
                raise read_fault(said["fault"])
            else:
                return Tally(**said["tally"])
    except (BrokenPipeError, ConnectionResetError, ValueError) as cause:
        log.warning("the archiver's process broke off: %s", cause)
    finally:
        status = await _end(process)
    raise LoggingUnavailable("internal_error", "archive.process_ended", status=status)


async def _carry_out(message_log: MessageLog, said: dict[str, Any], delivered: Callable[[], None]) -> dict[str, Any]:
    command = read_command(said)
    try:
        await message_log.submit(change_of(command))
    except CommitUnavailable as cause:
        return {"refused": str(cause)}
    except Exception as cause:
        log.exception("the database refused what the archiver wants")
        return {"refused": type(cause).__name__}
    if isinstance(command, Deliver):
        delivered()
    return {"done": True}


async def _say(stdin: asyncio.StreamWriter, facts: dict[str, Any]) -> None:
    stdin.write(json.dumps(facts).encode() + b"\n")
    await stdin.drain()


async def _end(process: asyncio.subprocess.Process) -> int:
    """End the process if it has not ended, and return its status."""
    if process.returncode is None:
        if process.stdin is not None:
            process.stdin.close()  # it ends when its input does
        try:
            async with asyncio.timeout(5):
                return await process.wait()
        except TimeoutError:
            process.kill()
    return await process.wait()
