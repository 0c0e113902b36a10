"""One auditor at work: every question is asked within the scope granted, and recorded before it is answered.

Pages, API and commands all ask through a desk, so none of them can forget the scope or the trail. What
lies outside of the scope is `Missing`, exactly as what is not there. When the trail cannot be written,
`TrailUnavailable` is raised and nothing is answered, not even that something is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from gateway.auditing.deeds import Deed, Missing, TrailUnavailable, checked, required
from gateway.auditing.deps import AuditDeps, Inclusion, Ledger
from gateway.auditing.dossier import Dossier, Proof, Signed
from gateway.auditing.entries import fact_of_refusal
from gateway.auditing.export_job import ExportJob, State
from gateway.auditing.exports import Exports
from gateway.auditing.model import (
    AUDITOR,
    Count,
    Document,
    Entry,
    Exchange,
    Page,
    Query,
    RefusalEntry,
    Scope,
    SourceStatus,
)
from gateway.auditing.query_facts import facts_of
from gateway.auditing.readable import REST_BODY, Readable, needs_body, read_message
from gateway.auditing.sample import Sample, draw
from gateway.messagelog.completeness.model import Completeness, Finding
from gateway.runtime.accounts.model import Principal
from gateway.xroad.asic.verify import examine_container
from gateway.xroad.faults import XRoadFault

# Hears of entries done and in total.
Progress = Callable[[int, int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """What one auditor may do; `auth` and `url` say in the trail by what means the question came."""

    deps: AuditDeps
    user: str
    scope: Scope
    auth: str
    url: str

    # finding

    async def search(self, query: Query, *, before: int | None = None, limit: int = 50) -> Page:
        """Return exchanges, newest first."""
        page = await asyncio.to_thread(self.deps.source.search, query, self.scope, before=before, limit=limit)
        await self.record(Deed.SEARCH, {"query": facts_of(query), "found": [one.id for one in page.exchanges]})
        return page

    async def count(self, query: Query, *, at_most: int = 10_000) -> Count:
        """Return how many exchanges there are, counted up to a bound."""
        count = await asyncio.to_thread(self.deps.source.count, query, self.scope, at_most=at_most)
        await self.record(Deed.COUNT, {"query": facts_of(query), "count": count.number})
        return count

    async def status(self) -> SourceStatus:
        """Return how complete and how healthy the source is; how it grows is told to those who see all of it."""
        status = await asyncio.to_thread(self.deps.source.status)
        await self.record(Deed.STATUS, {})
        return status if self.scope.is_everything else replace(status, growth=None)

    # looking

    async def open(self, exchange_id: int, *, reason: str | None = None, deed: Deed = Deed.VIEW) -> Dossier:
        """Return an exchange with all that belongs to it. Raises Missing."""
        given = checked(reason)
        found = await self._asked(deed, {"exchange": exchange_id}, lambda: self._open(exchange_id, given))
        await self.record(deed, _facts_of_exchange(found.exchange) | _grounds(given))
        return found

    async def related(self, exchange_id: int) -> tuple[Exchange, ...]:
        """Return the other exchanges with the same request or query id. Raises Missing."""
        return (await self.open(exchange_id)).related

    async def read(self, sequence: int, *, reason: str | None = None) -> Entry:
        """Return a signed message, to be masked unless there is a reason.

        Raises Missing, and LoggingUnavailable when it lies in an archive that is not here.
        """
        given = checked(reason)
        deed = Deed.VIEW if given is None else Deed.REVEAL
        find = self.deps.source.find_entry
        entry = await self._asked(deed, {"entry": sequence}, lambda: find(sequence, self.scope))
        await self.record(deed, _facts_of_entry(entry) | _grounds(given))
        return entry

    async def read_parts(self, sequence: int, *, reason: str | None = None) -> tuple[Readable, ...]:
        """Return a signed message as people read it, masked unless there is a reason; raises as `read`."""
        entry = await self.read(sequence, reason=reason)
        return await asyncio.to_thread(self.parts_of, entry, masked=checked(reason) is None)

    async def refusal(self, sequence: int) -> RefusalEntry:
        """Return a refusal. Raises Missing."""
        find = self.deps.source.find_refusal
        found = await self._asked(Deed.VIEW_REFUSAL, {"entry": sequence}, lambda: find(sequence, self.scope))
        await self.record(Deed.VIEW_REFUSAL, {"entry": sequence, "query_id": found.refusal.content.query_id})
        return found

    async def verify(self, sequence: int) -> Proof:
        """Verify a container with the configuration in force at its time-stamp. Raises Missing."""
        proof = await self._asked(Deed.VERIFY, {"entry": sequence}, lambda: self.examine(sequence))
        await self.record(Deed.VERIFY, {"entry": sequence, "holds": proof.holds})
        return proof

    def parts_of(self, entry: Entry, *, masked: bool) -> tuple[Readable, ...]:
        """Return an entry as people read it, unrecorded: for what was opened already. Blocks."""
        body = None
        if needs_body(entry):
            body = self.deps.source.read_attachment(entry.sequence, REST_BODY, self.scope)
        return read_message(entry, body, masked=masked, masking=self.deps.masking)

    def examine(self, sequence: int) -> Proof | None:
        """Verify a container of the scope, unrecorded: for what is part of a deed recorded already. Blocks."""
        document = self.deps.source.find_document(sequence, self.scope)
        if document is None:
            return None
        try:
            examination = examine_container(document.container, self.deps.source.globalconf_at, document.known)
        except XRoadFault as fault:
            return Proof(sequence, document, None, fault)
        return Proof(sequence, document, examination, examination.fault)

    # taking away

    async def container(self, sequence: int, *, reason: str | None) -> Document:
        """Return a container, which holds personal data as it is. Raises Missing, ReasonRequired."""
        given, asked, find = required(reason), {"entry": sequence}, self.deps.source.find_document
        document = await self._asked(Deed.DOWNLOAD_CONTAINER, asked, lambda: find(sequence, self.scope))
        await self.record(Deed.DOWNLOAD_CONTAINER, {**asked, "file": document.name} | _grounds(given))
        return document

    async def attachment(self, sequence: int, number: int, *, reason: str | None) -> bytes:
        """Return an attachment that was kept. Raises Missing, ReasonRequired."""
        given, asked, read = (
            required(reason),
            {"entry": sequence, "attachment": number},
            self.deps.source.read_attachment,
        )
        content = await self._asked(Deed.DOWNLOAD_ATTACHMENT, asked, lambda: read(sequence, number, self.scope))
        await self.record(Deed.DOWNLOAD_ATTACHMENT, {**asked, **_grounds(given)})
        return content

    # samples and exports

    async def sample(self, query: Query, size: int, seed: str, *, through: int | None = None) -> Sample:
        """Draw a sample that can be drawn again from size, seed and `through`."""
        sample = await asyncio.to_thread(self._draw, query, size, seed, through)
        asked = {"query": facts_of(query), "size": size, "seed": seed, "through": sample.through}
        await self.record(Deed.SAMPLE, {**asked, "drawn": [one.id for one in sample.exchanges]})
        return sample

    async def export(self, query: Query, *, reason: str | None) -> ExportJob:
        """Ask for an export, recorded before it begins. Raises ReasonRequired, TooManyExports, Missing."""
        given, exports = required(reason), self._exports()
        await self.record(Deed.EXPORT, {"query": facts_of(query), "scope": sorted(self.scope.names)} | _grounds(given))
        return await exports.create(self.user, self.scope, query, given)

    async def exports(self) -> tuple[ExportJob, ...]:
        """Return the exports of this auditor, newest first."""
        await self.record(Deed.LIST_EXPORTS, {})
        return self._exports().of(self.user, self.scope)

    async def export_job(self, export_id: str, *, deed: Deed = Deed.VIEW_EXPORT) -> ExportJob:
        """Return one of them. Raises Missing."""
        job = self._exports().find(export_id, self.user, self.scope)
        if job is None:
            raise await self._missing(deed, {"export": export_id})
        await self.record(deed, {"export": export_id, "sha256": job.sha256})
        return job

    async def export_file(self, export_id: str) -> tuple[ExportJob, Path]:
        """Return a finished export and where it lies. Raises Missing, also for one that is not finished."""
        job = await self.export_job(export_id, deed=Deed.DOWNLOAD_EXPORT)
        if job.state is not State.DONE:
            raise Missing
        return job, self._exports().file_of(job)

    async def delete_export(self, export_id: str) -> None:
        """Stop and remove an export. Raises Missing."""
        await self._exports().delete(await self.export_job(export_id, deed=Deed.DELETE_EXPORT))

    # completeness

    async def checkpoint(self) -> bytes:
        """Return the newest checkpoint as its note. Raises Missing."""
        ledger = self._ledger()
        note = await self._asked(Deed.TAKE_CHECKPOINT, {}, ledger.newest)
        await self.record(Deed.TAKE_CHECKPOINT, {"size": ledger.size_of(note)})
        return note

    async def make_checkpoint(self) -> bytes:
        """Make a checkpoint of all there is now. Raises XRoadFault when it cannot be signed or stamped."""
        await self.record(Deed.MAKE_CHECKPOINT, {})
        return await self._ledger().make()

    async def prove(self, sequence: int) -> tuple[Inclusion, bytes]:
        """Return the proof that an entry is in the newest checkpoint, and that checkpoint.

        Raises Missing: there is no such entry, no checkpoint, or it came after the checkpoint.
        """
        found = await self._asked(Deed.PROVE, {"entry": sequence}, lambda: self._prove(sequence))
        await self.record(Deed.PROVE, {"entry": sequence, "size": found[0].size})
        return found

    async def completeness(self, note: bytes, progress: Progress | None = None) -> Completeness:
        """Compare the log with a checkpoint that was kept outside. Raises MalformedMessage, SignatureRefused.

        Who does not see everything is told of each finding what kind it is, and where, and nothing else.
        """
        ledger = self._ledger()
        size = ledger.size_of(note)
        await self.record(Deed.CHECK_COMPLETENESS, {"size": size})
        found = await asyncio.to_thread(ledger.examine, note, progress or _ignore)
        if self.scope.is_everything:
            return found
        return replace(found, findings=tuple(_without_facts(finding) for finding in found.findings))

    # the trail

    async def record(self, deed: Deed, data: Mapping[str, object], *, reason: str | None = None) -> None:
        """Write a deed into the trail, a failed one with its reason. Raises TrailUnavailable."""
        try:
            await self.deps.trail.record(
                deed.value, user=self.user, auth=self.auth, url=self.url, data=data, reason=reason
            )
        except TrailUnavailable:
            raise
        except Exception as cause:
            raise TrailUnavailable(str(cause)) from cause

    async def _asked(self, deed: Deed, about: Mapping[str, object], question: Callable[[], T | None]) -> T:
        """Return what a question finds. What fails or finds nothing is recorded here, what succeeds by the caller."""
        try:
            found = await asyncio.to_thread(question)
        except XRoadFault as fault:
            await self.record(deed, about, reason=fault.code)
            raise
        if found is None:
            raise await self._missing(deed, about)
        return found

    async def _missing(self, deed: Deed, data: Mapping[str, object]) -> Missing:
        await self.record(deed, data, reason="not found")
        return Missing()

    def _exports(self) -> Exports:
        if self.deps.exports is None:
            raise Missing
        return self.deps.exports

    def _ledger(self) -> Ledger:
        if self.deps.ledger is None:
            raise Missing
        return self.deps.ledger

    # what a worker thread does

    def _draw(self, query: Query, size: int, seed: str, through: int | None) -> Sample:
        return draw(self.deps.source.walk(query, self.scope), size, seed, through=through)

    def _prove(self, sequence: int) -> tuple[Inclusion, bytes] | None:
        ledger = self._ledger()
        refusal = self.deps.source.find_refusal(sequence, self.scope)
        document = None if refusal is not None else self.deps.source.find_document(sequence, self.scope)
        if refusal is None and document is None:
            return None
        note = ledger.newest()
        inclusion = None if note is None else ledger.prove(sequence, ledger.size_of(note))
        if note is None or inclusion is None:
            return None
        fact = document.fact if document is not None else None if refusal is None else fact_of_refusal(refusal)
        return replace(inclusion, fact=fact), note

    def _open(self, exchange_id: int, reason: str | None) -> Dossier | None:
        source = self.deps.source
        exchange = source.find_exchange(exchange_id, self.scope)
        if exchange is None:
            return None
        return Dossier(
            exchange=exchange,
            request=self._signed(exchange.request),
            response=self._signed(exchange.response),
            refusal=None if exchange.refusal is None else source.find_refusal(exchange.refusal, self.scope),
            related=source.find_related(exchange, self.scope),
            reason=reason,
        )

    def _signed(self, sequence: int | None) -> Signed | None:
        if sequence is None:
            return None
        try:
            return Signed(sequence, self.deps.source.find_entry(sequence, self.scope), None)
        except XRoadFault as fault:
            return Signed(sequence, None, fault)


def desk_of(deps: AuditDeps, principal: Principal, *, url: str, auth: str | None = None) -> Desk | None:
    """Return the desk of a caller; None for one who is no auditor."""
    granted = principal.scopes_of(AUDITOR)
    if not granted:
        return None
    by = auth or ("Session" if principal.api_key_id is None else "ApiKey")
    return Desk(deps, principal.name, Scope(granted), by, url)


def _facts_of_exchange(exchange: Exchange) -> dict[str, object]:
    return {"exchange": exchange.id, "query_id": exchange.query_id, "party": exchange.party}


def _facts_of_entry(entry: Entry) -> dict[str, object]:
    return {"entry": entry.sequence, "query_id": entry.query_id, "client": str(entry.client)}


def _without_facts(finding: Finding) -> Finding:
    return Finding(finding.kind, finding.first, finding.last, f"auditing.finding.{finding.kind.value}")


def _ignore(_done: int, _total: int) -> None:
    """Nobody watches."""


def _grounds(reason: str | None) -> dict[str, object]:
    return {} if reason is None else {"grounds": reason}
