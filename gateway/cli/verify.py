"""`surma verify`: is what these files hold signed, time-stamped, unchanged, and is nothing missing? Offline.

Exit status: 0 all of them are valid, 1 one of them is not, 2 the question cannot be decided (no
configuration, a file that cannot be read, a key that is missing).
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.auditing.configurations import Choose, configuration_in, configurations_of
from gateway.auditing.verdicts import check_facts, check_lines, printable, reason_of, verdict_facts, verdict_lines
from gateway.cli.verify_batch import Asked, Exit, FileReport, Found, Report, size_of, verify_paths
from gateway.cli.verify_extract import Extraction
from gateway.runtime.texts import render
from gateway.xroad.faults import ConfigurationUnusable, XRoadFault

_SHOWN_ALONE: Final = 20  # so many containers are shown each; of more, only what does not hold


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(help="Containers (.asice), zips of them, archives (mlog-….zip, .gpg), or folders."),
    ],
    conf: Annotated[
        Path | None,
        typer.Option("--conf", help="Folder or zip from /verificationconf, or a configuration client's folder."),
    ] = None,
    history: Annotated[
        Path | None, typer.Option("--history", help="Configuration history of a server; the one in force is chosen.")
    ] = None,
    anchor: Annotated[Path | None, typer.Option("--anchor", help="Anchor that proves the history.")] = None,
    secret_key: Annotated[
        list[Path] | None, typer.Option("--secret-key", help="OpenPGP secret key that opens encrypted archives.")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option("--passphrase-file", help="File (mode 0600) with the passphrase of the key.")
    ] = None,
    first: Annotated[
        bool, typer.Option("--first", help="The first archive must be the first one that was ever written.")
    ] = False,
    previous_digest: Annotated[
        str | None, typer.Option("--previous-digest", help="Last digest of the archive before the first one.")
    ] = None,
    extract: Annotated[
        Path | None, typer.Option("--extract", help="Write messages and attachments here, whatever they prove.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every container, however many there are.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    language: Annotated[str, typer.Option("--language", help="Language of the texts: en or uk.")] = "en",
) -> None:
    """Verify signed containers and archives offline: 0 valid, 1 not valid, 2 cannot tell."""
    try:
        asked = Asked(_choose(conf, history, anchor), _keys(secret_key, passphrase_file), first, previous_digest)
        found: Iterator[Found] = verify_paths(files, asked)
    except XRoadFault as fault:
        found = iter([Report(str(path), None, None, fault) for path in files])
    printer = _JsonPrinter(language) if as_json else _TextPrinter(language)
    exits: Counter[Exit] = Counter()
    with ExitStack() as stack:
        extraction = None if extract is None else Extraction(extract)
        advance = _progress(stack, files)
        for one in found:
            exits[one.exit] += 1
            if isinstance(one, Report):
                advance(len(one.data))
                if extraction is not None:
                    extraction.write(one.source, one.data)
            printer.add(one, show_all=show_all)
    printer.end(extraction)
    raise typer.Exit(Exit.INVALID if exits[Exit.INVALID] else max(exits, default=Exit.VALID))


def _choose(conf: Path | None, history: Path | None, anchor: Path | None) -> Choose:
    if conf is not None and history is None and anchor is None:
        return configuration_in(conf)
    if conf is None and history is not None and anchor is not None:
        return configurations_of(history, anchor)
    raise ConfigurationUnusable("malformed_global_conf", "asic.verify.choose_configuration")


def _keys(keys: list[Path] | None, passphrase_file: Path | None) -> Any:
    if not keys:
        return None
    from gateway.messagelog.archive.openpgp import OpenPgpKeys

    return OpenPgpKeys(keys, passphrase_file=passphrase_file)


def _progress(stack: ExitStack, files: list[Path]) -> Any:
    """Return a function that moves a bar on, where somebody is looking."""
    if not sys.stderr.isatty():
        return lambda size: None
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
    task = bar.add_task("verify", total=size_of([path for path in files if path.exists()]))
    return lambda size: bar.advance(task, size)


class _Held:
    """The first reports, kept in their order until it is known whether they are few enough to be shown each."""

    def __init__(self) -> None:
        self.counts: Counter[Exit] = Counter()
        self._reports: list[Report] = []
        self._are_few = True

    def add(self, report: Report, *, show_all: bool) -> list[Report]:
        """Return what is to be shown now."""
        self.counts[report.exit] += 1
        light = Report(report.source, report.examination, report.chosen, report.fault)
        if show_all:
            return [light]
        if not self._are_few:
            return [light] if report.exit is not Exit.VALID else []
        self._reports.append(light)
        self._are_few = len(self._reports) <= _SHOWN_ALONE
        return [] if self._are_few else [held for held in self.end() if held.exit is not Exit.VALID]

    def end(self) -> list[Report]:
        """Return what was held back."""
        held, self._reports = self._reports, []
        return held


class _TextPrinter:
    """Prints for people."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._held = _Held()
        self._any = False

    def add(self, found: Found, *, show_all: bool) -> None:
        """Print what is known now."""
        if isinstance(found, FileReport):
            self._print(_file_lines(found, self._language))
            return
        for report in self._held.add(found, show_all=show_all):
            self._print(lines_of(report, self._language))

    def end(self, extraction: Extraction | None) -> None:
        """Print what was held back, and the sum."""
        for report in self._held.end():
            self._print(lines_of(report, self._language))
        counts = self._held.counts
        if counts.total() > 1:
            facts = {one.name.lower(): counts[one] for one in Exit}
            self._print([render("asic.verify.sum", {"count": counts.total(), **facts}, self._language)])
        if extraction is not None:
            written = {"count": extraction.files, "folder": extraction.folder}
            self._print([render("asic.verify.extracted", written, self._language)])

    def _print(self, lines: Any) -> None:
        typer.echo(("\n" if self._any else "") + "\n".join(map(printable, lines)))
        self._any = True


class _JsonPrinter:
    """Prints one JSON document, piece by piece."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._held = _Held()
        self._files: list[FileReport] = []
        self._any = False
        typer.echo('{"results": [', nl=False)

    def add(self, found: Found, *, show_all: bool) -> None:
        """Print what is known now."""
        if isinstance(found, FileReport):
            self._files.append(found)
            return
        for report in self._held.add(found, show_all=show_all):
            self._print(report)

    def end(self, extraction: Extraction | None) -> None:
        """Close the document."""
        for report in self._held.end():
            self._print(report)
        rest: dict[str, Any] = {
            "archives": [_file_facts(found, self._language) for found in self._files],
            "counts": {one.name.lower(): self._held.counts[one] for one in Exit},
        }
        if extraction is not None:
            rest["extracted"] = {"folder": str(extraction.folder), "files": extraction.files}
        typer.echo("], " + json.dumps(rest, ensure_ascii=False)[1:])

    def _print(self, report: Report) -> None:
        text = json.dumps(facts_of(report, self._language), ensure_ascii=False)
        typer.echo(("," if self._any else "") + "\n" + text, nl=False)
        self._any = True


# For people


def lines_of(report: Report, language: str) -> Iterator[str]:
    """Yield what a person reads about one file."""

    def text(text_id: str, **facts: object) -> str:
        return render(f"asic.{text_id}", facts, language)

    fault = report.fault
    if report.examination is None or report.chosen is None:
        yield f"{report.source}: {text('verify.unknown', reason=reason_of(fault, language))}"
        return
    verdict = report.examination.verdict
    if verdict is None:
        code = "-" if fault is None else fault.code
        yield f"{report.source}: {text('verify.invalid', reason=reason_of(fault, language), code=code)}"
    else:
        yield f"{report.source}: {text('verify.valid')}"
        yield from (f"  {line}" for line in verdict_lines(verdict, language))
    line = text("verify.configuration", instance=report.chosen.globalconf.instance, source=report.chosen.source)
    if report.chosen.used_from is not None:
        until = report.chosen.used_until
        shown = text("verify.still") if until is None else until.isoformat()
        line += f"; {text('verify.in_use', since=report.chosen.used_from.isoformat(), until=shown)}"
    yield f"  {line}"
    yield from (f"  {line}" for line in check_lines(report.examination, language))


def _file_lines(found: FileReport, language: str) -> Iterator[str]:
    def text(text_id: str, **facts: object) -> str:
        return render(f"asic.verify.{text_id}", facts, language)

    if found.fault is None:
        yield f"{found.source}: {text('archive_holds', count=found.containers)}"
    elif found.exit is Exit.UNDECIDED:
        yield f"{found.source}: {text('unknown', reason=reason_of(found.fault, language))}"
    else:
        reason = reason_of(found.fault, language)
        yield f"{found.source}: {text('archive_broken', reason=reason, code=found.fault.code)}"
    if found.begins_after is not None:
        yield f"  {text('archive_begins_after', name=found.begins_after)}"
    if found.last_digest:
        yield f"  {text('archive_last_digest', digest=found.last_digest)}"


# For programs


def facts_of(report: Report, language: str) -> dict[str, Any]:
    """Return the same as a JSON object; names do not depend on the language."""
    facts: dict[str, Any] = {"file": report.source, "result": report.exit.name.lower()}
    if report.fault is not None:
        facts |= {"code": report.fault.code, "text": reason_of(report.fault, language)}
    if report.chosen is not None:
        facts["configuration"] = {
            "instance": report.chosen.globalconf.instance,
            "source": report.chosen.source,
            "used_from": _time(report.chosen.used_from),
            "used_until": _time(report.chosen.used_until),
        }
    if report.examination is not None:
        facts["checks"] = check_facts(report.examination)
        if report.examination.verdict is not None:
            facts |= verdict_facts(report.examination.verdict)
    return facts


def _file_facts(found: FileReport, language: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "file": found.source,
        "result": found.exit.name.lower(),
        "containers": found.containers,
        "begins_after": found.begins_after,
        "last_digest": found.last_digest,
    }
    if found.fault is not None:
        facts |= {"code": found.fault.code, "text": reason_of(found.fault, language)}
    return facts


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
