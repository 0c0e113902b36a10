from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.runtime import logs
from gateway.runtime.audit.check import verify_trail
from gateway.runtime.audit.files import CURRENT, PENDING, closed_files, lines_backwards
from gateway.runtime.audit.model import Deed, Head, TrailUnavailable, caller_address
from gateway.runtime.audit.trail import CHANGED_EVENT, INTERRUPTED, TORN_EVENT, Trail
from gateway.runtime.clock import FixedClock

CLOCK = FixedClock(datetime(2026, 3, 1, 9, tzinfo=UTC))


def a_trail(folder: Path, **options: int) -> Trail:
    return Trail(folder, CLOCK, **options)


def events_in(folder: Path) -> list[dict[str, Any]]:
    return a_trail(folder).read(limit=100_000)[::-1]


def deed(event: str = "Add client", **facts: Any) -> Deed:
    return Deed(event, "olena", data=facts)


def test_event_has_the_fields_of_the_reference(tmp_path: Path) -> None:
    a_trail(tmp_path).write(
        Deed("Register client", "olena", "192.0.2.1", "Session", "/api/v1/clients", data={"clientId": "UA:GOV:1"})
    )
    (line,) = (tmp_path / CURRENT).read_bytes().splitlines()
    assert json.loads(line) == {
        "time": "2026-03-01T09:00:00.000Z",
        "n": 1,
        "event": "Register client",
        "user": "olena",
        "ipaddress": "192.0.2.1",
        "auth": "Session",
        "url": "/api/v1/clients",
        "data": {"clientId": "UA:GOV:1"},
        "previous": "0" * 64,
    }


def test_failed_event_says_so_and_why(tmp_path: Path) -> None:
    a_trail(tmp_path).write(Deed("Add client", None, reason="client_exists", warning=True))
    (event,) = events_in(tmp_path)
    assert (event["event"], event["user"], event["reason"], event["warning"]) == (
        "Add client failed",
        None,
        "client_exists",
        True,
    )


def test_event_names_the_caller_and_the_number_of_the_request(tmp_path: Path) -> None:
    token = caller_address.set("192.0.2.7")
    try:
        with logs.exchange("4711"):
            a_trail(tmp_path).write(deed())
    finally:
        caller_address.reset(token)
    (event,) = events_in(tmp_path)
    assert (event["ipaddress"], event["correlation"]) == ("192.0.2.7", "4711")


def test_every_event_names_the_hash_of_the_line_before(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    heads = [trail.write(deed(number=number)) for number in range(3)]
    assert [event["previous"] for event in events_in(tmp_path)] == ["0" * 64, *(head.line_sha256 for head in heads[:2])]
    assert verify_trail(tmp_path, noted=heads[1]).holds


def test_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    a_trail(tmp_path).write(deed())
    assert (tmp_path / CURRENT).stat().st_mode & 0o777 == 0o600


def test_long_facts_are_left_out_with_their_hash(tmp_path: Path) -> None:
    a_trail(tmp_path).write(deed(text="x" * 20_000))
    (event,) = events_in(tmp_path)
    assert set(event["data"]) == {"omitted_characters", "sha256"}


def test_full_file_is_closed_and_the_chain_goes_on(tmp_path: Path) -> None:
    trail = a_trail(tmp_path, max_file_bytes=1000)
    for number in range(30):
        trail.write(deed(number=number))
    assert closed_files(tmp_path)[0].name == "audit-000000000001.log"
    assert len(closed_files(tmp_path)) > 3
    verdict = verify_trail(tmp_path)
    assert (verdict.holds, verdict.events) == (True, 30)
    assert [event["data"]["number"] for event in events_in(tmp_path)] == list(range(30))


def test_reading_goes_back_page_by_page(tmp_path: Path) -> None:
    trail = a_trail(tmp_path, max_file_bytes=1000)
    for number in range(1, 21):
        trail.write(deed(number=number))
    assert [event["n"] for event in trail.read(limit=7)] == list(range(20, 13, -1))
    assert [event["n"] for event in trail.read(before=14, limit=7)] == list(range(13, 6, -1))
    assert [event["n"] for event in trail.read(before=3, limit=7)] == [2, 1]
    assert trail.read(before=1) == []


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    ours, theirs = a_trail(tmp_path), a_trail(tmp_path)
    for number in range(5):
        ours.write(deed(number=number))
        theirs.write(deed(number=number))
    verdict = verify_trail(tmp_path)
    assert (verdict.holds, verdict.events) == (True, 10)


def test_threads_write_one_chain(tmp_path: Path) -> None:
    trail = a_trail(tmp_path, max_file_bytes=2000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: trail.write(deed(number=number)), range(60)))
    verdict = verify_trail(tmp_path)
    assert (verdict.holds, verdict.events) == (True, 60)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(0, 700), garbage=st.binary(max_size=40))
def test_torn_end_is_completed_honestly(tmp_path_factory: pytest.TempPathFactory, cut: int, garbage: bytes) -> None:
    folder = tmp_path_factory.mktemp("trail")
    for number in range(3):
        a_trail(folder).write(deed(number=number))
    content = (folder / CURRENT).read_bytes()
    (folder / CURRENT).write_bytes(content[: max(len(content) - cut, 0)] + garbage)
    kept = (folder / CURRENT).read_bytes()
    a_trail(folder).write(deed("Delete client"))
    assert (folder / CURRENT).read_bytes().startswith(kept)  # nothing is taken back
    verdict = verify_trail(folder)
    assert verdict.holds, verdict
    assert events_in(folder)[-1]["event"] == "Delete client"
    has_torn = any(event["event"] == TORN_EVENT for event in events_in(folder))
    assert has_torn == (verdict.torn_lines > 0)


def test_line_that_lacks_only_its_end_is_no_torn_line(tmp_path: Path) -> None:
    head = a_trail(tmp_path).write(deed())
    content = (tmp_path / CURRENT).read_bytes()
    (tmp_path / CURRENT).write_bytes(content.rstrip(b"\n"))
    a_trail(tmp_path).write(deed())
    assert [event["event"] for event in events_in(tmp_path)] == ["Add client", "Add client"]
    assert verify_trail(tmp_path, noted=head).holds


def test_event_that_is_gone_is_missed_by_whoever_wrote_it(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    trail.write(deed(number=1))
    gone = trail.write(deed(number=2))
    lines = (tmp_path / CURRENT).read_bytes().splitlines(keepends=True)
    (tmp_path / CURRENT).write_bytes(lines[0])
    trail.write(deed(number=3))
    missed = events_in(tmp_path)[1]
    assert missed["event"] == CHANGED_EVENT
    assert missed["data"] == {"missing_event": 2, "missing_sha256": gone.line_sha256, "found_event": 1}
    assert verify_trail(tmp_path).holds
    assert not verify_trail(tmp_path, noted=gone).holds


def test_look_tells_of_a_trail_that_was_removed(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    trail.write(deed())
    (tmp_path / CURRENT).unlink()
    trail.look()
    trail.look()
    assert [event["event"] for event in events_in(tmp_path)] == [CHANGED_EVENT]


def test_look_of_a_new_process_goes_by_what_was_kept_elsewhere(tmp_path: Path) -> None:
    head = a_trail(tmp_path).write(deed())
    a_trail(tmp_path).look(head)
    assert len(events_in(tmp_path)) == 1
    (tmp_path / CURRENT).unlink()
    a_trail(tmp_path).look(head)
    assert events_in(tmp_path)[0]["event"] == CHANGED_EVENT


def test_trail_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(TrailUnavailable, match=r"audit\.log"):
        a_trail(tmp_path / "nowhere").write(deed())
    with pytest.raises(TrailUnavailable, match=r"audit\.pending"):
        a_trail(tmp_path / "nowhere").begin(deed())


async def test_record_is_the_same_without_blocking(tmp_path: Path) -> None:
    await a_trail(tmp_path).record("View record", user="olena", auth="Session", url="/audit", data={"record": 4})
    (event,) = events_in(tmp_path)
    assert (event["event"], event["data"]) == ("View record", {"record": 4})


def test_begun_change_stands_once_when_it_is_finished(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    note = trail.begin(deed())
    assert events_in(tmp_path) == []
    trail.finish(note, deed(done=True))
    trail.recover()
    assert [event["data"] for event in events_in(tmp_path)] == [{"done": True}]


def test_change_of_a_killed_process_is_recovered_as_uncertain(tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=_begin_and_die, args=(tmp_path,))
    child.start()
    child.join()
    a_trail(tmp_path).recover()
    a_trail(tmp_path).recover()
    (event,) = events_in(tmp_path)
    assert (event["event"], event["reason"], event["data"]) == ("Generate key failed", INTERRUPTED, {"label": "k"})


def _begin_and_die(folder: Path) -> None:
    a_trail(folder).begin(deed("Generate key", label="k"))
    os.kill(os.getpid(), signal.SIGKILL)


def test_change_of_a_living_process_is_left_to_it(tmp_path: Path) -> None:
    a_trail(tmp_path).begin(deed())
    (note,) = (tmp_path / PENDING).iterdir()
    note.rename(note.with_name(f"{os.getppid()}-{note.name.partition('-')[2]}"))
    a_trail(tmp_path).recover()
    assert events_in(tmp_path) == []


def test_note_that_was_never_finished_is_told_as_unknown(tmp_path: Path) -> None:
    (tmp_path / PENDING).mkdir()
    (tmp_path / PENDING / f"{os.getpid()}-x.json").write_bytes(b'{"event": "Add')
    a_trail(tmp_path).recover()
    assert [event["event"] for event in events_in(tmp_path)] == ["Unknown change failed"]


def test_full_disk_refuses_new_changes_and_keeps_what_was_done(tmp_path: Path) -> None:
    """The limit on the size of files stands for the disk; a child process, for it cannot be taken back."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_fill, args=(tmp_path, results))
    child.start()
    said = results.get(timeout=30)
    child.join()
    assert said == ["finish refused", "begin refused", "written again"]
    events = [event["data"].get("number") for event in events_in(tmp_path)]
    assert events == [0, 1, 2]
    assert verify_trail(tmp_path).holds


def _fill(folder: Path, results: Any) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    trail, said = a_trail(folder), []
    trail.write(deed(number=0))
    note = trail.begin(deed(number=1))
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / CURRENT).stat().st_size + 10, most))
    try:
        trail.finish(note, deed(number=1))
    except TrailUnavailable:
        said.append("finish refused")
    try:
        trail.begin(deed(number=2))
    except TrailUnavailable:
        said.append("begin refused")
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    trail.finish(trail.begin(deed(number=2)), deed(number=2))
    said.append("written again")
    results.put(said)


@given(st.binary(max_size=300), st.integers(1, 7))
def test_lines_backwards_are_the_lines(tmp_path_factory: pytest.TempPathFactory, content: bytes, block: int) -> None:
    path = tmp_path_factory.getbasetemp() / "lines"
    path.write_bytes(content)
    expected = content.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert list(lines_backwards(path, block_bytes=block))[::-1] == expected


def test_head_of_nothing_is_number_zero(tmp_path: Path) -> None:
    assert a_trail(tmp_path).look() == Head()
    assert not (tmp_path / CURRENT).exists()
