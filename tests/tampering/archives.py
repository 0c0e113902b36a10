"""Archived entries: what the log remembers of them, and the files they lie in."""

from __future__ import annotations

from typing import Any

from gateway.messagelog.completeness.model import Kind
from tests.factories.messages import a_soap_response
from tests.factories.signatures import a_world
from tests.tampering.superuser import Superuser, swap_files
from tests.tampering.table import Found, changing, recipe, running

recipe("archived: edit the hash that is remembered", Found(Kind.ALTERED, 8))(
    lambda s: s.sql("UPDATE archived_entries SET content_hash = :h WHERE sequence = 8", h=bytes(64))
)

recipe("archived: forget one", Found(Kind.ALTERED, 8))(running("DELETE FROM archived_entries WHERE sequence = 8"))

recipe("archived: edit the row that is still here", Found(Kind.ALTERED, 14))(changing(14, query_id="another"))


@recipe("archived: delete the row that is still here, and what is remembered", Found(Kind.ALTERED, 14))
def _(s: Superuser) -> None:
    s.delete(14)
    s.sql("DELETE FROM archived_entries WHERE sequence = 14")


@recipe("archive: one byte of a container", Found(Kind.ARCHIVE, 8))
def _(s: Superuser) -> None:
    path = s.archive(2)
    data = bytearray(path.read_bytes())
    data[data.index(b"query-8-") + 200] ^= 1
    path.write_bytes(bytes(data))


@recipe(
    "archive: put another container in its place, and mend the chain",
    Found(Kind.ARCHIVE, 8),
    Found(Kind.LINKING, 7, 12),
)
def _(s: Superuser) -> None:
    s.edit_containers(2, _with_another_container, relink=True)


@recipe("archive: the same, with file name and database", Found(Kind.ARCHIVE, 8))
def _(s: Superuser) -> None:
    s.edit_containers(2, _with_another_container, relink=True)
    s.rename_archive(2)


@recipe("archive: the same, with facts that fit the container", Found(Kind.ARCHIVE, 8))
def _(s: Superuser) -> None:
    s.edit_containers(2, _with_another_container, relink=True)
    s.rename_archive(2)
    s.edit_facts(2, _with_digest_of_another)


@recipe("archive: the same, and what the log remembers", Found(Kind.ARCHIVE, 8))
def _(s: Superuser) -> None:
    s.edit_containers(2, _with_another_container, relink=True)
    s.rename_archive(2)
    s.edit_facts(2, _with_digest_of_another)
    s.sql("UPDATE archived_entries SET content_hash = :h WHERE sequence = 8", h=bytes(64))


@recipe("archive: edit facts", Found(Kind.ARCHIVE, 8))
def _(s: Superuser) -> None:
    s.edit_facts(2, lambda lines: [one | {"client": "UA-DEMO/GOV/1"} if one["sequence"] == 8 else one for one in lines])


@recipe("archive: count fewer refusals", Found(Kind.ARCHIVE, 11))
def _(s: Superuser) -> None:
    s.edit_facts(2, lambda lines: [one | {"times": 1} if one["sequence"] == 11 else one for one in lines])


@recipe("archive: drop the facts of one", Found(Kind.ARCHIVE, 8), Found(Kind.ARCHIVE))
def _(s: Superuser) -> None:
    s.edit_facts(2, lambda lines: [one for one in lines if one["sequence"] != 8])


@recipe("archive: drop the facts of a refusal", Found(Kind.ARCHIVE, 11))
def _(s: Superuser) -> None:
    s.edit_facts(2, lambda lines: [one for one in lines if one["sequence"] != 11])


@recipe("archive: drop a container, and mend the chain", Found(Kind.ARCHIVE, 8), Found(Kind.LINKING, 7, 12))
def _(s: Superuser) -> None:
    s.edit_containers(2, _without_one, relink=True)


@recipe("archive: drop container and facts of one, and mend the chain", Found(Kind.ARCHIVE, 8))
def _(s: Superuser) -> None:
    s.edit_containers(2, _without_one, relink=True)
    s.edit_facts(2, lambda lines: [one for one in lines if one["sequence"] != 8])
    s.rename_archive(2)


@recipe("archive: exchange two containers", Found(Kind.ARCHIVE, 7, 8))
def _(s: Superuser) -> None:
    s.edit_containers(2, _exchanged)


@recipe("archive: edit the linking information", Found(Kind.LINKING, 8))
def _(s: Superuser) -> None:
    s.edit_linking(2, lambda lines: [*lines[:2], "0" * 128 + lines[2][128:], *lines[3:]])


@recipe("archive: remove the newest file", Found(Kind.ARCHIVE, 13, 18))
def _(s: Superuser) -> None:
    s.archive(3).unlink()
    s.archive(3, ".records.jsonl").unlink()


@recipe("archive: remove a file", Found(Kind.ARCHIVE, 1, 6))
def _(s: Superuser) -> None:
    s.archive(1).unlink()
    s.archive(1, ".records.jsonl").unlink()


@recipe("archive: remove the containers alone", Found(Kind.ARCHIVE, 7, 12))
def _(s: Superuser) -> None:
    s.archive(2).unlink()


@recipe("archive: remove the facts alone", Found(Kind.ARCHIVE, 7, 11), Found(Kind.ARCHIVE))
def _(s: Superuser) -> None:
    s.archive(2, ".records.jsonl").unlink()


@recipe(
    "archive: exchange two files",
    Found(Kind.LINKING, 1, 6),
    Found(Kind.LINKING, 7, 12),
    Found(Kind.ARCHIVE),
    *(Found(Kind.ARCHIVE, *ends) for ends in ((1, 4), (6, 6), (7, 10), (12, 12))),
)
def _(s: Superuser) -> None:
    swap_files(s.archive(1), s.archive(2))


@recipe("archive: exchange two files with their facts", Found(Kind.LINKING, 1, 6), Found(Kind.LINKING, 7, 12))
def _(s: Superuser) -> None:
    swap_files(s.archive(1), s.archive(2))
    swap_files(s.archive(1, ".records.jsonl"), s.archive(2, ".records.jsonl"))


@recipe("archive: cut a file off", Found(Kind.ARCHIVE, 7, 12), Found(Kind.LINKING))
def _(s: Superuser) -> None:
    s.archive(2).write_bytes(s.archive(2).read_bytes()[:5000])


@recipe("archive: edit the file of leaves", Found(Kind.ARCHIVE, 8))
def _(s: Superuser) -> None:
    path = s.archive(2, ".leaves")
    data = bytearray(path.read_bytes())
    data[32] ^= 1
    path.write_bytes(bytes(data))


def _named(entries: dict[str, bytes], number: int) -> str:
    return next(name for name in entries if name.startswith(f"query-{number}-"))


def _with_another_container(entries: dict[str, bytes]) -> dict[str, bytes]:
    return entries | {_named(entries, 8): a_world().container(a_soap_response())}


def _with_digest_of_another(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one | {"message_digest": a_soap_response().digest.hex} if one["sequence"] == 8 else one for one in lines]


def _without_one(entries: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in entries.items() if name != _named(entries, 8)}


def _exchanged(entries: dict[str, bytes]) -> dict[str, bytes]:
    one, other = (_named(entries, 7), _named(entries, 8))
    return entries | {one: entries[other], other: entries[one]}
