"""Somebody with every right on database, bodies and archives, who knows the formats and owns our code."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from gateway.messagelog import store
from gateway.messagelog.archive.linking import LinkingBuilder
from gateway.messagelog.archive.names import LINKING_ENTRY
from gateway.messagelog.archive.zip_writer import ZipWriter
from gateway.messagelog.bodies import BodyStore
from gateway.messagelog.chain import record_hash, sha512
from gateway.messagelog.checkpoints import walk_checkpoints
from gateway.messagelog.completeness.stored import StoredEntries
from gateway.messagelog.reader import MessageReader
from gateway.messagelog.skeletons import join, split
from gateway.runtime.clock import epoch_ms
from gateway.runtime.database import Database
from gateway.xroad.checkpoint import build_checkpoint, parse_checkpoint
from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.ledger import TileWriter, entry_leaf, root_of
from tests.factories.ledger import a_checkpoint, a_refusal
from tests.factories.pki import NOON
from tests.tampering.untouched import LAST, STEP_S, Untouched

AFTERWARDS = NOON + timedelta(seconds=STEP_S * (LAST + 5))  # when the deed is done


@dataclass(frozen=True)
class Superuser:
    """What somebody can reach, and what they can do with it."""

    database: Database
    here: Untouched

    # rows

    def sql(self, statement: str, **values: Any) -> None:
        """Run a statement; no foreign key stands in the way."""
        self.many(statement, [values])

    def many(self, statement: str, rows: Sequence[dict[str, Any]]) -> None:
        """Run a statement for many rows."""
        if self.database.path is not None:
            connection = sqlite3.connect(self.database.path)
            connection.execute("PRAGMA synchronous=OFF")  # a copy that is thrown away
            connection.executemany(statement, rows)
            connection.commit()
            connection.close()
            return
        with self.database.transaction() as server:
            server.execute(text("SET LOCAL session_replication_role = replica"))
            server.execute(text(statement), list(rows))

    def rows(self, question: str, **values: Any) -> Sequence[Any]:
        """Ask a question."""
        with self.database.reading() as connection:
            return connection.execute(text(question), values).all()

    def value(self, question: str, **values: Any) -> Any:
        """Ask for one value."""
        return self.rows(question, **values)[0][0]

    def table_of(self, sequence: int) -> str:
        """Return where an entry stands."""
        found = self.rows("SELECT 1 FROM refusals WHERE sequence = :n", n=sequence)
        return "refusals" if found else "message_records"

    def set(self, sequence: int, **columns: Any) -> None:
        """Change columns of an entry."""
        changes = ", ".join(f"{name} = :{name}" for name in columns)
        self.sql(f"UPDATE {self.table_of(sequence)} SET {changes} WHERE sequence = :n", n=sequence, **columns)

    def get(self, sequence: int, column: str) -> Any:
        """Return a column of an entry."""
        return self.value(f"SELECT {column} FROM {self.table_of(sequence)} WHERE sequence = :n", n=sequence)

    def delete(self, first: int, last: int | None = None) -> None:
        """Delete the rows of entries, with whatever belongs to them."""
        for table in ("record_timestamps", "message_bodies", "message_records", "refusals"):
            self.sql(f"DELETE FROM {table} WHERE sequence BETWEEN :a AND :b", a=first, b=last or first)

    def move(self, sequence: int, to: int) -> None:
        """Give an entry another number."""
        for table in ("record_timestamps", "message_bodies", "message_records", "refusals"):
            self.sql(f"UPDATE {table} SET sequence = :b WHERE sequence = :a", a=sequence, b=to)

    def swap(self, one: int, other: int) -> None:
        """Exchange the numbers of two entries."""
        self.move(one, -1)
        self.move(other, one)
        self.move(-1, other)

    def shift(self, numbers: Iterable[int], by: int) -> None:
        """Renumber entries, in an order that leaves room."""
        for number in numbers:
            self.move(number, number + by)

    def write_refusal(self, sequence: int, text_id: str = "access.not_allowed") -> None:
        """Put in an entry that was never written; its links come later."""
        at_ms = epoch_ms(NOON) + 1000 * sequence * STEP_S
        new = a_refusal(7000 + sequence, text_id=text_id, time_ms=at_ms, until_ms=at_ms)
        said = {name: str(value) if name == "side" else value for name, value in new.content._asdict().items()}
        names = ("sequence", *said, "content_hash", "previous_hash", "record_hash")
        places = ", ".join(f":{name}" for name in names)
        self.sql(
            f"INSERT INTO refusals ({', '.join(names)}) VALUES ({places})",
            sequence=sequence, content_hash=new.content_hash, previous_hash=bytes(64), record_hash=bytes(64), **said,
        )  # fmt: skip

    def copy_message(self, source: int, to: int) -> None:
        """Put message and signature of a record into another one, with all that a row says of them."""
        columns = "message, message_digest, skeleton_key, signature_values, signature_digest"
        row = self.rows(f"SELECT {columns} FROM message_records WHERE sequence = :n", n=source)[0]
        self.set(to, **row._asdict())

    def put_signature(self, sequence: int, xml: bytes) -> None:
        """Put another signature into a record."""
        key, skeleton, values = split(xml)
        self.sql("INSERT INTO signature_skeletons VALUES (:k, :s) ON CONFLICT DO NOTHING", k=key, s=skeleton)
        self.set(sequence, skeleton_key=key, signature_values=values, signature_digest=sha512(xml))

    # hashes

    def rehash(self, sequence: int) -> None:
        """Make an entry state what it holds."""
        if self.table_of(sequence) == "message_records":
            join_on = "JOIN signature_skeletons s ON s.key = r.skeleton_key WHERE r.sequence = :n"
            question = f"SELECT s.skeleton, r.signature_values FROM message_records r {join_on}"
            skeleton, values = self.rows(question, n=sequence)[0]
            self.set(sequence, signature_digest=sha512(join(skeleton, values)), message_digest=None)
            for number, size, location in self.rows(
                "SELECT number, size, location FROM message_bodies WHERE sequence = :n AND location IS NOT NULL",
                n=sequence,
            ):
                data = (self.here.bodies / location).read_bytes()
                self.sql(
                    "UPDATE message_bodies SET size = :s, digest = :d WHERE sequence = :n AND number = :k",
                    s=len(data) if size is not None else 0, d=sha512(data), n=sequence, k=number,
                )  # fmt: skip
        reader = MessageReader(BodyStore(self.here.bodies))
        with self.database.reading() as connection:
            (place,) = StoredEntries(connection, reader, opens=True).walk(sequence, sequence)
        assert place.row is not None
        self.set(sequence, content_hash=place.row.worked)

    def rechain(self) -> None:
        """Link every entry to the one before it."""
        tables = ("message_records", "refusals")
        rows = sorted(
            (*row, table)
            for table in tables
            for row in self.rows(f"SELECT sequence, content_hash, previous_hash FROM {table}")
        )
        previous = rows[0][2]
        links: dict[str, list[dict[str, Any]]] = {table: [] for table in tables}
        for sequence, content_hash, _, table in rows:
            bound = record_hash(previous, sequence, content_hash)
            links[table].append({"n": sequence, "p": previous, "b": bound})
            previous = bound
        for table, linked in links.items():
            if linked:
                self.many(f"UPDATE {table} SET previous_hash = :p, record_hash = :b WHERE sequence = :n", linked)

    def leaves(self) -> list[bytes]:
        """Return the leaves of what the rows state."""
        with self.database.reading() as connection:
            return [entry_leaf(sequence, content) for sequence, content in store.walk_hashes(connection)]

    def retile(self) -> None:
        """Make the tiles of what the rows state."""
        writer = TileWriter(0, {})
        for leaf in self.leaves():
            writer.append(leaf)
        self.sql("DELETE FROM ledger_tiles")
        for (level, number), hashes in writer.take_changed().items():
            self.sql("INSERT INTO ledger_tiles VALUES (:l, :n, :h)", l=level, n=number, h=hashes)

    def recheckpoint(self, *, stamped: bool = True) -> None:
        """Sign every checkpoint anew, with the keys of the server, over what the rows state."""
        leaves = self.leaves()
        with self.database.reading() as connection:
            known = list(walk_checkpoints(connection))
        for one in known:
            before = parse_checkpoint(one.note)
            if one.size > len(leaves):
                self.sql("DELETE FROM checkpoints WHERE size = :n", n=one.size)
                continue
            head = replace(before.head, root=root_of(leaves[: one.size]))
            made = a_checkpoint(head, stamped_at=AFTERWARDS)
            if not stamped:
                made = replace(made, timestamp=before.timestamp)
            self.sql(
                "UPDATE checkpoints SET root = :r, note = :t WHERE size = :n",
                r=head.root, t=build_checkpoint(made), n=one.size,
            )  # fmt: skip

    def cover(self) -> None:
        """Make everything that the server keeps agree with what the rows state."""
        self.rechain()
        self.retile()
        self.recheckpoint()

    # files

    def body_of(self, sequence: int) -> Path:
        """Return the file of the first body of a record."""
        location = self.value("SELECT location FROM message_bodies WHERE sequence = :n AND number = 1", n=sequence)
        path: Path = self.here.bodies / location
        return path

    def archive(self, number: int, suffix: str = ".zip") -> Path:
        """Return a file of an archive; they count from 1."""
        return sorted(self.here.archives.glob(f"*{suffix}"))[number - 1]

    def edit_facts(self, number: int, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        """Change the facts of an archive."""
        path = self.archive(number, ".records.jsonl")
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        dumped = (json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in change(lines))
        path.write_bytes("".join(f"{line}\n" for line in dumped).encode())

    def edit_containers(
        self, number: int, change: Callable[[dict[str, bytes]], dict[str, bytes]], *, relink: bool = False
    ) -> None:
        """Change the containers of an archive, and with `relink` the chain through them."""
        entries, linking = self._read_archive(number)
        entries = change(entries)
        if relink:
            digest, before, _ = linking.decode().splitlines()[0].split(" ")
            builder = LinkingBuilder(
                DigestAlgorithm.SHA512, "" if digest == "-" else digest, "" if before == "-" else before
            )
            for name, data in entries.items():
                builder.add(name, sha512(data))
            linking = builder.build()
        self._write_archive(number, entries, linking)

    def edit_linking(self, number: int, change: Callable[[list[str]], list[str]]) -> None:
        """Change the lines of an archive's linking information."""
        entries, linking = self._read_archive(number)
        lines = change(linking.decode().splitlines())
        self._write_archive(number, entries, "".join(f"{line}\n" for line in lines).encode())

    def _read_archive(self, number: int) -> tuple[dict[str, bytes], bytes]:
        with zipfile.ZipFile(self.archive(number)) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        return entries, entries.pop(LINKING_ENTRY)

    def _write_archive(self, number: int, entries: dict[str, bytes], linking: bytes) -> None:
        target = io.BytesIO()
        writer = ZipWriter(target)
        for name, data in {**entries, LINKING_ENTRY: linking}.items():
            writer.add(name, [data], NOON)
        writer.finish()
        self.archive(number).write_bytes(target.getvalue())

    def rename_archive(self, number: int) -> None:
        """Give an archive the name that its chain says, in all places that know it."""
        path = self.archive(number)
        with zipfile.ZipFile(path) as archive:
            last = archive.read(LINKING_ENTRY).decode().splitlines()[-1].partition(" ")[0]
        stem = path.name.removesuffix(".zip")
        renamed = f"{stem[:-16]}{last[:16]}"
        for suffix in (".zip", ".records.jsonl"):
            path.with_name(stem + suffix).rename(path.with_name(renamed + suffix))
        self.sql(
            "UPDATE archive_files SET name = replace(name, :a, :b), last_digest = :d WHERE name LIKE :p",
            a=stem, b=renamed, d=last, p=f"{stem}%",
        )  # fmt: skip


def swap_files(one: Path, other: Path) -> None:
    """Exchange the contents of two files."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
