"""Run benchmarks: `python -m tests.benchmarks [NAME…]`; without a name all but `audit`, `registries` and `snap`.

Each prints a table and writes `build/bench/NAME.json`. None fails on absolute time.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console

from tests.benchmarks import audit, chain, floor, idle, large, log, registries, report, sign, snap, start
from tests.benchmarks.registries_asked import ASKED
from tests.benchmarks.report import Report

FOLDER: Final = Path("build/bench")


def main(arguments: list[str]) -> None:
    """Run what the command line asks for."""
    options = parser().parse_args(arguments)
    for name in options.names:
        if name not in BENCHMARKS:
            parser().error(f"{name} is none of {', '.join(BENCHMARKS)}")
    console = Console(width=None if sys.stdout.isatty() else 140)
    for name in options.names or [name for name in BENCHMARKS if name not in ONLY_WHEN_NAMED]:
        console.print(f"[bold]{name}[/bold]")
        found = BENCHMARKS[name](options)
        report.show(found, console)
        command = shlex.join(["python", "-m", "tests.benchmarks", *arguments])
        console.print(f"written to {report.write(name, command, found, options.out)}", highlight=False)


def _chain(options: argparse.Namespace) -> Report:
    return chain.run(
        options.algorithm or floor.FLOORS, options.concurrency or (), factor=options.factor, tiny=options.tiny
    )


BENCHMARKS: Final[dict[str, Callable[[argparse.Namespace], Report]]] = {
    "crypto": lambda options: floor.run(tiny=options.tiny),
    "sign": lambda options: sign.run(tiny=options.tiny),
    "log": lambda options: log.run(url=options.database, tiny=options.tiny),
    "chain": _chain,
    "start": lambda options: start.run(tiny=options.tiny),
    "idle": lambda options: idle.run(factor=options.factor, tiny=options.tiny),
    "large": lambda options: large.run(factor=options.factor, tiny=options.tiny),
    "audit": lambda options: audit.run(
        factor=options.factor,
        tiny=options.tiny,
        url=options.database,
        state=options.state,
        archived=options.archived,
    ),
    "registries": lambda options: registries.run(
        options.registry or (),
        factor=options.factor,
        tiny=options.tiny,
        url=options.database,
        state=options.state,
    ),
    "snap": lambda options: snap.run(tiny=options.tiny),
}
ONLY_WHEN_NAMED: Final = frozenset({"audit", "registries", "snap"})  # half an hour; six gigabytes; the whole demo


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}")
    parser.add_argument("--out", type=Path, default=FOLDER, help="where NAME.json goes")
    parser.add_argument("--tiny", action="store_true", help="a few calls only, to see that it runs")
    parser.add_argument(
        "--factor",
        type=float,
        default=1.0,
        help="chain, idle: this many times the usual requests; large: times 1 GiB; audit: times a million records; "
        "registries: times five million persons",
    )
    parser.add_argument("--algorithm", action="append", choices=floor.FLOORS, help="chain: only this one")
    parser.add_argument("--concurrency", action="append", type=int, help="chain: only this number of callers")
    parser.add_argument("--registry", action="append", choices=ASKED, help="registries: only this one")
    parser.add_argument(
        "--database", metavar="URL", help="log, audit, one registry: an empty database instead of SQLite"
    )
    parser.add_argument("--archived", type=int, metavar="N", help="audit: archive and verify about so many records")
    parser.add_argument(
        "--state", type=Path, help="audit: an empty folder that is kept; registries: a folder to fill, or filled before"
    )
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
