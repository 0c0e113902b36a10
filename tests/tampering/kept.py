"""What stands beside the entries: time-stamps, the ledger's hashes, checkpoints."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from gateway.messagelog.completeness.model import Kind
from gateway.messagelog.skeletons import join
from gateway.xroad.checkpoint import build_checkpoint, parse_checkpoint
from gateway.xroad.digests import digest_of
from tests.factories.ledger import a_checkpoint
from tests.factories.messages import a_member
from tests.factories.signatures import a_world
from tests.tampering.superuser import AFTERWARDS, Superuser
from tests.tampering.table import Found, recipe, running


@recipe("time-stamp: say another time", Found(Kind.TIMESTAMP, 25, 30), deep=True)
def _(s: Superuser) -> None:
    s.sql("UPDATE timestamps SET time_ms = time_ms - 86400000 WHERE id = :n", n=_stamp_of(s, 26))


@recipe("time-stamp: the token of another batch", Found(Kind.TIMESTAMP, 25, 30), deep=True)
def _(s: Superuser) -> None:
    other = s.value("SELECT token FROM timestamps WHERE id = :n", n=_stamp_of(s, 32))
    s.sql("UPDATE timestamps SET token = :t WHERE id = :n", t=other, n=_stamp_of(s, 26))


@recipe("time-stamp: a genuine token over something else", Found(Kind.TIMESTAMP, 25, 30), deep=True)
def _(s: Superuser) -> None:
    token = a_world().hierarchy.timestamp(digest_of(b"something else"), AFTERWARDS)
    s.sql("UPDATE timestamps SET token = :t WHERE id = :n", t=token, n=_stamp_of(s, 26))


@recipe("time-stamp: damage the token", Found(Kind.TIMESTAMP, 25, 30), deep=True)
def _(s: Superuser) -> None:
    s.sql("UPDATE timestamps SET token = :t WHERE id = :n", t=b"no token", n=_stamp_of(s, 26))


@recipe(
    "time-stamp: token and hash chain of another batch",
    Found(Kind.TIMESTAMP, 25, 28),
    Found(Kind.TIMESTAMP, 30),
    deep=True,
)
def _(s: Superuser) -> None:
    for column in ("token", "hash_chain_result", "time_ms"):
        other = s.value(f"SELECT {column} FROM timestamps WHERE id = :n", n=_stamp_of(s, 32))
        s.sql(f"UPDATE timestamps SET {column} = :t WHERE id = :n", t=other, n=_stamp_of(s, 26))


@recipe("time-stamp: delete it", Found(Kind.TIMESTAMP, 25, 28), Found(Kind.TIMESTAMP, 30), deep=True)
def _(s: Superuser) -> None:
    s.sql("DELETE FROM timestamps WHERE id = :n", n=_stamp_of(s, 26))


@recipe("time-stamp: take it off one record", Found(Kind.TIMESTAMP, 26), on_postgres=True, deep=True)
def _(s: Superuser) -> None:
    s.sql("DELETE FROM record_timestamps WHERE sequence = 26")


@recipe("time-stamp: give a record the one of another batch", Found(Kind.TIMESTAMP, 26), deep=True)
def _(s: Superuser) -> None:
    s.sql("UPDATE record_timestamps SET timestamp_id = :n WHERE sequence = 26", n=_stamp_of(s, 32))


@recipe("time-stamp: exchange the hash chains of two records", Found(Kind.TIMESTAMP, 26, 27), deep=True)
def _(s: Superuser) -> None:
    one, other = (
        s.value("SELECT hash_chain FROM record_timestamps WHERE sequence = :n", n=number) for number in (26, 27)
    )
    s.sql("UPDATE record_timestamps SET hash_chain = :c WHERE sequence = 26", c=other)
    s.sql("UPDATE record_timestamps SET hash_chain = :c WHERE sequence = 27", c=one)


@recipe("time-stamp: take it out of the signature that carries it", Found(Kind.TIMESTAMP, 37), deep=True)
def _(s: Superuser) -> None:
    joined = "JOIN signature_skeletons k ON k.key = r.skeleton_key WHERE r.sequence = 37"
    skeleton, values = s.rows(f"SELECT k.skeleton, r.signature_values FROM message_records r {joined}")[0]
    s.sql("UPDATE record_timestamps SET signature = :x WHERE sequence = 37", x=join(skeleton, values))


def _stamp_of(s: Superuser, sequence: int) -> int:
    return int(s.value("SELECT timestamp_id FROM record_timestamps WHERE sequence = :n", n=sequence))


@recipe("ledger: edit a hash", Found(Kind.TILES, 26))
def _(s: Superuser) -> None:
    hashes = bytearray(s.value("SELECT hashes FROM ledger_tiles WHERE level = 0"))
    hashes[25 * 32] ^= 1
    s.sql("UPDATE ledger_tiles SET hashes = :h WHERE level = 0", h=bytes(hashes))


@recipe("ledger: cut the hashes off", Found(Kind.TILES, 31, 44))
def _(s: Superuser) -> None:
    hashes = s.value("SELECT hashes FROM ledger_tiles WHERE level = 0")
    s.sql("UPDATE ledger_tiles SET hashes = :h WHERE level = 0", h=bytes(hashes)[: 30 * 32])


recipe("ledger: delete the hashes", Found(Kind.TILES, 1, 44))(running("DELETE FROM ledger_tiles"))

recipe("checkpoint: edit its root", Found(Kind.CHECKPOINT, 40))(
    lambda s: s.sql("UPDATE checkpoints SET root = :r WHERE size = 40", r=bytes(32))
)

recipe("checkpoint: say another time", Found(Kind.CHECKPOINT, 36))(
    running("UPDATE checkpoints SET time_ms = 0 WHERE size = 36")
)

recipe("checkpoint: delete the one that was taken away", Found(Kind.CHECKPOINT, 40))(
    running("DELETE FROM checkpoints WHERE size = 40")
)

recipe("checkpoint: delete all", Found(Kind.CHECKPOINT, 40), on_postgres=True)(running("DELETE FROM checkpoints"))


@recipe("checkpoint: edit its text", Found(Kind.CHECKPOINT, 36))
def _(s: Superuser) -> None:
    note = s.value("SELECT note FROM checkpoints WHERE size = 36")
    s.sql("UPDATE checkpoints SET note = :t WHERE size = 36", t=bytes(note).replace(b"size 36", b"size 35"))


@recipe("checkpoint: sign it with another member's key", Found(Kind.CHECKPOINT, 36))
def _(s: Superuser) -> None:
    before = parse_checkpoint(bytes(s.value("SELECT note FROM checkpoints WHERE size = 36")))
    stranger = a_member("10000009")
    a_world().signer(stranger)
    made = a_checkpoint(before.head, identity=a_world().identity(stranger), stamped_at=before.head.time)
    s.sql("UPDATE checkpoints SET note = :t WHERE size = 36", t=build_checkpoint(made))


@recipe("checkpoint: sign it anew, later", Found(Kind.CHECKPOINT, 36))
def _(s: Superuser) -> None:
    before = parse_checkpoint(bytes(s.value("SELECT note FROM checkpoints WHERE size = 36")))
    made = a_checkpoint(before.head, stamped_at=AFTERWARDS)
    s.sql("UPDATE checkpoints SET note = :t WHERE size = 36", t=build_checkpoint(made))


@recipe("checkpoint: sign another root, with its own time", Found(Kind.CHECKPOINT, 36))
def _(s: Superuser) -> None:
    before = parse_checkpoint(bytes(s.value("SELECT note FROM checkpoints WHERE size = 36")))
    head = dataclasses.replace(before.head, root=bytes(32))
    made = a_checkpoint(head, stamped_at=head.time + timedelta(milliseconds=1))
    s.sql("UPDATE checkpoints SET root = :r, note = :t WHERE size = 36", r=head.root, t=build_checkpoint(made))
