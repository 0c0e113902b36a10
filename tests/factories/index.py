"""Entries of a log that exists in memory only, and what the search index must make of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.auditing.model import Exchange, Query, Scope
from gateway.messagelog.index_facts import EntryFacts, HeaderFacts
from gateway.messagelog.model import Side
from gateway.runtime.clock import epoch_ms
from tests.factories.pki import NOON

ALL = Scope(frozenset({"*"}))
ALPHA, BETA = "UA-DEMO/GOV/11111111/DESK", "UA-DEMO/GOV/22222222/BUREAU"
REGISTRY = "UA-DEMO/GOV/33333333/REGISTRY"


@dataclass
class ListedEntries:
    """A log as a list; `hashes` maps answers to the digest of the request that they carry."""

    listed: list[EntryFacts] = field(default_factory=list)
    answered: dict[int, int] = field(default_factory=dict)
    digests: dict[int, bytes] = field(default_factory=dict)
    headers: dict[int, HeaderFacts] = field(default_factory=dict)

    def add(self, **changes: Any) -> EntryFacts:
        """Append an entry with the next number."""
        entry = an_entry(len(self.listed) + 1, **changes)
        self.listed.append(entry)
        return entry

    def last_sequence(self) -> int:
        return self.listed[-1].sequence if self.listed else 0

    def hash_of(self, sequence: int) -> bytes | None:
        found = next((entry for entry in self.listed if entry.sequence == sequence), None)
        return None if found is None else hashlib.sha512(repr(found).encode()).digest()

    def read(self, after: int, limit: int) -> Sequence[EntryFacts]:
        return [entry for entry in self.listed if entry.sequence > after][:limit]

    def headers_of(self, sequence: int) -> HeaderFacts:
        return self.headers.get(sequence, HeaderFacts())

    def digest_of(self, sequence: int) -> bytes | None:
        return self.digests.get(sequence)

    def answers(self, response: int, request: int) -> bool:
        return self.answered.get(response) == request


def an_entry(sequence: int = 1, **changes: Any) -> EntryFacts:
    """A request that the consumer's side recorded; `response=True` for its answer, `fault_code` for a refusal."""
    values: dict[str, Any] = {
        "sequence": sequence,
        "time_ms": epoch_ms(NOON) + 1000 * sequence,
        "side": Side.CONSUMER,
        "is_response": changes.pop("response", False),
        "query_id": "q-1",
        "x_request_id": "x-1",
        "client": ALPHA,
        "provider": REGISTRY,
        "service_code": "getPerson",
        "service_version": "v1",
    }
    values |= changes
    if not values["is_response"]:
        values.setdefault("headers", HeaderFacts())
    return EntryFacts(**values)


def matches(exchange: Exchange, query: Query, scope: Scope) -> bool:
    """Whether a search must find an exchange: the rule, written down a second time and slowly."""
    return (
        scope.covers(exchange.party)
        and (query.since is None or exchange.time >= query.since)
        and (query.until is None or exchange.time < query.until)
        and _is_path(exchange.client, query.client)
        and _is_path(exchange.service or exchange.provider, query.service)
        and any(_is_text(purpose, query.purpose) for purpose in (exchange.purpose or "").split(",") or [None])
        and all(
            _is_text(getattr(exchange, name), getattr(query, name))
            for name in ("query_id", "x_request_id", "issue", "user_id", "fault_code", "represented_party")
        )
        and query.outcome in (None, exchange.outcome)
        and query.side in (None, exchange.side)
    )


def _is_text(value: str | None, wanted: str | None) -> bool:
    if wanted is None:
        return True
    return bool(value) and (value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted)


def _is_path(value: str | None, wanted: str | None) -> bool:
    if wanted is None or value is None:
        return wanted is None
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else f"{value}/".startswith(f"{wanted}/")
