"""Time-stamp the records: in batches, within a minute, catching up after an outage (X-Road TimestamperWorker.java).

One record alone gets a stamp over its SignatureValue, put into its signature; several get one stamp
over a hash chain of their signatures, which stay as they are (X-Road SingleTimestampRequest.java,
BatchTimestampRequest.java). Services are asked in their configured order; the first whose token passes
every check wins: about our data, with our nonce, under an accepted policy, signed by a listed authority
whose certificate is for time-stamps and valid, and at a time near our own. The reference sends no nonce;
with one, nobody can answer with a token made for somebody else, or earlier.

After a failure the reference sends one record per attempt, a minute apart, until one succeeds. We
send the whole batch again: a request carries one hash whatever the batch holds, so a small one spares
nobody anything, and what gathered during the outage is stamped at the first success.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from gateway.messagelog import store
from gateway.messagelog.authorities import AuthorityHealth, AuthorityRecords
from gateway.messagelog.model import MessageLogSettings, NewTimestamp, StampedRecord, Unstamped
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.writer import AddTimestamp, LinkTimestamp, SetState
from gateway.runtime.clock import Clock, epoch_ms
from gateway.runtime.fetch import Fetcher, FetchError, expect_ok
from gateway.runtime.group_commit import CommitUnavailable
from gateway.runtime.periodic import Periodic
from gateway.runtime.texts import render
from gateway.xroad.digests import Digest, DigestAlgorithm, digest_of
from gateway.xroad.faults import ConfigurationUnusable, LoggingUnavailable, XRoadFault
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.pki.tsp import (
    REQUEST_TYPE,
    Timestamp,
    add_certificate,
    build_request,
    parse_response,
    parse_token,
    verify_token,
)
from gateway.xroad.signature.hash_chain import TIMESTAMP_CHAIN, build_hash_chains
from gateway.xroad.signature.signed_message import Part
from gateway.xroad.signature.xades import add_timestamp
from gateway.xroad.signature.xades_reader import parse_signature

log = logging.getLogger(__name__)

SIGNATURE_ENTRY: Final = "/META-INF/signatures.xml"
MAX_INTERVAL_S: Final = 60.0
MAX_RETRY_S: Final = 20.0
MAX_RESPONSE_BYTES: Final = 1024 * 1024
_FIRST_RUN_S: Final = 1.0
_LINKS_PER_COMMIT: Final = 500  # records are waiting for the same writer
_WARN_ABOVE: Final = 0.7  # of the limit per round
_NONCE_BITS: Final = 64


class Timestamper:
    """Stamps the records of one message log."""

    def __init__(
        self,
        message_log: MessageLog,
        settings: MessageLogSettings,
        clock: Clock,
        *,
        globalconf: Callable[[], GlobalConf],
        tsa_urls: Callable[[], Sequence[str]],
        fetch: Fetcher | None = None,
    ) -> None:
        self._log = message_log
        self._settings = settings
        self._clock = clock
        self._globalconf = globalconf
        self._tsa_urls = tsa_urls
        self._fetch = fetch or Fetcher(timeout_s=settings.timestamp_timeout_s)
        self._records = AuthorityRecords()
        self._periodic = Periodic(
            "time-stamping",
            self._interval_s,
            self.stamp_waiting,
            first_delay_s=_FIRST_RUN_S,
            retry_s=settings.timestamp_retry_delay_s,
            max_retry_s=MAX_RETRY_S,
            expected=XRoadFault,
        )

    def start(self) -> None:
        """Begin to stamp by itself."""
        self._periodic.start()

    def trigger(self) -> None:
        """Stamp what is waiting as soon as possible."""
        self._periodic.trigger()

    async def stop(self) -> None:
        """Stop; records that are waiting wait for the next start."""
        await self._periodic.stop()
        await self._fetch.close()

    def authorities(self) -> tuple[AuthorityHealth, ...]:
        """Return how each configured service does, in the order in which they are asked."""
        return self._records.of(self._tsa_urls())

    async def stamp_waiting(self) -> int:
        """Stamp every record that has none, and return how many; a failure is noted and raised."""
        stamped = 0
        limit = self._settings.timestamp_records_limit
        try:
            while batch := await asyncio.to_thread(self._find_unstamped, limit):
                if len(batch) > _WARN_ABOVE * limit:
                    log.warning("many records wait for a time-stamp", extra={"count": len(batch), "limit": limit})
                await self._stamp(batch)
                await self._log.submit(SetState(store.STATE_STAMPED_THROUGH, batch[-1].sequence))
                stamped += len(batch)
                if len(batch) < limit:
                    break
        except XRoadFault:
            await self._note_failure()
            raise
        await self._note_success()
        return stamped

    async def stamp_now(self, sequence: int) -> None:
        """Stamp one record on the spot, unless it has a time-stamp.

        Raises LoggingUnavailable: under timestamping_failed what hindered it, or
        mlog.message_log_record_not_found; ConfigurationUnusable when nobody knows whom to trust.
        """
        waiting = await asyncio.to_thread(self._find_waiting, sequence)
        if waiting is None:
            return
        try:
            await self._stamp([waiting])
        except ConfigurationUnusable:
            raise
        except XRoadFault as fault:
            raise LoggingUnavailable(f"timestamping_failed.{fault.code}", fault.text_id, **fault.facts) from fault

    async def stamp_digest(self, imprint: Digest) -> bytes:
        """Return a token over something that is no record. Raises XRoadFault with what the last service failed with."""
        _, _, token = await self._ask(imprint)
        return token

    async def _stamp(self, batch: Sequence[Unstamped]) -> None:
        try:
            if len(batch) == 1:
                await self._stamp_single(batch[0].sequence)
            else:
                await self._stamp_batch(batch)
        except CommitUnavailable as cause:
            raise LoggingUnavailable(
                "mlog.timestamp_record_save_failure", "messagelog.timestamp_not_saved", reason=str(cause)
            ) from cause

    async def _stamp_single(self, sequence: int) -> None:
        signature = await asyncio.to_thread(self._read_signature, sequence)
        url, stamp, token = await self._ask(digest_of(parse_signature(signature).value))
        stamped = add_timestamp(signature, token)
        timestamp_id = await self._log.submit(AddTimestamp(NewTimestamp(epoch_ms(stamp.time), url, token, None)))
        await self._log.submit(LinkTimestamp(timestamp_id, (StampedRecord(sequence, signature=stamped),)))

    async def _stamp_batch(self, batch: Sequence[Unstamped]) -> None:
        # Thousands of chains take a while; the loop has exchanges to serve.
        chains = await asyncio.to_thread(
            build_hash_chains, [_leaf_of(record) for record in batch], chain_name=TIMESTAMP_CHAIN
        )
        url, stamp, token = await self._ask(digest_of(chains.result))
        new = NewTimestamp(epoch_ms(stamp.time), url, token, chains.result)
        timestamp_id = await self._log.submit(AddTimestamp(new))
        stamped = [StampedRecord(r.sequence, hash_chain=c) for r, c in zip(batch, chains.chains, strict=True)]
        for start in range(0, len(stamped), _LINKS_PER_COMMIT):
            await self._log.submit(LinkTimestamp(timestamp_id, tuple(stamped[start : start + _LINKS_PER_COMMIT])))

    async def _ask(self, imprint: Digest) -> tuple[str, Timestamp, bytes]:
        """Return the first proven stamp: its service, what it says, and the token with the certificate added."""
        authorities = self._globalconf().tsa_certificates()
        failure: XRoadFault = LoggingUnavailable(
            "mlog.no_timestamping_provider_found", "messagelog.no_timestamping_provider"
        )
        for url in self._tsa_urls():
            nonce = secrets.randbits(_NONCE_BITS)
            try:
                token = parse_response(await self._post(url, build_request(imprint, nonce)))
                stamp = verify_token(
                    parse_token(token),
                    imprint,
                    authorities,
                    nonce=nonce,
                    policies=self._settings.timestamp_policies,
                    around=(self._clock.now(), timedelta(seconds=self._settings.max_timestamp_difference_s)),
                )
                stored = add_certificate(token, stamp.authority)
            except XRoadFault as fault:
                self._records.failed(url, self._clock.now(), fault)
                reason = render(fault.text_id, fault.facts)
                log.warning("a time-stamping service failed: %s", reason, extra={"tsa": url, "check": fault.text_id})
                failure = fault
            else:
                self._records.succeeded(url, self._clock.now())
                return url, stamp, stored
        raise failure

    async def _post(self, url: str, request: bytes) -> bytes:
        try:
            answer = await self._fetch.post(url, request, content_type=REQUEST_TYPE, max_bytes=MAX_RESPONSE_BYTES)
            return expect_ok(answer)
        except FetchError as cause:
            code = "timestamping_non_ok_response" if cause.status else "timestamp_provider_connection_failed"
            raise LoggingUnavailable(
                f"mlog.{code}", "messagelog.tsa_unreachable", url=url, reason=cause.reason
            ) from cause

    def _interval_s(self) -> float:
        if self._settings.timestamp_interval_s is not None:
            return min(self._settings.timestamp_interval_s, MAX_INTERVAL_S)
        try:
            return min(float(self._globalconf().timestamping_interval_s), MAX_INTERVAL_S)
        except XRoadFault:
            return MAX_INTERVAL_S

    async def _note_failure(self) -> None:
        now = self._clock.now()
        if self._log.health.failed(now):
            await self._remember(epoch_ms(now))

    async def _note_success(self) -> None:
        if self._log.health.succeeded():
            await self._remember(None)

    async def _remember(self, failing_since_ms: int | None) -> None:
        try:
            await self._log.submit(SetState(store.STATE_FAILING_SINCE_MS, failing_since_ms))
        except CommitUnavailable as cause:  # memory knows it; only a restart would forget
            log.warning("the state of time-stamping could not be saved: %s", cause)

    def _find_unstamped(self, limit: int) -> list[Unstamped]:
        with self._log.database.reading() as connection:
            return store.find_unstamped(connection, limit)

    def _find_waiting(self, sequence: int) -> Unstamped | None:
        with self._log.database.reading() as connection:
            record = store.read_record(connection, sequence)
            if record is None:
                raise LoggingUnavailable(
                    "mlog.message_log_record_not_found", "messagelog.record_not_found", sequence=sequence
                )
            if store.read_timestamp(connection, sequence) is not None:
                return None
            return Unstamped(sequence, record.signature_digest)

    def _read_signature(self, sequence: int) -> bytes:
        with self._log.database.reading() as connection:
            record = store.read_record(connection, sequence)
            if record is None:
                raise LoggingUnavailable(
                    "mlog.message_log_record_not_found", "messagelog.record_not_found", sequence=sequence
                )
            return record.signature


def _leaf_of(record: Unstamped) -> tuple[Part, ...]:
    return (Part(SIGNATURE_ENTRY, Digest(DigestAlgorithm.SHA512, record.signature_digest)),)
