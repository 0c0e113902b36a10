"""Exports: what is in them, how they go on after a break, who finds them, and when they end."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.auditing.configurations import configuration_in
from gateway.auditing.export_job import ExportJob, State, read_job
from gateway.auditing.exports import Exports, ExportSettings, TooManyExports
from gateway.auditing.model import Exchange, Query, Scope
from gateway.runtime.clock import FixedClock
from gateway.xroad.asic.verify import examine_container
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters
from gateway.xroad.globalconf.verification_conf import build_verification_conf
from tests.factories.audit import ALPHA, ALPHA_DESK, BETA, MemorySource, a_source
from tests.factories.messages import INSTANCE
from tests.factories.pki import NOON
from tests.factories.signatures import a_world

EVERYTHING = Scope(frozenset({"*"}))
ALPHAS = Scope(frozenset({str(ALPHA)}))
ROOMY = ExportSettings(reserve_bytes=0)


def trust() -> Iterator[tuple[str, bytes]]:
    """The files of /verificationconf."""
    shared = build_shared_parameters(a_world().globalconf.shared[INSTANCE], 5)
    with zipfile.ZipFile(io.BytesIO(build_verification_conf(INSTANCE, {INSTANCE: (shared, 5)}))) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


@asynccontextmanager
async def running(
    folder: Path, source: MemorySource, clock: FixedClock | None = None, **settings: Any
) -> AsyncIterator[Exports]:
    settings = {"reserve_bytes": 0, **settings}
    exports = Exports(
        folder,
        source,
        clock or FixedClock(NOON),
        server_name=lambda: source.name,
        trust=trust,
        settings=ExportSettings(**settings),
    )
    await exports.start()
    try:
        yield exports
    finally:
        await exports.stop()


async def finished(exports: Exports, job: ExportJob, owner: str = "olha") -> ExportJob:
    async with asyncio.timeout(20):
        while (found := exports.find(job.id, owner, EVERYTHING)) is None or not found.is_over:
            await asyncio.sleep(0.01)
    return found


async def made(exports: Exports, query: Query | None = None, scope: Scope = EVERYTHING) -> ExportJob:
    return await finished(exports, await exports.create("olha", scope, query or Query(), "complaint 7"))


def content(exports: Exports, job: ExportJob) -> dict[str, bytes]:
    with zipfile.ZipFile(exports.file_of(job)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


# what is in it


async def test_export_holds_containers_lists_and_a_manifest_that_names_every_file(tmp_path: Path) -> None:
    async with running(tmp_path, a_source()) as exports:
        job = await made(exports)
        files = content(exports, job)
    manifest = json.loads(files.pop("manifest.json"))
    assert {one["name"]: one["sha256"] for one in manifest["files"]} == {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items()
    }
    assert manifest["counts"] == {"exchanges": 13, "containers": 14, "refusals": 5, "missing": 0, "unproven": 19}
    assert (manifest["made_for"], manifest["grounds"], manifest["scope"]) == ("olha", "complaint 7", ["*"])
    assert manifest["server"] == "UA-DEMO/GOV/10000001/SS1"
    assert len([name for name in files if name.startswith("containers/")]) == 14
    assert [json.loads(line)["times"] for line in files["refusals.jsonl"].splitlines()] == [1, 17, 1, 17, 1]


async def test_containers_of_an_export_verify_with_the_configuration_in_it(tmp_path: Path) -> None:
    async with running(tmp_path, a_source()) as exports:
        job = await made(exports, Query(outcome=None, issue="alpha-case-1"))
        choose = configuration_in(exports.file_of(job))
        containers = [data for name, data in content(exports, job).items() if name.endswith(".asice")]
    assert len(containers) == 2
    for container in containers:
        assert examine_container(container, lambda time: choose(time).globalconf).fault is None


async def test_export_of_a_scope_holds_nothing_of_others(tmp_path: Path) -> None:
    async with running(tmp_path, a_source()) as exports:
        job = await made(exports, scope=ALPHAS)
        files = content(exports, job)
    assert job.total == 6
    text = b"\n".join((*map(str.encode, files), *files.values()))
    assert b"alpha-soap" in text
    for mark in (b"beta", str(BETA).encode(), b"192.0.2.66"):
        assert mark not in text


async def test_export_holds_what_was_asked_for_only(tmp_path: Path) -> None:
    async with running(tmp_path, a_source()) as exports:
        job = await made(exports, Query(query_id="alpha-*", client=str(ALPHA_DESK)))
        lines = content(exports, job)["exchanges.jsonl"].splitlines()
    assert [json.loads(line)["query_id"] for line in lines] == ["alpha-soap", "alpha-rest", "alpha-refused"]


@pytest.mark.parametrize(("language", "delimiter", "word"), [("en", ",", "Refused"), ("uk", ";", "Відмовлено")])
async def test_table_is_readable_in_both_languages(tmp_path: Path, language: str, delimiter: str, word: str) -> None:
    async with running(tmp_path, a_source()) as exports:
        files = content(exports, await made(exports))
    rows = list(csv.reader(io.StringIO(files[f"exchanges.{language}.csv"].decode("utf-8-sig")), delimiter=delimiter))
    assert len(rows) == 14
    assert len({len(row) for row in rows}) == 1
    assert word in rows[4]
    summary = files[f"summary.{language}.txt"].decode()
    assert "complaint 7" in summary
    assert f"{word}: 3" in summary


async def test_text_that_a_spreadsheet_would_calculate_is_marked(tmp_path: Path) -> None:
    source = MemorySource()
    source.ask(ALPHA_DESK, query_id="q", user_id='=HYPERLINK("http://evil.example")')
    async with running(tmp_path, source) as exports:
        table = content(exports, await made(exports))["exchanges.en.csv"].decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(table)))["User id"] == '\'=HYPERLINK("http://evil.example")'


async def test_entry_that_cannot_be_read_is_named_and_the_rest_is_there(tmp_path: Path) -> None:
    source = a_source()
    del source.documents[1]
    async with running(tmp_path, source) as exports:
        job = await made(exports, scope=ALPHAS)
        files = content(exports, job)
    assert (job.reached.counts.containers, job.reached.counts.missing) == (6, 1)
    missing = json.loads(files["missing.jsonl"])
    assert missing["entry"] == 1
    assert "not in the log" in missing["text"]["en"]


async def test_exchanges_that_came_after_the_question_are_left_out(tmp_path: Path) -> None:
    source = a_source()
    async with running(tmp_path, source) as exports:
        job = await exports.create("olha", EVERYTHING, Query(), "complaint 7")
        source.ask(ALPHA_DESK, query_id="later")
        done = await finished(exports, job)
    assert done.reached.counts.exchanges == 13


# going on


class PausingSource(MemorySource):
    """A source whose walk waits at its fifth exchange, until it is told to go on."""

    def __init__(self) -> None:
        super().__init__(**vars(a_source()))
        self.reached, self.go = threading.Event(), threading.Event()

    def walk(self, query: Query, scope: Scope) -> Iterator[Exchange]:
        for number, exchange in enumerate(super().walk(query, scope)):
            if number == 4:
                self.reached.set()
                assert self.go.wait(20)
            yield exchange


async def stopped_in_the_middle(folder: Path, source: PausingSource) -> ExportJob:
    """Ask for an export, and stop the server while it is written."""
    exports = Exports(folder, source, FixedClock(NOON), server_name=lambda: source.name, trust=trust, settings=ROOMY)
    await exports.start()
    job = await exports.create("olha", EVERYTHING, Query(), "complaint 7")
    await asyncio.to_thread(source.reached.wait, 20)
    stopping = asyncio.create_task(exports.stop())
    await asyncio.sleep(0.02)
    source.go.set()
    await stopping
    return job


async def test_export_goes_on_after_a_restart_and_is_the_same(tmp_path: Path) -> None:
    source = PausingSource()
    job = await stopped_in_the_middle(tmp_path, source)
    left = read_job(tmp_path / job.id)
    assert left is not None
    assert (left.state, left.done) == (State.RUNNING, 4)
    async with running(tmp_path, source) as exports:
        again = content(exports, await finished(exports, job))
        whole = content(exports, await made(exports))
    for files in (whole, again):
        del files["manifest.json"], files["summary.en.txt"], files["summary.uk.txt"]  # they name the export
    assert again == whole


async def test_export_whose_files_are_gone_begins_again(tmp_path: Path) -> None:
    source = PausingSource()
    job = await stopped_in_the_middle(tmp_path, source)
    for part in (tmp_path / job.id).glob("*.part"):
        part.unlink()
    async with running(tmp_path, source) as exports:
        done = await finished(exports, job)
        assert done.state is State.DONE
        assert done.reached.counts.containers == 14


async def test_export_deleted_while_it_is_written_leaves_nothing(tmp_path: Path) -> None:
    source = PausingSource()
    async with running(tmp_path, source) as exports:
        job = await exports.create("olha", EVERYTHING, Query(), "complaint 7")
        await asyncio.to_thread(source.reached.wait, 20)
        await exports.delete(job)
        assert exports.of("olha", EVERYTHING) == ()
        source.go.set()
        await made(exports)
        assert len(list(tmp_path.iterdir())) == 1


async def test_finished_export_is_there_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path, a_source()) as exports:
        job = await made(exports)
    async with running(tmp_path, a_source()) as exports:
        assert exports.of("olha", EVERYTHING) == (job,)
        assert hashlib.sha256(exports.file_of(job).read_bytes()).hexdigest() == job.sha256


async def test_folder_that_nobody_knows_is_removed_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "export.zip.part").write_bytes(b"x")
    async with running(tmp_path, a_source()):
        assert list(tmp_path.iterdir()) == []


# trouble


async def test_export_stops_before_it_takes_the_room_of_the_log(tmp_path: Path) -> None:
    async with running(tmp_path, a_source(), reserve_bytes=2**62) as exports:
        job = await made(exports)
    assert (job.state, job.failure) == (State.FAILED, "auditing.export.disk_full")
    assert [path.name for path in (tmp_path / job.id).iterdir()] == ["job.json"]


async def test_failed_export_says_so_and_the_next_one_runs(tmp_path: Path) -> None:
    source = a_source()
    broken = source.exchanges[1]
    source.exchanges[1] = None  # type: ignore[assignment]
    async with running(tmp_path, source) as exports:
        job = await made(exports)
        assert (job.state, job.failure) == (State.FAILED, "auditing.export.failed")
        source.exchanges[1] = broken
        assert (await made(exports)).state is State.DONE


async def test_one_may_have_so_many_exports(tmp_path: Path) -> None:
    async with running(tmp_path, a_source(), per_user=2) as exports:
        await made(exports)
        second = await made(exports)
        with pytest.raises(TooManyExports):
            await exports.create("olha", EVERYTHING, Query(), "complaint 7")
        await exports.delete(second)
        await made(exports)


# who finds it, and how long


async def test_export_is_there_for_its_owner_alone(tmp_path: Path) -> None:
    async with running(tmp_path, a_source()) as exports:
        job = await made(exports)
        assert exports.find(job.id, "petro", EVERYTHING) is None
        assert exports.of("petro", EVERYTHING) == ()


async def test_export_is_gone_for_an_owner_whose_scope_was_taken(tmp_path: Path) -> None:
    async with running(tmp_path, a_source()) as exports:
        job = await made(exports, scope=Scope(frozenset({str(ALPHA), str(BETA)})))
        assert exports.find(job.id, "olha", ALPHAS) is None
        assert exports.find(job.id, "olha", job.scope) == job
        everything = await made(exports)
        assert exports.find(everything.id, "olha", job.scope) is None


async def test_deleted_export_leaves_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, a_source()) as exports:
        await exports.delete(await made(exports))
        assert list(tmp_path.iterdir()) == []
        assert exports.of("olha", EVERYTHING) == ()


async def test_old_export_is_removed(tmp_path: Path) -> None:
    clock = FixedClock(NOON)
    async with running(tmp_path, a_source(), clock, keep_s=60) as exports:
        await made(exports)
        clock.advance(seconds=59)
        await exports.remove_old()
        assert len(exports.of("olha", EVERYTHING)) == 1
        clock.advance(seconds=2)
        await exports.remove_old()
        assert list(tmp_path.iterdir()) == []


async def test_only_the_owner_of_the_process_opens_the_folders(tmp_path: Path) -> None:
    async with running(tmp_path / "exports", a_source()) as exports:
        job = await made(exports)
        folders = (exports.root, exports.file_of(job).parent)
        assert [folder.stat().st_mode & 0o077 for folder in folders] == [0, 0]
