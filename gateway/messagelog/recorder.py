"""Record a signed message before it leaves or is handed over: durable when `record` returns.

Nothing is exchanged that cannot be proven later, so whatever stands in the way of a record refuses
the exchange: a disk that cannot write, a time-stamping service that has been unreachable for too
long, or none at all, keys that cannot be read where messages are to be encrypted. Size does not: of a
body above the limit only the digest is kept, and so it is where bodies are not to be logged.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from gateway.messagelog import store
from gateway.messagelog.bodies import BodyStore
from gateway.messagelog.body_logging import BodyLogging, without_body
from gateway.messagelog.chain import content_hash, sha512
from gateway.messagelog.encryption import LogKey, LogKeys
from gateway.messagelog.model import (
    MessageLogSettings,
    NewRecord,
    RecordContent,
    RecordedBody,
    RefusalContent,
    Side,
)
from gateway.messagelog.reader import MessageReader
from gateway.messagelog.refusals import RefusalRecorder
from gateway.messagelog.skeletons import split
from gateway.messagelog.stamping import StampingHealth
from gateway.messagelog.writer import Item, LogWriter
from gateway.runtime.clock import Clock, epoch_ms
from gateway.runtime.database import Database, migrate
from gateway.runtime.group_commit import CommitUnavailable, GroupCommit
from gateway.runtime.periodic import Periodic
from gateway.xroad.faults import LoggingUnavailable
from gateway.xroad.identifiers import encode_path
from gateway.xroad.rest.message import RestRequest, RestResponse
from gateway.xroad.signature.signed_message import Message, SignedMessage, bodies_of
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.soap.message import SoapMessage

log = logging.getLogger(__name__)

SCRIPTS: Final = "gateway.migrations.messagelog"
CHECKPOINT_INTERVAL_S: Final = 2.0
KEY_INTERVAL_S: Final = 0.9  # a new key is used within a second
CHECKPOINT_FROM_BYTES: Final = 8 * 1024 * 1024
ROOM_BYTES: Final = 1024 * 1024  # with less than that on a disk, the next record may not fit although this one did


class MessageLog:
    """The message log of this process: `start` before the first record, `stop` after the last.

    `tsa_urls` are the time-stamping services as they are configured now; None in their place means
    that nobody looks after time-stamps here, for tools and tests.
    """

    def __init__(
        self,
        database: Database,
        bodies: Path,
        settings: MessageLogSettings,
        clock: Clock,
        *,
        tsa_urls: Callable[[], Sequence[str]] | None,
    ) -> None:
        self.database = database
        self.bodies = BodyStore(bodies)
        self.keys = LogKeys(settings.encryption_key_file)
        self.reader = MessageReader(self.bodies, self.keys)
        self.health = StampingHealth(settings.acceptable_timestamp_failure_period_s, tsa_urls)
        self._settings = settings
        self._body_logging = BodyLogging(settings)
        self._clock = clock
        self._commit: GroupCommit[Item, int] = GroupCommit(
            "message log writer", lambda: LogWriter(database), timeout_s=settings.commit_timeout_s
        )
        self.refusals = RefusalRecorder(
            self._commit.submit,
            settings.refusals,
            clock,
            find_written=self._find_refusals,
            may_go_on=self._may_go_on,
        )
        self._checkpoints = Periodic("message log checkpoint", CHECKPOINT_INTERVAL_S, self._checkpoint)
        self._key_watch = Periodic("message log keys", KEY_INTERVAL_S, self.follow_keys)

    async def start(self) -> None:
        """Bring the schema up, sweep bodies that never got their record, and begin to write."""
        last_sequence = await asyncio.to_thread(self._open)
        self._commit.start()
        self.refusals.begin(last_sequence)
        if self.database.is_sqlite:
            self._checkpoints.start()
        if self.keys.file is not None:
            self._key_watch.start()

    async def stop(self) -> None:
        """Write what is waiting, then close."""
        await self._key_watch.stop()
        await self._checkpoints.stop()
        await self.refusals.stop()
        await asyncio.to_thread(self._commit.stop)

    async def record(self, signed: SignedMessage, side: str, request_id: str, now: datetime | None = None) -> None:
        """Keep a signed message; it is durable when this returns.

        Raises LoggingUnavailable: logging_failed when it cannot be written or not be encrypted,
        logging_failed.timestamping_failed when records have not been stampable for too long,
        logging_failed.mlog.no_timestamping_provider_found when no time-stamping service is configured.
        """
        at = now or self._clock.now()
        self.health.require(at)
        key = self.keys.newest()
        place = side if isinstance(side, Side) else Side(side)
        is_logged = self._body_logging.keeps(place, _facts_of(signed.message).service.provider)
        kept: tuple[RecordedBody, ...] = ()
        try:
            if bodies_of(signed.message):
                kept = await asyncio.to_thread(self._keep_bodies, signed, at, key, is_logged)
            await self._commit.submit(new_record(signed, place, request_id, at, kept, key=key, is_logged=is_logged))
        except CommitUnavailable as cause:
            if cause.certain:
                self._drop(kept)
            raise LoggingUnavailable("logging_failed", "messagelog.cannot_write", reason=str(cause)) from cause
        except OSError as cause:
            reason = cause.strerror or type(cause).__name__
            raise LoggingUnavailable("logging_failed", "messagelog.cannot_write", reason=reason) from cause
        except Exception as cause:
            self._drop(kept)
            log.exception("a record was refused by the database")
            reason = type(cause).__name__
            raise LoggingUnavailable("logging_failed", "messagelog.cannot_write", reason=reason) from cause

    async def refuse(self, said: RefusalContent, *, by_the_log: bool = False) -> None:
        """Keep a refusal before it is answered, or count it; `by_the_log` when the log stood in the way."""
        await self.refusals.refuse(said, by_the_log=by_the_log)

    async def submit(self, item: Item) -> int:
        """Hand an item to the writer: the way of everything that is not a record. Raises CommitUnavailable."""
        return await self._commit.submit(item)

    async def follow_keys(self) -> None:
        """Read the key file again if it changed."""
        await asyncio.to_thread(self.keys.follow)

    def _keep_bodies(
        self, signed: SignedMessage, at: datetime, key: LogKey | None, is_logged: bool
    ) -> tuple[RecordedBody, ...]:
        kept: list[RecordedBody] = []
        # Of a chain-signed SOAP message the reference keeps the digests of attachments alone.
        by_chain = isinstance(signed.message, SoapMessage) and signed.signature.hash_chain is not None
        files = is_logged and (self._settings.keep_chain_signed_attachments or not by_chain)
        try:
            for number, body in enumerate(bodies_of(signed.message), start=1):
                wanted = files and 0 < body.size <= self._settings.max_body_bytes
                location = self.bodies.keep(body, at.date(), key) if wanted else None
                kept.append(RecordedBody(number, body.size, body.digest.value, location))
        except BaseException:
            self._drop(kept)
            raise
        return tuple(kept)

    def _drop(self, kept: Sequence[RecordedBody]) -> None:
        for body in kept:
            if body.location is not None:
                self.bodies.remove(body.location)

    def _find_refusals(self, after: int) -> list[bytes]:
        with self.database.reading() as connection:
            return store.find_refusal_hashes(connection, after)

    def _may_go_on(self) -> bool:
        try:
            self.health.require(self._clock.now())
            self.keys.newest()
            places = [path for path in (self.database.path, self.bodies.root) if path is not None]
            return all(shutil.disk_usage(path.parent).free >= ROOM_BYTES for path in places)
        except (LoggingUnavailable, OSError):
            return False

    def _open(self) -> int:
        self.keys.follow()
        migrate(self.database, SCRIPTS)
        with self.database.reading() as connection:
            self.health.load(store.read_state(connection, store.STATE_FAILING_SINCE_MS))
            last_sequence = store.read_last_sequence(connection)
        try:
            # Only who holds the writer's lock may sweep: a body of somebody else may be on its way to its record.
            with closing(LogWriter(self.database)):
                self._sweep()
        except CommitUnavailable as cause:
            log.warning("the message log is not writable yet: %s", cause)
        return last_sequence

    def _sweep(self) -> None:
        with self.database.reading() as connection:
            swept = self.bodies.sweep(
                lambda locations: store.find_locations(connection, locations), store.read_last_day(connection)
            )
        if swept:
            log.warning("bodies without a record were removed", extra={"count": swept})

    async def _checkpoint(self) -> None:
        path = self.database.path
        if path is None:
            return
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size >= CHECKPOINT_FROM_BYTES:
            await asyncio.to_thread(self._checkpoint_now)

    def _checkpoint_now(self) -> None:
        connection = self.database.engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()


def new_record(
    signed: SignedMessage,
    side: Side,
    request_id: str,
    at: datetime,
    bodies: tuple[RecordedBody, ...] = (),
    *,
    key: LogKey | None = None,
    is_logged: bool = True,
) -> NewRecord:
    """Return the record of a signed message, hashed and ready to take its place.

    With a `key` the message is encrypted; unless `is_logged`, it is kept without its body.
    """
    message, signature = signed.message, signed.signature
    facts = _facts_of(message)
    is_response = message.is_response if isinstance(message, SoapMessage) else isinstance(message, RestResponse)
    service = facts.service
    kept = message.raw if is_logged else without_body(message)
    is_whole = is_logged or kept == message.raw
    content = RecordContent(
        epoch_ms(at),
        side,
        is_response,
        facts.id,
        request_id,
        _url_form(facts.client),
        _url_form(service.provider),
        service.service_code,
        service.service_version,
        message.digest.value,
        sha512(signature.xml),
        signature.hash_chain_result,
        signature.hash_chain,
        bodies,
        is_whole,
        None if is_whole else sha512(kept),
    )
    hashed = content_hash(content)
    if key is None:
        return NewRecord(content, hashed, kept, *split(signature.xml))
    return NewRecord(content, hashed, key.encrypt_message(kept, hashed), *split(signature.xml), key.id)


def _facts_of(message: Message) -> SoapHeaders | RestRequest | RestResponse:
    return message.headers if isinstance(message, SoapMessage) else message


_url_form: Final = lru_cache(maxsize=4096)(encode_path)  # parties of proven messages: there are only so many
