"""A whole console on loopback; accounts, sessions, trail and exports are the real ones, the log lies in memory."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from lxml import html

from gateway.auditing.console.app import audit_pages
from gateway.auditing.deps import AuditDeps, Inclusion
from gateway.auditing.exports import Exports, ExportSettings
from gateway.auditing.model import AUDITOR, Document, Growth, Stamping
from gateway.messagelog.completeness.model import CheckedAgainst, Completeness, Counts, Finding, Kind
from gateway.runtime.accounts import sessions, store_users
from gateway.runtime.accounts.model import AccountSettings, Grant, Principal
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.accounts.sign_in import SignIn
from gateway.runtime.accounts.store import migrate_accounts
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import FixedClock
from gateway.runtime.console.app import Console, ConsolePart, console_app, entrance
from gateway.runtime.console.formats import zone_named
from gateway.runtime.console.sign_in_pages import SessionDoor, account_pages
from gateway.runtime.console.visitors import Doorkeeper, OneVisitor
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import Database, open_database
from gateway.xroad.checkpoint import build_checkpoint, build_export, parse_export
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.identifiers import encode_path
from gateway.xroad.ledger import Frontier, build_inclusion, entry_leaf, node_hash
from tests.factories.audit import ALPHA, ALPHA_DESK, MemorySource, a_source
from tests.factories.ledger import a_checkpoint, a_head
from tests.factories.pki import NOON

PASSWORD = "вечірній-потяг-до-Ковеля"
NOW = NOON + timedelta(days=1)
# Everybody who may come in, and what they may see.
PEOPLE = {"olena": ("*",), "taras": (encode_path(ALPHA),), "clerk": ()}
TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


def a_log() -> MemorySource:
    """The log of two members, and two refusals (20 and 21) that say all that they measured."""
    source = a_source()
    told: dict[str, object] = {"service": "UA-DEMO/GOV/10000002/DEMOGRAPHIC/GetPerson", "client": str(ALPHA_DESK)}
    source.refuse(ALPHA_DESK, query_id="alpha-20", facts=told)
    source.refuse(ALPHA_DESK, times=41, is_failure=True, fault_code="server.clientproxy.network_error", facts=told)
    hour = timedelta(hours=1)
    source.stamping = Stamping(1, NOON, NOW - hour, NOW + 3 * hour)
    source.growth = Growth(5_000_000_000, 20_000_000_000, 1_500_000_000.0, 100_000.0, 13.3)
    source.indexed_through = source.last_sequence - 1
    return source


@dataclass
class SmallLedger:
    """The ledger over the entries of a source in memory, with checkpoints by the key of its owner."""

    source: MemorySource
    forged: dict[int, bytes] = field(default_factory=dict)  # leaves that somebody changed in the log
    gate: threading.Event = field(default_factory=threading.Event)  # an examination waits for it

    def __post_init__(self) -> None:
        self.gate.set()
        self.note = self._note(self.source.last_sequence)

    def newest(self) -> bytes | None:
        return self.note

    async def make(self) -> bytes:
        self.note = self._note(self.source.last_sequence)
        return self.note

    def size_of(self, note: bytes) -> int:
        return parse_export(note.splitlines(keepends=True)).checkpoint.head.size

    def prove(self, sequence: int, size: int, document: Document | None = None) -> Inclusion | None:
        if not 0 < sequence <= size:
            return None
        hashes = build_inclusion(sequence - 1, size, self._node)
        return Inclusion(sequence, size, self.leaf(sequence), hashes, None)

    def prove_all(self, sequences: Sequence[int], size: int) -> dict[int, Inclusion]:
        return {n: found for n in sequences if (found := self.prove(n, size)) is not None}

    def examine(self, note: bytes, progress: Callable[[int, int], None]) -> Completeness:
        export = parse_export(note.splitlines(keepends=True))
        head = export.checkpoint.head
        if head.time != NOON:
            raise SignatureRefused("timestamp_validation", "ledger.checkpoint_time", stated=head.time, stamped=NOON)
        progress(1, head.size)
        self.gate.wait(10)
        differing = [n for n in range(1, head.size + 1) if export.leaf(n - 1) != self.leaf(n)]
        findings = tuple(Finding(Kind.ALTERED, n, n, "ledger.entry_missing", {"sequence": n}) for n in differing)
        against = CheckedAgainst(head.origin, head.size, head.root, head.time, NOON, True)
        return Completeness((against,), head.size, Counts(head.size), findings, 0, ())

    def export(self) -> bytes:
        """The newest checkpoint with its leaves, as an auditor takes it away."""
        size = self.size_of(self.note)
        return b"".join(build_export(self.note, size, (self.leaf(number) for number in range(1, size + 1))))

    def leaf(self, sequence: int) -> bytes:
        if sequence in self.forged:
            return self.forged[sequence]
        entry = self.source.entries.get(sequence)
        kept = self.source.refusals[sequence].refusal.content_hash if entry is None else entry.message
        return entry_leaf(sequence, hashlib.sha512(kept).digest())

    def _node(self, level: int, index: int) -> bytes:
        if level == 0:
            return self.leaf(index + 1)
        return node_hash(self._node(level - 1, 2 * index), self._node(level - 1, 2 * index + 1))

    def _note(self, size: int) -> bytes:
        frontier = Frontier()
        for number in range(1, size + 1):
            frontier.append(self.leaf(number))
        return build_checkpoint(a_checkpoint(a_head(size=size, root=frontier.root())))


@dataclass
class Site:
    """A console that answers at `url`."""

    url: str
    source: MemorySource
    ledger: SmallLedger
    database: Database
    trail: Trail
    clock: FixedClock
    key: str  # by which the one visitor of a console without accounts comes in
    visits: dict[tuple[str | None, str], Visit] = field(default_factory=dict)
    entered: list[Visit] = field(default_factory=list)

    def visit(self, name: str | None = "olena", language: str = "en") -> Visit:
        """Come in as somebody; None for nobody. Who has come in already comes back to the same session."""
        if (name, language) not in self.visits:
            self.visits[name, language] = self.enter(name, language)
        return self.visits[name, language]

    def enter(self, name: str | None, language: str) -> Visit:
        """Come in anew."""
        cookies = {"surma-lang": language}
        if name is not None:
            with self.database.transaction() as tx:
                user = store_users.find_user(tx, name)
                assert user is not None
                cookies["surma-session"] = sessions.begin(tx, user.id, self.clock.now(), AccountSettings())
        visit = Visit(httpx.Client(base_url=self.url, cookies=cookies, timeout=20))
        self.entered.append(visit)
        return visit

    def deeds(self) -> list[dict[str, Any]]:
        """What stands in the trail, oldest first."""
        return self.trail.read(limit=100_000)[::-1]


def tree_of(answer: httpx.Response | str) -> Any:
    """The tree of a page."""
    return html.document_fromstring(answer if isinstance(answer, str) else answer.text)


@dataclass
class Visit:
    """A browser without a screen: it keeps cookies and fills in forms."""

    client: httpx.Client

    def get(self, path: str, **parameters: str) -> httpx.Response:
        return self.client.get(path, params=parameters or None, follow_redirects=True)

    def send(self, page: str, path: str, files: dict[str, bytes] | None = None, **fields: str) -> httpx.Response:
        """Send the form of a page with the token that stands in it."""
        found = TOKEN.search(self.get(page).text)
        assert found is not None, page
        sent = {name: (f"{name}.txt", content) for name, content in (files or {}).items()}
        return self.client.post(
            path, data={"csrf_token": found[1], **fields}, files=sent or None, follow_redirects=True
        )


@contextmanager
def a_site(folder: Path, *, with_accounts: bool = True, source: MemorySource | None = None) -> Iterator[Site]:
    """Serve a console from a thread with a loop of its own, so that tests may be plain functions."""
    source = source or a_log()
    clock = FixedClock(NOW)
    database = open_database(f"sqlite:///{folder}/accounts.db")
    migrate_accounts(database)
    passwords = Passwords(memory_kib=64, passes=1, lanes=1)
    _let_in(database, passwords, clock)
    (folder / "audit").mkdir()
    trail, ledger = Trail(folder / "audit", clock), SmallLedger(source)
    one = OneVisitor(Principal("auditor", frozenset({AUDITOR})))
    sign_in = SignIn(database, clock, passwords, AccountSettings())
    door: Doorkeeper = SessionDoor(sign_in) if with_accounts else one
    first: ConsolePart = account_pages(sign_in, trail) if with_accounts else entrance(one)
    ready, stopping = threading.Event(), asyncio.Event()
    found: list[Site] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        def server_name() -> str:
            return source.name

        settings = ExportSettings(reserve_bytes=0)
        exports = Exports(
            folder / "exports", source, clock, server_name=lambda: source.name, ledger=ledger, settings=settings
        )
        deps = AuditDeps(source, trail, clock, lambda: source.name, ledger, exports)
        console = Console(
            door,
            server_name,
            [audit_pages(deps), first],
            zone=zone_named("Europe/Kyiv"),
            secure=False,
            signs_in=with_accounts,
            requests_per_second=0,
            requests_per_minute=0,
        )
        server = ControlServer(Listener(console_app(console)))
        await exports.start()
        await server.start()
        found.append(Site(server.url, source, ledger, database, trail, clock, one.key))
        ready.set()
        await stopping.wait()
        await server.stop()
        await exports.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield found[0]
    finally:
        for visit in found[0].entered:
            visit.client.close()
        loop.call_soon_threadsafe(stopping.set)
        thread.join(20)
        loop.close()
        database.close()


def _let_in(database: Database, passwords: Passwords, clock: FixedClock) -> None:
    with database.transaction() as tx:
        for name, scopes in PEOPLE.items():
            user = store_users.add_user(tx, name, passwords.hash(PASSWORD), clock.now())
            for scope in scopes:
                store_users.add_grant(tx, user, Grant(AUDITOR, scope))
