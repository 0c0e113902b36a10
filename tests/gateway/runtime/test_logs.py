from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

from gateway.runtime import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    target = io.StringIO()
    logs.configure("info", target)
    yield target
    root.handlers[:], level = before
    root.setLevel(level)


def alone(stream: TextIO) -> None:
    """Write to `stream` as in a process of ours, where nobody else listens; the fixture puts the others back."""
    logging.getLogger().handlers.clear()
    logs.configure("info", stream)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_says_time_level_logger_and_message(stream: io.StringIO) -> None:
    logging.getLogger("gateway.test").warning("disk %s", "full")
    (line,) = lines(stream)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "gateway.test", "disk full")
    assert str(line["time"]).endswith("+00:00")
    assert "request_id" not in line


def test_facts_become_fields(stream: io.StringIO) -> None:
    logging.getLogger("t").info("x", extra={"count": 3, "whom": {1}})
    assert lines(stream)[0]["count"] == 3
    assert lines(stream)[0]["whom"] == "{1}"


async def test_each_exchange_has_its_own_id(stream: io.StringIO) -> None:
    async def one(name: str) -> None:
        with logs.exchange(name):
            await asyncio.sleep(0)
            await asyncio.to_thread(logging.getLogger("t").info, name)

    await asyncio.gather(one("a"), one("b"))
    logging.getLogger("t").info("outside")
    assert {(line["message"], line.get("request_id")) for line in lines(stream)} == {
        ("a", "a"), ("b", "b"), ("outside", None),
    }  # fmt: skip


def test_exception_stays_on_one_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("bad\nvalue")
    except ValueError:
        logging.getLogger("t").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: bad\nvalue" in str(line["exception"])


def facts_of(line: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in line.items() if name != "time"}


FACTS = {"text": 'ї "q" \\ \n', "count": 3, "none": None, "yes": True, "whom": {1}, "half": "\ud800"}


def test_short_way_writes_the_same_line(stream: io.StringIO) -> None:
    alone(stream)
    logger = logging.getLogger("gateway.test")
    with logs.exchange("r-1"):
        logger.info("x", extra=FACTS)
        logs.info(logger, "x", FACTS)
        logs.info(logger, "x", {**FACTS, "request_id": "r-2"})
    logger.info("outside")
    logs.info(logger, "outside", {})
    usual, short, named, outside, short_outside = lines(stream)
    assert facts_of(short) == facts_of(usual)
    assert facts_of(named) == {**facts_of(usual), "request_id": "r-2"}
    assert facts_of(short_outside) == facts_of(outside)
    assert [len(str(line["time"])) for line in (usual, short)] == [29, 29]
    assert str(short["time"]).endswith("+00:00")


def test_short_way_is_silent_below_the_level(stream: io.StringIO) -> None:
    alone(stream)
    logging.getLogger().setLevel("WARNING")
    logs.info(logging.getLogger("t"), "x", {})
    assert stream.getvalue() == ""


def test_short_way_reaches_whoever_listens_besides(stream: io.StringIO) -> None:
    other = io.StringIO()
    handler = logging.StreamHandler(other)
    logger = logging.getLogger("t")
    logger.addHandler(handler)
    logs.info(logger, "x", {"count": 1})
    logger.removeHandler(handler)
    assert other.getvalue() == "x\n"
    assert lines(stream)[0]["count"] == 1


class Writes(io.StringIO):
    """A stream that remembers its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


async def test_lines_of_one_turn_of_the_loop_are_one_write(stream: io.StringIO) -> None:
    target = Writes()
    alone(target)
    for number in range(5):
        logs.info(logging.getLogger("t"), "x", {"number": number})
    assert target.writes == []
    await asyncio.sleep(0)
    assert [line["number"] for line in lines(target)] == [0, 1, 2, 3, 4]
    assert len(target.writes) == 1


async def test_lines_keep_their_order_whichever_way_they_go(stream: io.StringIO) -> None:
    alone(stream)
    logger = logging.getLogger("t")
    logs.info(logger, "first", {})
    logger.warning("second")
    logs.info(logger, "third", {})
    await asyncio.to_thread(logger.warning, "fourth")
    assert [line["message"] for line in lines(stream)] == ["first", "second", "third", "fourth"]


def test_lines_without_a_loop_go_out_at_once(stream: io.StringIO) -> None:
    alone(stream)
    logs.info(logging.getLogger("t"), "x", {})
    assert len(lines(stream)) == 1


def test_lines_of_the_last_turn_are_written_when_the_process_ends() -> None:
    program = """
import asyncio, logging, sys
from gateway.runtime import logs

async def main():
    for number in range(3):
        logs.info(logging.getLogger("t"), "x", {"number": number, "half": "\\ud800"})
    sys.exit(3)

logs.configure()
asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert ended.returncode == 3
    assert [json.loads(line)["number"] for line in ended.stderr.splitlines()] == [0, 1, 2]


def test_text_that_the_stream_cannot_hold_is_escaped(stream: io.StringIO) -> None:
    target = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    alone(target)
    logs.info(logging.getLogger("t"), "їжак", {})
    logging.getLogger("t").info("їжак")
    target.seek(0)
    assert [json.loads(line)["message"] for line in target.read().splitlines()] == ["їжак", "їжак"]


def test_stream_that_is_gone_stops_nobody(stream: io.StringIO) -> None:
    gone = io.StringIO()
    alone(gone)
    gone.close()
    logs.info(logging.getLogger("t"), "x", {})


def test_configuring_again_replaces_the_handler(stream: io.StringIO) -> None:
    second = io.StringIO()
    logs.configure("warning", second)
    logging.getLogger("t").warning("x")
    logging.getLogger("t").info("y")
    assert stream.getvalue() == ""
    assert len(lines(second)) == 1
