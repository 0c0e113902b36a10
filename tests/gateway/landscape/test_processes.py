from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.landscape.processes import Program, ProgramEnded, stop_all, wait_until

SERVE = ("http.server", "0", "--bind", "127.0.0.1")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program("registry", SERVE, tmp_path / "logs" / "registry.log", {"PYTHONUNBUFFERED": "1"})


def lives(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def ended(pid: int) -> bool:
    for _ in range(200):
        if not lives(pid):
            return True
        time.sleep(0.05)
    return False


async def test_program_is_waited_for_until_it_is_ready(program: Program) -> None:
    program.start()
    try:
        await wait_until(lambda: "Serving" in program.log.read_text(), program, within_s=30)
        assert program.rss_bytes() > 1_000_000
        assert program.pid is not None
    finally:
        program.stop()
    assert program.pid is None
    assert program.rss_bytes() == 0


async def test_program_that_ends_by_itself_shows_the_end_of_its_log(tmp_path: Path) -> None:
    program = Program("central", ("surma_no_such_module",), tmp_path / "central.log")
    program.start()
    try:
        with pytest.raises(ProgramEnded) as ended:
            await wait_until(lambda: False, program, within_s=30)
    finally:
        program.stop()
    assert "central ended with status 1" in str(ended.value)
    assert str(program.log) in str(ended.value)
    assert "No module named surma_no_such_module" in str(ended.value)


async def test_program_that_is_never_ready_is_given_up(program: Program) -> None:
    program.start()
    try:
        with pytest.raises(TimeoutError, match="registry was not ready"):
            await wait_until(lambda: False, program, within_s=0.2)
    finally:
        program.stop()


async def test_all_programs_stop(tmp_path: Path) -> None:
    programs = [Program(f"p{number}", SERVE, tmp_path / f"{number}.log") for number in range(3)]
    for program in programs:
        program.start()
    stop_all(programs)
    assert [program.pid for program in programs] == [None, None, None]


def test_killed_program_is_gone_at_once(program: Program) -> None:
    program.start()
    program.kill()
    assert program.process is not None
    assert program.process.returncode == -signal.SIGKILL
    program.stop()


def test_program_starts_again_and_its_log_goes_on(tmp_path: Path) -> None:
    program = Program("short", ("this",), tmp_path / "short.log")
    for _ in range(2):
        program.start()
        assert program.process is not None
        assert program.process.wait(30) == 0
        program.stop()
    assert program.log.read_text().count("The Zen of Python") == 2


def test_child_ends_with_its_killed_parent(tmp_path: Path) -> None:
    script = (
        "import time; from pathlib import Path; from gateway.landscape.processes import Program\n"
        f"program = Program('child', {SERVE!r}, Path({str(tmp_path / 'child.log')!r}))\n"
        "program.start(); print(program.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert lives(child)
        os.kill(parent.pid, signal.SIGKILL)
        assert ended(child)
    finally:
        parent.kill()
        parent.communicate()
