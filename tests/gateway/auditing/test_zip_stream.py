"""Zips that go on after a break."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.auditing.zip_stream import Position, ZipStream
from gateway.xroad.asic.archive import read_archive
from tests.factories.pki import NOON


def a_stream(folder: Path, position: Position | None = None) -> ZipStream:
    return ZipStream(folder / "x.zip", folder / "x.directory", position)


def finished(folder: Path, stream: ZipStream) -> zipfile.ZipFile:
    size = stream.finish()
    stream.close()
    assert (folder / "x.zip").stat().st_size == size
    return zipfile.ZipFile(folder / "x.zip")


def test_entries_are_read_by_others_as_they_were_written(tmp_path: Path) -> None:
    stream = a_stream(tmp_path)
    stream.add("folder/звіт.txt", [b"one ", b"two"], 7, NOON)
    stream.add("empty", [], 0, NOON)
    with finished(tmp_path, stream) as archive:
        assert archive.namelist() == ["folder/звіт.txt", "empty"]
        assert archive.read("folder/звіт.txt") == b"one two"
        assert archive.infolist()[0].date_time == (2026, 11, 21, 12, 0, 0)
        assert archive.testzip() is None
    if unzip := shutil.which("unzip"):
        assert subprocess.run([unzip, "-tq", str(tmp_path / "x.zip")], check=False).returncode == 0


def test_what_was_not_synced_before_a_break_is_written_over(tmp_path: Path) -> None:
    stream = a_stream(tmp_path)
    stream.add("kept", [b"1"], 1, NOON)
    position = stream.sync()
    stream.add("lost", [b"x" * 10_000], 10_000, NOON)
    stream.close()
    stream = a_stream(tmp_path, position)
    stream.add("next", [b"2"], 1, NOON)
    with finished(tmp_path, stream) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"kept": b"1", "next": b"2"}


def test_break_within_an_entry_leaves_no_trace(tmp_path: Path) -> None:
    def failing() -> object:
        yield b"half"
        raise OSError("the disk is full")

    stream = a_stream(tmp_path)
    stream.add("first", [b"1"], 1, NOON)
    with pytest.raises(OSError, match="full"):
        stream.add("half", failing(), 10, NOON)  # type: ignore[arg-type]
    stream.add("second", [b"2"], 1, NOON)
    with finished(tmp_path, stream) as archive:
        assert archive.namelist() == ["first", "second"]
        assert archive.testzip() is None


def test_strict_reader_takes_a_zip_that_needs_no_large_numbers(tmp_path: Path) -> None:
    stream = a_stream(tmp_path)
    stream.add("a", [b"1"], 1, NOON)
    stream.add("b", [b"22"], 2, NOON)
    finished(tmp_path, stream).close()
    entries = read_archive((tmp_path / "x.zip").read_bytes(), lambda _: 100)
    assert {name: entry.read() for name, entry in entries.items()} == {"a": b"1", "b": b"22"}


def test_entry_of_another_size_than_announced_is_refused(tmp_path: Path) -> None:
    stream = a_stream(tmp_path)
    with pytest.raises(ValueError, match="has 1 bytes, not 2"):
        stream.add("a", [b"1"], 2, NOON)
    stream.close()


@pytest.mark.parametrize("beyond", [0, 1])
def test_entry_behind_four_gigabytes_is_found(beyond: int, tmp_path: Path) -> None:
    with (tmp_path / "x.zip").open("wb") as sparse:  # no byte of it is on the disk
        sparse.truncate(2**32 - 1 + beyond)
    stream = a_stream(tmp_path, Position(2**32 - 1 + beyond, 0, 0))
    stream.add("far", [b"away"], 4, NOON)
    with finished(tmp_path, stream) as archive:
        assert archive.read("far") == b"away"


def test_file_shorter_than_the_position_says_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shorter"):
        a_stream(tmp_path, Position(10, 0, 1))


def test_more_entries_than_the_old_format_counts_are_found(tmp_path: Path) -> None:
    stream = a_stream(tmp_path)
    for number in range(66_000):
        stream.add(f"{number}", [], 0, NOON)
    with finished(tmp_path, stream) as archive:
        assert len(archive.namelist()) == 66_000


@settings(max_examples=30, deadline=None)
@given(entries=st.lists(st.tuples(st.text(min_size=1, max_size=8), st.binary(max_size=50), st.booleans()), max_size=6))
def test_any_entries_with_breaks_anywhere_give_the_same_zip(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, bytes, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    stream = a_stream(folder)
    for name, content, breaks in entries:
        stream.add(name.encode("utf-8", "replace").decode(), [content], len(content), NOON)
        if breaks:
            position = stream.sync()
            stream.add("lost", [b"lost"], 4, NOON)
            stream.close()
            stream = a_stream(folder, position)
    with finished(folder, stream) as archive:
        assert [archive.read(info) for info in archive.infolist()] == [content for _, content, _ in entries]
