"""Join entries to exchanges and write them into the search index, a batch in one transaction.

An answer belongs to the newest request that is still open and has the same side, x-request-id, query id,
client and service. A peer chooses its x-request-ids, so nothing less joins two entries: repeating
another's reaches no exchange but one's own. Where several requests are open alike, the hash that the
answer carries decides. What a refusal claims is unproven; where the id is a peer's, it joins
only a request with the digest of the message that was refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from gateway.auditing.model import Outcome
from gateway.messagelog.index_database import run, run_many
from gateway.messagelog.index_facts import EntryFacts, HeaderFacts, bounded, clean
from gateway.messagelog.index_tables import NOBODY, OUTCOMES, SIDES, ZONE_IDS, Kind
from gateway.messagelog.model import Side

MAX_CANDIDATES: Final = 16
MAX_KNOWN_TERMS: Final = 50_000
_MAX_NAMES: Final = 64
_IN_STEP: Final = 400

Term = tuple[Kind, str]

_COLUMNS: Final = (
    "id", "time_ms", "side", "outcome", "party", "client", "provider", "service", "purpose", "fault_code",
    "represented_party", "times", "request", "response", "refusal", "query_id", "x_request_id", "issue",
    "user_id", "open_key",
)  # fmt: skip
_INSERT: Final = f"INSERT INTO exchanges ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_FIND_OPEN: Final = "SELECT open_key, id FROM exchanges WHERE open_key IN ({}) ORDER BY id DESC"
_ANSWER: Final = "UPDATE exchanges SET response = ?, outcome = ?, open_key = NULL WHERE id = ?"
_REFUSE: Final = "UPDATE exchanges SET refusal = ?, outcome = ?, fault_code = ?, open_key = NULL WHERE id = ?"
_ZONE: Final = (
    "INSERT INTO zones (zone, first_ms, last_ms) VALUES (?, ?, ?) ON CONFLICT (zone) DO UPDATE SET"
    " first_ms = CASE WHEN excluded.first_ms < zones.first_ms THEN excluded.first_ms ELSE zones.first_ms END,"
    " last_ms = CASE WHEN excluded.last_ms > zones.last_ms THEN excluded.last_ms ELSE zones.last_ms END"
)


class Matches(Protocol):
    """What is asked of messages when their rows alone leave it open whether they belong together."""

    def headers_of(self, sequence: int) -> HeaderFacts:
        """Return what the headers of a record say."""
        ...

    def answers(self, response: int, request: int) -> bool:
        """Tell whether a response carries the hash of a request."""
        ...

    def digest_of(self, sequence: int) -> bytes | None:
        """Return the SHA-512 of a recorded message."""
        ...


@dataclass(slots=True, eq=False)
class _Row:
    """A row before it is written; once it was, only its id counts."""

    id: int
    values: list[Any] | None = None


_OUTCOME, _FAULT, _REQUEST, _RESPONSE, _REFUSAL, _OPEN = (
    _COLUMNS.index(name) for name in ("outcome", "fault_code", "request", "response", "refusal", "open_key")
)


class Terms:
    """Numbers of texts; new ones are written. Forgotten when a transaction was not committed."""

    def __init__(self) -> None:
        self._known: dict[Term, int] = {}

    def forget(self) -> None:
        """Ask the database again."""
        self._known.clear()

    def number_of(self, connection: Connection, term: Term) -> int:
        """Return the number of a term, given out anew where it has none."""
        if term not in self._known:
            self.learn(connection, {term})
        return self._known[term]

    def learn(self, connection: Connection, wanted: set[Term]) -> None:
        """Find or give out the numbers of many terms at once."""
        if len(self._known) > MAX_KNOWN_TERMS:
            self._known.clear()
        missing = sorted(wanted - self._known.keys())
        for start in range(0, len(missing), _IN_STEP):
            self._read(connection, missing[start : start + _IN_STEP])
        new = [term for term in missing if term not in self._known]
        if new:
            self._write(connection, new)

    def _read(self, connection: Connection, wanted: Sequence[Term]) -> None:
        for kind in {kind for kind, _ in wanted}:
            texts = {bounded(text): text for each, text in wanted if each is kind}
            statement = f"SELECT text, id FROM terms WHERE kind = ? AND text IN ({', '.join('?' * len(texts))})"  # noqa: S608
            for kept, number in run(connection, statement, (int(kind), *texts)):
                self._known[kind, texts[kept]] = int(number)

    def _write(self, connection: Connection, new: Sequence[Term]) -> None:
        last = int(run(connection, "SELECT max(id) FROM terms", ()).scalar() or NOBODY)
        numbered = list(enumerate(new, start=last + 1))
        rows = [(number, int(kind), bounded(text)) for number, (kind, text) in numbered]
        run_many(connection, "INSERT INTO terms (id, kind, text) VALUES (?, ?, ?)", rows)
        names = [(int(kind), name, number) for number, (kind, text) in numbered for name in names_of(kind, text)]
        run_many(connection, "INSERT INTO term_names (kind, name, term) VALUES (?, ?, ?)", names)
        self._known |= {term: number for number, term in numbered}


def names_of(kind: Kind, text: str) -> list[str]:
    """Return every name by which a term is found: of a path whatever it lies below, of a list its members."""
    names = {text}
    if kind is Kind.PURPOSES:
        names |= set(text.split(",")[:_MAX_NAMES])
    elif kind in (Kind.PARTY, Kind.SERVICE):
        segments = text.split("/")
        names |= {"/".join(segments[:length]) for length in range(1, min(len(segments), _MAX_NAMES))}
    return sorted({bounded(name) for name in names})


@dataclass(slots=True)
class BatchWriter:
    """Writes one batch in the caller's transaction."""

    connection: Connection
    terms: Terms
    matches: Matches
    _new: list[_Row] = field(default_factory=list)
    _open: dict[bytes, list[_Row]] = field(default_factory=dict)
    _answers: list[tuple[Any, ...]] = field(default_factory=list)
    _refusals: list[tuple[Any, ...]] = field(default_factory=list)
    _zones: dict[int, tuple[int, int]] = field(default_factory=dict)

    def write(self, entries: Sequence[EntryFacts]) -> None:
        """Write entries in the order of their numbers."""
        self.terms.learn(self.connection, {term for entry in entries for term in _terms_of(entry)})
        self._find_open({key for entry in entries if _is_end(entry) and (key := _key_of(entry)) is not None})
        for entry in entries:
            if entry.fault_code is not None:
                self._add_refusal(entry)
            elif entry.is_response:
                self._add_response(entry)
            else:
                key = _key_of(entry)
                row = self._add(entry, Outcome.OPEN, entry.headers or HeaderFacts(), request=entry.sequence, key=key)
                if key is not None:
                    self._open.setdefault(key, []).append(row)
        self._flush()

    def _add_response(self, entry: EntryFacts) -> None:
        key = _key_of(entry)
        found = self._candidates(key)
        if len(found) > 1:
            found = [row for row in found if self.matches.answers(entry.sequence, row.id)] or found
        if not found:
            self._add(entry, Outcome.ANSWERED, self._headers_of(entry), response=entry.sequence)
            return
        row = found[0]
        self._close(key, row)
        if row.values is None:
            self._answers.append((entry.sequence, OUTCOMES.index(Outcome.ANSWERED), row.id))
            return
        row.values[_RESPONSE], row.values[_OUTCOME] = entry.sequence, OUTCOMES.index(Outcome.ANSWERED)

    def _add_refusal(self, entry: EntryFacts) -> None:
        outcome = Outcome.FAILED if entry.is_failure else Outcome.REFUSED
        fault = self._number(Kind.FAULT, entry.fault_code)
        key = _key_of(entry) if entry.times == 1 else None
        row = next((row for row in self._candidates(key) if self._is_of(entry, row)), None)
        if row is None:
            self._add(entry, outcome, entry.headers or HeaderFacts(), refusal=entry.sequence)
            return
        self._close(key, row)
        if row.values is None:
            self._refusals.append((entry.sequence, OUTCOMES.index(outcome), fault, row.id))
            return
        row.values[_REFUSAL], row.values[_OUTCOME] = entry.sequence, OUTCOMES.index(outcome)
        row.values[_FAULT] = fault

    def _is_of(self, refusal: EntryFacts, row: _Row) -> bool:
        """Tell whether a refusal is that of this request, and not of somebody who only claims its ids."""
        if refusal.digest is None:
            return refusal.side is Side.CONSUMER  # there the x-request-id is this server's own
        return self.matches.digest_of(row.id) == refusal.digest

    def _find_open(self, keys: set[bytes]) -> None:
        """Read which requests of earlier batches are still open, newest last."""
        wanted = sorted(keys)
        for start in range(0, len(wanted), _IN_STEP):
            step = wanted[start : start + _IN_STEP]
            for key, number in run(self.connection, _FIND_OPEN.format(", ".join("?" * len(step))), tuple(step)):
                found = self._open.setdefault(bytes(key), [])
                if len(found) < MAX_CANDIDATES:
                    found.insert(0, _Row(int(number)))

    def _candidates(self, key: bytes | None) -> list[_Row]:
        """Return the open requests with this key, newest first."""
        return [] if key is None else list(reversed(self._open.get(key, ())))

    def _close(self, key: bytes | None, row: _Row) -> None:
        if key is not None:
            self._open[key].remove(row)
        if row.values is not None:
            row.values[_OPEN] = None

    def _headers_of(self, entry: EntryFacts) -> HeaderFacts:
        if entry.headers is not None:
            return entry.headers
        return self.matches.headers_of(entry.sequence)

    def _number(self, kind: Kind, text: str | None) -> int | None:
        if text is None:
            return None
        return self.terms.number_of(self.connection, (kind, clean(text)))

    def _add(
        self,
        entry: EntryFacts,
        outcome: Outcome,
        headers: HeaderFacts,
        *,
        request: int | None = None,
        response: int | None = None,
        refusal: int | None = None,
        key: bytes | None = None,
    ) -> _Row:
        texts = (entry.query_id, entry.x_request_id, headers.issue, headers.user_id)
        values = [
            entry.sequence,
            entry.time_ms,
            SIDES.index(entry.side),
            OUTCOMES.index(outcome),
            self._number(Kind.PARTY, entry.party) or NOBODY,
            self._number(Kind.PARTY, entry.client),
            self._number(Kind.PARTY, entry.provider),
            self._number(Kind.SERVICE, entry.service),
            self._number(Kind.PURPOSES, ",".join(headers.purposes) or None),
            self._number(Kind.FAULT, entry.fault_code),
            self._number(Kind.REPRESENTED, headers.represented_party),
            entry.times,
            request,
            response,
            refusal,
            *(None if text is None else bounded(text) for text in texts),
            key,
        ]
        row = _Row(entry.sequence, values)
        self._new.append(row)
        zone = entry.sequence // ZONE_IDS
        first, last = self._zones.get(zone, (entry.time_ms, entry.time_ms))
        self._zones[zone] = (min(first, entry.time_ms), max(last, entry.time_ms))
        return row

    def _flush(self) -> None:
        run_many(self.connection, _INSERT, [tuple(row.values or ()) for row in self._new])
        run_many(self.connection, _ANSWER, self._answers)
        run_many(self.connection, _REFUSE, self._refusals)
        run_many(self.connection, _ZONE, [(zone, *times) for zone, times in self._zones.items()])


def _terms_of(entry: EntryFacts) -> Iterable[Term]:
    headers = entry.headers or HeaderFacts()
    said = (
        (Kind.PARTY, entry.client),
        (Kind.PARTY, entry.provider),
        (Kind.SERVICE, entry.service),
        (Kind.PURPOSES, ",".join(headers.purposes) or None),
        (Kind.FAULT, entry.fault_code),
        (Kind.REPRESENTED, headers.represented_party),
    )
    return ((kind, clean(text)) for kind, text in said if text is not None)


def _is_end(entry: EntryFacts) -> bool:
    return entry.is_response or entry.fault_code is not None


def _key_of(entry: EntryFacts) -> bytes | None:
    """Return what entries of one exchange have in common; None where it is not all known."""
    said = (entry.x_request_id, entry.query_id, entry.client, entry.provider, entry.service_code)
    if any(text is None for text in said):
        return None
    digest = hashlib.sha256(entry.side.value.encode())
    for text in (*said, entry.service_version or ""):
        raw = (text or "").encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.digest()[:16]
