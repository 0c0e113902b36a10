"""Zip archives that two readers could understand differently are refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.asic.archive import read_archive, write_archive
from gateway.xroad.faults import MalformedMessage, XRoadFault
from tests.factories.signatures import rezip

AT = datetime(2026, 11, 21, 12, 34, 57, tzinfo=UTC)
ENTRIES = {"first.txt": b"one", "second.txt": b"two" * 1000, "empty.txt": b""}


def limit_of(name: str) -> int | None:
    return 10_000 if name.endswith(".txt") else None


def archive(entries: Mapping[str, bytes] = ENTRIES, comment: bytes = b"a comment") -> bytes:
    return b"".join(write_archive(((name, [data]) for name, data in entries.items()), AT, comment))


def read(data: bytes) -> dict[str, bytes]:
    return {name: entry.read() for name, entry in read_archive(data, limit_of).items()}


def text_of(data: bytes) -> str:
    with pytest.raises(MalformedMessage) as refusal:
        read(data)
    assert refusal.value.code == "asic_invalid_container"
    return refusal.value.text_id


def test_what_is_written_is_read() -> None:
    assert read(archive()) == ENTRIES


def test_same_input_gives_the_same_bytes() -> None:
    assert archive() == archive()


def test_content_deflated_once_for_many_archives_gives_the_same_bytes() -> None:
    entries = [(name, [data]) for name, data in ENTRIES.items()]
    assert b"".join(write_archive(entries, AT, b"", repeated=ENTRIES)) == b"".join(write_archive(entries, AT, b""))


def test_python_reads_what_is_written() -> None:
    with zipfile.ZipFile(io.BytesIO(archive())) as opened:
        assert opened.testzip() is None
        assert opened.comment == b"a comment"
        assert {name: opened.read(name) for name in opened.namelist()} == ENTRIES
        entry = opened.infolist()[0]
    assert entry.date_time == (2026, 11, 21, 12, 34, 56)  # steps of two seconds
    assert entry.extra == b"UT\x05\x00\x01" + struct.pack("<L", int(AT.timestamp()))
    assert (entry.flag_bits, entry.compress_type, entry.create_version) == (0x0808, zipfile.ZIP_DEFLATED, 20)


def test_large_entry_is_written_in_pieces() -> None:
    pieces = list(write_archive([("first.txt", (bytes(1000) for _ in range(5)))], AT, b""))

    assert read(b"".join(pieces)) == {"first.txt": bytes(5000)}


@given(entries=st.dictionaries(st.from_regex(r"[a-z]{1,8}\.txt", fullmatch=True), st.binary(max_size=200), max_size=6))
def test_any_entries_come_back(entries: dict[str, bytes]) -> None:
    assert read(archive(entries)) == entries


def test_stored_entries_in_any_order_and_without_comment_are_read() -> None:
    reverse = dict(reversed(ENTRIES.items()))

    assert read(rezip(reverse)) == ENTRIES


def test_empty_file_is_no_archive() -> None:
    assert text_of(b"") == "asic.not_a_zip"


def test_entry_without_a_place_is_refused() -> None:
    assert text_of(rezip({"readme.md": b""})) == "asic.zip_entry_unknown"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_repeated_entry_is_refused() -> None:
    assert text_of(rezip([("a.txt", b"1"), ("a.txt", b"2")])) == "asic.zip_entry_repeated"


def test_entry_above_its_limit_is_refused_before_it_is_inflated() -> None:
    assert text_of(archive({"a.txt": bytes(10_001)})) == "asic.zip_too_large"


def test_bomb_that_lies_about_its_size_stops_at_the_size_it_stated() -> None:
    bomb = bytearray(archive({"a.txt": bytes(5_000_000)}, b""))
    for offset in (bomb.rindex(b"PK\x07\x08") + 12, bomb.index(b"PK\x01\x02") + 24):
        struct.pack_into("<L", bomb, offset, 1000)

    assert text_of(bytes(bomb)) == "asic.zip_size"


def test_wrong_check_sum_is_refused() -> None:
    changed = rezip({"a.txt": b"right"}).replace(b"right", b"wrong")

    assert text_of(changed) == "asic.zip_size"


@pytest.mark.parametrize("tail", [b"\0", b"PK", bytes(1000)])
def test_bytes_behind_the_end_are_refused(tail: bytes) -> None:
    assert text_of(archive() + tail) in ("asic.zip_trailing_bytes", "asic.not_a_zip")


def test_bytes_before_the_beginning_are_refused() -> None:
    assert text_of(b"#!/bin/sh\n" + archive()) == "asic.zip_directory"


def test_cut_off_archive_is_refused() -> None:
    data = archive()

    assert all(text_of(data[:length]) for length in range(0, len(data), 7))


def hidden() -> bytes:
    """An archive with a local entry that the directory does not list."""
    whole, extra = archive({"a.txt": b"shown"}, b""), archive({"a.txt": b"hidden"}, b"")
    local = extra[: extra.index(b"PK\x01\x02")]
    start = whole.index(b"PK\x01\x02")
    end = bytearray(whole[start:])
    struct.pack_into("<L", end, end.index(b"PK\x05\x06") + 16, start + len(local))
    return whole[:start] + local + bytes(end)


def test_entry_that_the_directory_does_not_list_is_refused() -> None:
    with zipfile.ZipFile(io.BytesIO(hidden())) as opened:
        assert opened.namelist() == ["a.txt"]  # others see nothing wrong
    assert text_of(hidden()) == "asic.zip_gap"


@pytest.mark.parametrize(
    ("offset", "format_", "value"),
    [(6, "<H", 0), (8, "<H", 0), (14, "<L", 1), (18, "<L", 1), (22, "<L", 1), (26, "<H", 4), (30, "<L", 0x2E612E2E)],
)
def test_local_header_that_differs_from_the_directory_is_refused(offset: int, format_: str, value: int) -> None:
    data = bytearray(archive({"a.txt": b"content"}, b""))
    struct.pack_into(format_, data, offset, value)

    assert text_of(bytes(data)) in ("asic.zip_local_header", "asic.zip_gap", "asic.zip_extra")


@pytest.mark.parametrize(
    ("offset", "format_", "value"),
    [
        (8, "<H", 0x0809),  # encrypted
        (8, "<H", 0x0848),  # strong encryption
        (10, "<H", 12),  # bzip2
        (16, "<L", 1),
        (20, "<L", 1),
        (24, "<L", 1),
        (34, "<H", 1),  # another disk
        (42, "<L", 1),
    ],
)
def test_directory_that_differs_from_the_local_header_is_refused(offset: int, format_: str, value: int) -> None:
    data = bytearray(archive({"a.txt": b"content"}, b""))
    struct.pack_into(format_, data, data.index(b"PK\x01\x02") + offset, value)

    assert text_of(bytes(data))


def test_symbolic_link_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        link = zipfile.ZipInfo("a.txt")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        opened.writestr(link, "/etc/passwd")

    assert text_of(buffer.getvalue()) == "asic.zip_directory"


@pytest.mark.parametrize("kind", [0x0001, 0x7075])
def test_second_size_or_name_in_an_extra_field_is_refused(kind: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        entry = zipfile.ZipInfo("a.txt")
        entry.extra = struct.pack("<2H", kind, 5) + b"\1\2\3\4x"
        opened.writestr(entry, "content")

    assert text_of(buffer.getvalue()) == "asic.zip_extra"


def test_names_outside_of_ascii_are_refused() -> None:
    assert text_of(rezip({"а.txt": b""})) == "asic.zip_entry_unknown"


def test_data_behind_the_compressed_stream_is_refused() -> None:
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(b"content") + packer.flush() + b"hidden"
    name = b"a.txt"
    sizes = struct.pack("<3L", zlib.crc32(b"content"), len(packed), 7)
    local = b"PK\x03\x04" + struct.pack("<5H", 20, 0, 8, 0, 0) + sizes + struct.pack("<2H", 5, 0) + name + packed
    central = b"PK\x01\x02" + struct.pack("<6H", 20, 20, 0, 8, 0, 0) + sizes + struct.pack("<5H2L", 5, 0, 0, 0, 0, 0, 0)
    central += name
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 1, 1, len(central), len(local), 0)

    assert text_of(local + central + end) == "asic.zip_data"


@given(data=st.binary(max_size=300))
def test_any_bytes_are_an_archive_or_a_fault(data: bytes) -> None:
    with pytest.raises(XRoadFault):
        read(data)


@given(data=st.data())
def test_damaged_archives_are_archives_or_faults(data: st.DataObject) -> None:
    document = bytearray(archive())
    for _ in range(data.draw(st.integers(1, 4))):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(document))
    except XRoadFault:
        return
    assert found == ENTRIES
