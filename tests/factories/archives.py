"""Archives of a message log, made in a thread of the test, and what another program thinks of them."""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.configuration_client.cache import Cache
from gateway.configuration_client.history import History
from gateway.configuration_client.model import Generation
from gateway.messagelog.archive.archiver import Archiver, Tally
from gateway.messagelog.archive.entries import EntrySource
from gateway.messagelog.archive.journal import Command, change_of
from gateway.messagelog.archive.model import ArchiveSettings, Grouping
from gateway.messagelog.archive.places import FolderPlace, Place
from gateway.messagelog.chain import refusal_hash
from gateway.messagelog.model import NewRefusal, RefusalContent
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.trusted import Role, verify_directory, verify_parts
from tests.factories.globalconf import a_source
from tests.factories.messagelog import Logbook, Tsa, a_demo_globalconf, a_logbook, serving
from tests.factories.messages import INSTANCE
from tests.factories.pki import NOON
from tests.factories.refusals import a_refusal


@asynccontextmanager
async def a_stamped_logbook(database: Database, folder: Path, **settings: Any) -> AsyncIterator[Logbook]:
    """A message log with a time-stamping service that goes by its clock; `stamp` it before it is archived."""
    async with serving(Tsa(FixedClock(NOON))) as tsa, a_logbook(database, folder, tsa, **settings) as book:
        tsa._clock = book.clock
        yield book


async def stamp(book: Logbook) -> None:
    """Time-stamp everything that waits."""
    stamper = book.timestamper()
    await stamper.stamp_waiting()
    await stamper.stop()


async def refuse(book: Logbook, **changes: Any) -> int:
    """Record a refusal and return its number."""
    said: RefusalContent = a_refusal(**changes)
    return await book.log.submit(NewRefusal(said, refusal_hash(said)))


def an_archiver(
    book: Logbook,
    folder: Path,
    *,
    place: Place | None = None,
    globalconf: Callable[[Any], GlobalConf] | None = None,
    hear: Callable[[Command], None] = lambda _: None,
    **settings: Any,
) -> Archiver:
    """An archiver into `folder`/archive; `hear` is told of each command before it is carried out."""
    loop = asyncio.get_running_loop()
    chosen = ArchiveSettings(**{**settings, "grouping": Grouping(settings.get("grouping", "none"))})
    conf = a_demo_globalconf()

    async def submit(command: Command) -> None:
        await book.log.submit(change_of(command))

    def carry_out(command: Command) -> None:
        hear(command)
        asyncio.run_coroutine_threadsafe(submit(command), loop).result()

    entries = EntrySource(
        book.database, book.log.reader, globalconf or (lambda _: conf), chosen.digest_algorithm, folder / "staging"
    )
    return Archiver(
        database=book.database,
        entries=entries,
        place=place or FolderPlace(folder / "archive"),
        staging=folder / "staging",
        settings=chosen,
        journal=carry_out,
        clock=book.clock,
    )


async def archive(book: Logbook, folder: Path, **options: Any) -> Tally:
    """Archive what is time-stamped into `folder`/archive."""
    return await asyncio.to_thread(an_archiver(book, folder, **options).run)


def keep_configuration(globalconf: Path, history: Path, conf: GlobalConf | None = None) -> None:
    """Keep a signed configuration and its anchor as a configuration client does, in use since before noon."""
    source = a_source(instance=INSTANCE, shared=(conf or a_demo_globalconf()).shared[INSTANCE])
    directory = verify_directory(
        source.directory(), instance=INSTANCE, certificates=[source.signer.der], at=None, role=Role.OWN
    )
    used_from = NOON.replace(year=NOON.year - 1)
    History(history).record(Generation(verify_parts(directory, source.answers())), source.anchor_xml(), used_from)
    Cache(globalconf).write_anchor(source.anchor_xml())


class NotTheArchive(Exception):  # noqa: N818
    """What the reference's tool would refuse."""


def judge(path: Path, previous_digest: str = "") -> str:
    """Return the last digest of an archive that the reference's tool would pass (X-Road ArchiveHashChainVerifier.java).

    Written from that program's behaviour, with nothing of ours: containers in the order of the zip's
    directory, the chain over hex texts, the set of names.
    """
    with zipfile.ZipFile(path) as opened:
        if "linkinginfo" not in opened.namelist():
            raise NotTheArchive("no linking information")
        lines = opened.read("linkinginfo").decode().splitlines()
        first = lines[0].split()
        linked_previous, algorithm = ("" if first[0] == "-" else first[0]), first[2]
        if algorithm not in ("SHA-256", "SHA-384", "SHA-512"):
            raise NotTheArchive(f"algorithm {algorithm}")
        stated = {}
        for line in lines[1:]:
            words = line.split()
            if len(words) != 2:
                raise NotTheArchive("invalid log archive format")
            stated[words[1]] = words[0]
        names = [name for name in opened.namelist() if name.endswith(".asice")]
        if not names:
            raise NotTheArchive("no containers")
        if linked_previous != previous_digest:
            raise NotTheArchive("last hash steps differ")
        if set(names) != set(stated):
            raise NotTheArchive("file names differ")
        digest = linked_previous
        for name in names:
            digest = _hex(algorithm, (digest + _hex(algorithm, opened.read(name))).encode())
            if digest != stated[name]:
                raise NotTheArchive(f"digests of {name} differ")
    return digest


def judge_all(paths: Sequence[Path]) -> None:
    """Verify archives that follow each other, whatever their order here, all the way from the first."""
    left = list(paths)
    digest = ""
    while left:
        for path in left:
            try:
                digest = judge(path, digest)
            except NotTheArchive as refusal:
                if str(refusal) != "last hash steps differ":
                    raise
                continue
            left.remove(path)
            break
        else:
            raise NotTheArchive(f"nothing follows {digest}: {left}")


def _hex(algorithm: str, data: bytes) -> str:
    return hashlib.new(algorithm.replace("-", "").lower(), data).hexdigest()
