from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.messagelog.archive.model import Grouping
from gateway.messagelog.archive.names import (
    archive_stem,
    group_of,
    leaves_name,
    parse_archive_name,
    parse_leaves_name,
)
from tests.factories.pki import NOON

DIGEST = "0123456789abcdef" * 8
LAST = NOON + timedelta(hours=1)
TIMES = f"{NOON.astimezone():%Y%m%d%H%M%S}-{LAST.astimezone():%Y%m%d%H%M%S}"


def test_name_is_that_of_the_reference() -> None:
    assert archive_stem("", NOON, LAST, DIGEST) == f"mlog-{TIMES}-0123456789abcdef"
    assert archive_stem("UA/GOV/1/SUB", NOON, LAST, DIGEST) == f"mlog-UA_GOV_1_SUB-{TIMES}-0123456789abcdef"


def test_characters_that_no_file_name_or_line_bears_are_replaced() -> None:
    stem = archive_stem('a\\<>/:|*?\x00\x1f\x85\t b"ї', NOON, LAST, DIGEST)
    assert stem.startswith('mlog-a_____________b"ї-')


def test_long_group_fits_a_file_name_in_bytes() -> None:
    stem = archive_stem("ї" * 300, NOON, LAST, DIGEST)
    assert len(f".{stem}.records.jsonl.gpg".encode()) <= 255
    assert parse_archive_name(f"{stem}.zip") is not None


@pytest.mark.parametrize(("suffix", "encrypted"), [("", False), (".gpg", True)])
def test_name_of_containers_tells_that_of_the_facts_and_back(suffix: str, encrypted: bool) -> None:
    stem = archive_stem("UA/GOV/1-2", NOON, LAST, DIGEST)
    name = parse_archive_name(f"{stem}.zip{suffix}")
    assert name is not None
    assert (name.stem, name.group, name.is_containers, name.is_encrypted) == (stem, "UA_GOV_1-2", True, encrypted)
    assert name.records == f"{stem}.records.jsonl{suffix}"
    other = parse_archive_name(name.records)
    assert other is not None
    assert (other.containers, other.is_containers) == (f"{stem}.zip{suffix}", False)


@pytest.mark.parametrize(
    "name", ["mlog.zip", "mlog-1-2-3.zip", "ledger-1-2.leaves", f"mlog-{TIMES}-0123456789ABCDEF.zip", ""]
)
def test_other_files_are_no_archives(name: str) -> None:
    assert parse_archive_name(name) is None


def test_ledger_hashes_are_named_by_their_range() -> None:
    assert leaves_name(1, 10_000) == "ledger-000000000001-000000010000.leaves"
    assert parse_leaves_name(leaves_name(1, 10_000)) == (1, 10_000)
    for name in ("ledger-1-2.leaves", leaves_name(2, 1), leaves_name(0, 1), "ledger-000000000001-0000000000002.leaves"):
        assert parse_leaves_name(name) is None


@given(st.text(max_size=100))
def test_any_group_gives_a_name_that_is_read_again(group: str) -> None:
    text = f"{archive_stem(group, NOON, LAST, DIGEST)}.zip"
    assert len(text.split()) == 1
    assert parse_archive_name(text) is not None


def test_group_is_the_short_id_of_member_or_subsystem() -> None:
    party = "UA-DEMO/GOV/1000%2F1/SNAP"
    assert group_of(party, Grouping.NONE) == ""
    assert group_of(party, Grouping.MEMBER) == "UA-DEMO/GOV/1000/1"
    assert group_of(party, Grouping.SUBSYSTEM) == "UA-DEMO/GOV/1000/1/SNAP"


@pytest.mark.parametrize("party", ["", "nonsense", "a/b/%zz", "/"])
def test_what_belongs_to_nobody_has_no_group(party: str) -> None:
    assert group_of(party, Grouping.MEMBER) == ""
