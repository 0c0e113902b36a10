"""What every benchmark gives: facts for scripts as JSON, and tables for people."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cryptography
from cryptography.hazmat.backends.openssl import backend
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]


@dataclass(slots=True)
class Section:
    """One table: its rows are dictionaries with the same keys; notes stand below it."""

    title: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What a benchmark found; `facts` goes to the JSON file as it is."""

    facts: dict[str, Any]
    sections: list[Section]


def write(name: str, command: str, report: Report, folder: Path) -> Path:
    """Write `NAME.json` with the machine and the command it was measured by."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"benchmark": name, "command": command, **machine(), **report.facts}, indent=2) + "\n")
    return path


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    for section in report.sections:
        console.print(_table(section))
        for note in section.notes:
            console.print(f"[dim]{note}[/dim]", highlight=False)


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": f"{os.cpu_count()} x {_cpu_model()}",
        "python": platform.python_version(),
        "cryptography": f"{cryptography.__version__} ({backend.openssl_version_text()})",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _table(section: Section) -> Table:
    table = Table(title=section.title, title_justify="left")
    columns: Sequence[str] = list(section.rows[0]) if section.rows else []
    for column in columns:
        table.add_column(column.replace("_", " "), justify="left" if column == columns[0] else "right")
    for row in section.rows:
        table.add_row(*(_text(row.get(column)) for column in columns))
    return table


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return "" if value is None else str(value)
