from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.runtime.audit.file_watch import ADDED, BEGUN, EDITED, REMOVED, FileWatch, files_below
from gateway.runtime.audit.files import CURRENT
from gateway.runtime.audit.model import Deed
from gateway.runtime.audit.trail import CHANGED_EVENT, Trail
from gateway.runtime.clock import FixedClock

CLOCK = FixedClock(datetime(2026, 3, 1, 9, tzinfo=UTC))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder of watched files, one of them a settings file."""
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "settings.toml").write_text("port = 1")
    return folder


def a_watch(keys: Path) -> FileWatch:
    """A program that starts over the same state."""
    state = keys.parent
    return FileWatch(Trail(state, CLOCK), state / "files.json", lambda: files_below(None, keys, keys / "absent"))


def told(keys: Path) -> list[dict[str, Any]]:
    return [event for event in Trail(keys.parent, CLOCK).read() if event["event"] != BEGUN][::-1]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_first_look_says_what_is_watched(keys: Path) -> None:
    a_watch(keys).look()
    (event,) = Trail(keys.parent, CLOCK).read()
    assert (event["event"], event["user"], event["data"]) == (BEGUN, "system", {"files": [str(keys / "settings.toml")]})


def test_edit_behind_our_back_names_the_file_and_both_hashes(keys: Path) -> None:
    watch = a_watch(keys)
    watch.look()
    (keys / "settings.toml").write_text("port = 2")
    watch.look()
    watch.look()
    (event,) = told(keys)
    assert (event["event"], event["user"]) == (EDITED, "system")
    assert event["data"] == {
        "file": str(keys / "settings.toml"),
        "old_sha256": sha256("port = 1"),
        "new_sha256": sha256("port = 2"),
    }


def test_edit_while_nothing_ran_is_found_at_start(keys: Path) -> None:
    a_watch(keys).look()
    (keys / "settings.toml").unlink()
    (keys / "new.key").write_text("key")
    a_watch(keys).look()
    assert [(event["event"], Path(event["data"]["file"]).name) for event in told(keys)] == [
        (ADDED, "new.key"),
        (REMOVED, "settings.toml"),
    ]


def test_change_of_ours_is_no_edit(keys: Path) -> None:
    watch = a_watch(keys)
    watch.look()
    watch.begin_change()
    (keys / "own.key").write_text("key")
    watch.look()
    watch.end_change()
    watch.look()
    a_watch(keys).look()
    assert told(keys) == []


def test_edit_just_before_a_change_of_ours_is_found(keys: Path) -> None:
    watch = a_watch(keys)
    watch.look()
    (keys / "settings.toml").write_text("port = 2")
    watch.begin_change()
    (keys / "own.key").write_text("key")
    watch.end_change()
    assert [event["event"] for event in told(keys)] == [EDITED]


def test_two_changes_at_the_same_time_are_both_ours(keys: Path) -> None:
    watch = a_watch(keys)
    watch.look()
    watch.begin_change()
    (keys / "one.key").write_text("1")
    watch.begin_change()
    (keys / "two.key").write_text("2")
    watch.end_change()
    watch.look()
    watch.end_change()
    watch.look()
    assert told(keys) == []


def test_trail_cut_while_nothing_ran_is_found_at_start(keys: Path) -> None:
    watch = a_watch(keys)
    watch.look()
    Trail(keys.parent, CLOCK).write(Deed("Delete client", "olena"))
    watch.look()
    lines = (keys.parent / CURRENT).read_bytes().splitlines(keepends=True)
    (keys.parent / CURRENT).write_bytes(b"".join(lines[:-1]))
    a_watch(keys).look()
    assert [event["event"] for event in told(keys)] == [CHANGED_EVENT]


def test_damaged_memory_is_told_as_everything_new(keys: Path) -> None:
    a_watch(keys).look()
    (keys.parent / "files.json").write_text("{}")
    a_watch(keys).look()
    assert [event["event"] for event in told(keys)] == [ADDED]
