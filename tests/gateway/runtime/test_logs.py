from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

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


def test_configuring_again_replaces_the_handler(stream: io.StringIO) -> None:
    second = io.StringIO()
    logs.configure("warning", second)
    logging.getLogger("t").warning("x")
    logging.getLogger("t").info("y")
    assert stream.getvalue() == ""
    assert len(lines(second)) == 1
