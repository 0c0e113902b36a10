"""Rows and files, one change at a time: columns of records, bodies, columns of refusals."""

from __future__ import annotations

from gateway.messagelog.completeness.model import Kind
from tests.tampering.superuser import Superuser, swap_files
from tests.tampering.table import ANEW, Found, changing, recipe, running
from tests.tampering.untouched import LAST

for column, value in {
    "time_ms": 1700000000000,
    "side": "provider",
    "is_response": False,
    "query_id": "another",
    "x_request_id": "another",
    "client": "UA-DEMO/GOV/10000009/OTHER",
    "provider": "UA-DEMO/GOV/10000009/OTHER",
    "service_code": "another",
    "service_version": "v9",
    "hash_chain": b"<another/>",
    "hash_chain_result": b"<another/>",
    "body_count": 1,
    "message": b"<another/>",
    "message_digest": bytes(64),
    "signature_values": b"another",
    "signature_digest": bytes(64),
    "content_hash": bytes(64),
    "key_id": "no-such-key",
    "kept_digest": bytes(64),
}.items():
    recipe(f"record: edit {column}", Found(Kind.ALTERED, 20), on_postgres=column in ("client", "message"))(
        changing(20, **{column: value})
    )

recipe("record: edit record_hash", Found(Kind.CHAIN, 20, 21))(changing(20, record_hash=bytes(64)))

recipe("record: edit previous_hash", Found(Kind.CHAIN, 20))(changing(20, previous_hash=bytes(64)))

recipe("record: say that the body was never kept", Found(Kind.ALTERED, 20))(changing(20, is_whole=False))


@recipe("record: the same client, spelled in another way", Found(Kind.ALTERED, 20))
def _(s: Superuser) -> None:
    s.set(20, client=s.get(20, "client").replace("GOV", "%47OV"))


@recipe("record: one byte of the message", Found(Kind.ALTERED, 20))
def _(s: Superuser) -> None:
    message = bytearray(s.get(20, "message"))
    message[200] ^= 1
    s.set(20, message=bytes(message))


@recipe("record: message and signature of another record", Found(Kind.ALTERED, 20))
def _(s: Superuser) -> None:
    s.copy_message(26, 20)


@recipe("record: the skeleton of one signature", Found(Kind.ALTERED, 20))
def _(s: Superuser) -> None:
    s.sql("INSERT INTO signature_skeletons VALUES (:k, :s)", k=bytes(32), s=b"<another/>")
    s.set(20, skeleton_key=bytes(32))


recipe(
    "record: the skeleton that all signatures share",
    Found(Kind.ALTERED, 12, 16),
    *(Found(Kind.ALTERED, n, n + 4) for n in range(18, LAST, 6)),
)(running("UPDATE signature_skeletons SET skeleton = key"))


@recipe("body: edit the file", Found(Kind.ALTERED, 21))
def _(s: Superuser) -> None:
    path = s.body_of(21)
    path.write_bytes(path.read_bytes().replace(b"unzr", b"xxxx"))


@recipe("body: cut the file off", Found(Kind.ALTERED, 21))
def _(s: Superuser) -> None:
    s.body_of(21).write_bytes(s.body_of(21).read_bytes()[:-1])


@recipe("body: remove the file", Found(Kind.ALTERED, 21))
def _(s: Superuser) -> None:
    s.body_of(21).unlink()


@recipe("body: exchange two files", Found(Kind.ALTERED, 21, 22))
def _(s: Superuser) -> None:
    swap_files(s.body_of(21), s.body_of(22))


recipe("body: edit its size", Found(Kind.ALTERED, 21))(
    running("UPDATE message_bodies SET size = 7 WHERE sequence = 21")
)

recipe("body: say it was never kept", Found(Kind.ALTERED, 21))(
    running("UPDATE message_bodies SET location = NULL WHERE sequence = 21")
)

recipe("body: delete its row", Found(Kind.ALTERED, 21), on_postgres=True)(
    running("DELETE FROM message_bodies WHERE sequence = 21")
)

recipe("body: give it to another record", Found(Kind.ALTERED, 19), Found(Kind.ALTERED, 21))(
    running("UPDATE message_bodies SET sequence = 19 WHERE sequence = 21")
)


@recipe("body: edit its digest", Found(Kind.ALTERED, 21))
def _(s: Superuser) -> None:
    s.sql("UPDATE message_bodies SET digest = :d WHERE sequence = 21", d=bytes(64))


@recipe(
    "body: edit file, size and digest, and every hash from there on",
    Found(Kind.REPLACED, 21),
    ANEW,
    Found(Kind.SIGNATURE, 21),
    deep=True,
)
def _(s: Superuser) -> None:
    s.body_of(21).write_bytes(b"{}")
    s.rehash(21)
    s.cover()


for column, value in {
    "times": 1,
    "time_ms": 1700000000000,
    "until_ms": 1700000000000,
    "side": "consumer",
    "is_failure": True,
    "fault_code": "server.serverproxy.internal_error",
    "text_id": "another",
    "facts": "{}",
    "address": "198.51.100.1",
    "client": None,
    "query_id": "another",
    "message_digest": None,
    "content_hash": bytes(64),
}.items():
    recipe(f"refusal: edit {column}", Found(Kind.ALTERED, 23), on_postgres=column == "times")(
        changing(23, **{column: value})
    )


@recipe("refusal: delete one", Found(Kind.MISSING, 23), on_postgres=True)
def _(s: Superuser) -> None:
    s.delete(23)


@recipe("refusal: delete all", Found(Kind.MISSING, 23), *(Found(Kind.MISSING, n) for n in (29, 35, 41)))
def _(s: Superuser) -> None:
    s.sql("DELETE FROM refusals")


@recipe("refusal: count fewer, and fit every hash", Found(Kind.REPLACED, 23), ANEW)
def _(s: Superuser) -> None:
    s.set(23, times=1)
    s.rehash(23)
    s.cover()


@recipe("refusal: beside a message, under its number", Found(Kind.DOUBLED, 26))
def _(s: Superuser) -> None:
    s.write_refusal(26)
