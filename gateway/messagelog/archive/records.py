"""Facts of archived entries: one JSON object in a line for each, in order of the file's entries.

A line says all that the entry's content hash covers, so the hash, and from it the ledger's leaf, is
worked out and never believed. Keys are fixed, digests are hex, identifiers in their URL form:

    record    sequence time_ms side is_response query_id x_request_id client provider service_code
              service_version message_digest signature_digest hash_chain_result hash_chain (their SHA-512)
              bodies ([number, size, SHA-512, kept]) is_whole kept_digest previous_hash container
              container_digest container_size stamped_ms authority, and `unverified` where the container
              did not hold
    refusal   sequence, the fields of a refusal, previous_hash
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from gateway.messagelog.archive.model import ArchivedFact, ArchivedRecord, ArchivedRefusal
from gateway.messagelog.model import RecordContent, RecordedBody, RefusalContent, Side
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.ledger import entry_leaf

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
_MAX_NUMBER: Final = 2**63 - 1
_DIGEST_BYTES: Final = 64
_MAX_BODIES: Final = 10_000
_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # JSON can spell half a character, UTF-8 cannot

T = TypeVar("T")


def build_line(fact: ArchivedFact) -> bytes:
    """Return the line of an entry, with its line end."""
    facts = _record_facts(fact) if isinstance(fact, ArchivedRecord) else _refusal_facts(fact)
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


def parse_line(line: bytes) -> ArchivedFact:
    """Return the entry that a line tells. Raises MalformedMessage for anything but what `build_line` writes."""
    if len(line) > MAX_LINE_BYTES:
        raise _malformed("line")
    try:
        facts = json.loads(line.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError) as cause:
        raise _malformed("line") from cause
    if not isinstance(facts, dict):
        raise _malformed("line")
    reader = _Facts(facts)
    fact: ArchivedFact = _read_record(reader) if "container" in facts else _read_refusal(reader)
    reader.end()
    return fact


def parse_lines(lines: Iterable[bytes]) -> Iterator[ArchivedFact]:
    """Yield the entries of a file, line by line. Raises MalformedMessage."""
    for line in lines:
        yield parse_line(line)


def leaf_of(line: bytes) -> bytes:
    """Return the ledger's leaf hash of the entry that a line tells. Raises MalformedMessage."""
    fact = parse_line(line)
    return entry_leaf(fact.sequence, fact.content_hash)


def _record_facts(fact: ArchivedRecord) -> dict[str, Any]:
    said = fact.content
    facts: dict[str, Any] = {
        "sequence": fact.sequence,
        "time_ms": said.time_ms,
        "side": said.side.value,
        "is_response": said.is_response,
        "query_id": said.query_id,
        "x_request_id": said.x_request_id,
        "client": said.client,
        "provider": said.provider,
        "service_code": said.service_code,
        "service_version": said.service_version,
        "message_digest": said.message_digest.hex(),
        "signature_digest": said.signature_digest.hex(),
        "hash_chain_result": _hex(fact.hash_chain_result_digest),
        "hash_chain": _hex(fact.hash_chain_digest),
        "bodies": [[body.number, body.size, body.digest.hex(), body.location is not None] for body in said.bodies],
        "is_whole": said.is_whole,
        "kept_digest": _hex(said.kept_digest),
        "previous_hash": fact.previous_hash.hex(),
        "container": fact.container,
        "container_digest": fact.container_digest.hex(),
        "container_size": fact.container_size,
        "stamped_ms": fact.stamped_ms,
        "authority": fact.authority,
    }
    if fact.unverified is not None:
        facts["unverified"] = fact.unverified
    return facts


def _refusal_facts(fact: ArchivedRefusal) -> dict[str, Any]:
    said = fact.content._asdict()
    said["side"] = fact.content.side.value
    said["message_digest"] = _hex(fact.content.message_digest)
    return {"sequence": fact.sequence, **said, "previous_hash": fact.previous_hash.hex()}


def _read_record(facts: _Facts) -> ArchivedRecord:
    content = RecordContent(
        time_ms=facts.number("time_ms"),
        side=facts.side("side"),
        is_response=facts.truth("is_response"),
        query_id=facts.text("query_id"),
        x_request_id=facts.text("x_request_id"),
        client=facts.text("client"),
        provider=facts.text("provider"),
        service_code=facts.text("service_code"),
        service_version=facts.optional("service_version", facts.text),
        message_digest=facts.digest("message_digest"),
        signature_digest=facts.digest("signature_digest"),
        hash_chain_result=None,
        hash_chain=None,
        bodies=tuple(_read_body(body) for body in facts.items("bodies")),
        is_whole=facts.truth("is_whole"),
        kept_digest=facts.optional("kept_digest", facts.digest),
    )
    return ArchivedRecord(
        sequence=facts.number("sequence", least=1),
        content=content,
        hash_chain_result_digest=facts.optional("hash_chain_result", facts.digest),
        hash_chain_digest=facts.optional("hash_chain", facts.digest),
        previous_hash=facts.digest("previous_hash"),
        container=facts.text("container"),
        container_digest=facts.digest("container_digest"),
        container_size=facts.number("container_size"),
        stamped_ms=facts.optional("stamped_ms", facts.number),
        authority=facts.optional("authority", facts.text),
        unverified=facts.text("unverified") if facts.has("unverified") else None,
    )


def _read_refusal(facts: _Facts) -> ArchivedRefusal:
    content = RefusalContent(
        time_ms=facts.number("time_ms"),
        until_ms=facts.number("until_ms"),
        times=facts.number("times"),
        side=facts.side("side"),
        is_failure=facts.truth("is_failure"),
        fault_code=facts.text("fault_code"),
        text_id=facts.text("text_id"),
        facts=facts.text("facts"),
        address=facts.optional("address", facts.text),
        x_request_id=facts.optional("x_request_id", facts.text),
        query_id=facts.optional("query_id", facts.text),
        client=facts.optional("client", facts.text),
        provider=facts.optional("provider", facts.text),
        service_code=facts.optional("service_code", facts.text),
        service_version=facts.optional("service_version", facts.text),
        message_digest=facts.optional("message_digest", facts.digest),
    )
    return ArchivedRefusal(facts.number("sequence", least=1), content, facts.digest("previous_hash"))


def _read_body(item: object) -> RecordedBody:
    if not isinstance(item, list) or len(item) != 4:
        raise _malformed("bodies")
    facts = _Facts(dict(zip(("number", "size", "digest", "kept"), item, strict=True)))
    number = facts.number("number", least=1)
    location = f"attachment{number}" if facts.truth("kept") else None
    return RecordedBody(number, facts.number("size"), facts.digest("digest"), location)


class _Facts:
    """An object of a line, taken apart by name and type."""

    def __init__(self, facts: Mapping[str, object]) -> None:
        self._facts = facts
        self._taken: set[str] = set()

    def has(self, name: str) -> bool:
        return name in self._facts

    def end(self) -> None:
        """Refuse what nobody asked for: two readers must not see different facts."""
        for name in self._facts:
            if name not in self._taken:
                raise _malformed(name)

    def number(self, name: str, *, least: int = 0) -> int:
        value = self._take(name)
        if type(value) is not int or not least <= value <= _MAX_NUMBER:
            raise _malformed(name)
        return value

    def text(self, name: str) -> str:
        value = self._take(name)
        if not isinstance(value, str) or _SURROGATE.search(value):
            raise _malformed(name)
        return value

    def truth(self, name: str) -> bool:
        value = self._take(name)
        if not isinstance(value, bool):
            raise _malformed(name)
        return value

    def side(self, name: str) -> Side:
        try:
            return Side(self.text(name))
        except ValueError as cause:
            raise _malformed(name) from cause

    def digest(self, name: str) -> bytes:
        text = self.text(name)
        try:
            value = bytes.fromhex(text)
        except ValueError as cause:
            raise _malformed(name) from cause
        if len(value) != _DIGEST_BYTES or value.hex() != text:
            raise _malformed(name)
        return value

    def items(self, name: str) -> list[object]:
        value = self._take(name)
        if not isinstance(value, list) or len(value) > _MAX_BODIES:
            raise _malformed(name)
        return value

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        return None if self._take(name) is None else read(name)

    def _take(self, name: str) -> object:
        self._taken.add(name)
        if name not in self._facts:
            raise _malformed(name)
        return self._facts[name]


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _malformed(field: str) -> MalformedMessage:
    return MalformedMessage("invalid_message", "archive.record_line", field=ascii(field)[1:-1][:100])
