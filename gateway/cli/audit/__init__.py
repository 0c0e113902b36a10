"""`surma audit …`: what auditors ask of the message log of a server, or of archives alone.

Every verb asks through the API of auditors: that of a server, or the same one within this process over
a folder of archives. So a verb answers the same facts from both, and prints them for people or, with
`--json`, for programs.

Exit status of every verb: 0 answered; 1 answered, and the answer is no (there is no such exchange,
something is not valid, the log is not complete); 2 not answered (no connection, no right, unreadable
archives, options that do not fit). `verify` has the exit status of `surma verify`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.audit.options import Asked, Place, Reason, Shown, Trust, expanded

app = typer.Typer(help="The message log as auditors read it: of a server, or of archives alone.", no_args_is_help=True)


@app.command("search")
@expanded
def search(
    place: Place,
    trust: Trust,
    asked: Asked,
    shown: Shown,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 50,
) -> None:
    """List exchanges, newest first; every condition narrows the search."""
    from gateway.cli.audit.search import run

    run(place, trust, asked, shown, limit)


@app.command("show")
@expanded
def show(
    exchange: Annotated[int, typer.Argument(help="Number of the exchange, as `search` prints it.", min=1)],
    place: Place,
    trust: Trust,
    shown: Shown,
    reason: Reason = None,
    report: Annotated[Path | None, typer.Option(help="Write the printable report here (HTML).")] = None,
    documents: Annotated[
        Path | None, typer.Option(help="Write the signed documents into this folder; needs a reason.")
    ] = None,
) -> None:
    """Show an exchange: its messages, masked until there is a reason, and the verdict with every check."""
    from gateway.cli.audit.show import run

    run(exchange, place, trust, shown, reason, report, documents)


@app.command("export")
@expanded
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the export goes (a zip).")],
    place: Place,
    trust: Trust,
    asked: Asked,
    shown: Shown,
    reason: Reason = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the export on the server as well.")] = False,
) -> None:
    """Take away all that a search finds: signed documents, refusals, proofs and a manifest, in one zip."""
    from gateway.cli.audit.export import run

    run(output, place, trust, asked, shown, reason, keep=keep)


@app.command("sample")
@expanded
def sample(
    size: Annotated[int, typer.Option(min=1, max=10_000, help="How many exchanges to draw.")],
    place: Place,
    trust: Trust,
    asked: Asked,
    shown: Shown,
    seed: Annotated[str | None, typer.Option(help="What the draw depends on; without it one is made up.")] = None,
    through: Annotated[
        int | None, typer.Option(min=1, help="Draw from exchanges up to this number, to repeat a draw.")
    ] = None,
) -> None:
    """Draw a random sample that anybody can draw again from seed, size and last number."""
    from gateway.cli.audit.sample import run

    run(size, place, trust, asked, shown, seed, through)


@app.command("completeness")
@expanded
def completeness(
    place: Place,
    trust: Trust,
    shown: Shown,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="Checkpoint that was kept outside; the log is compared with it.")
    ] = None,
    take: Annotated[Path | None, typer.Option(help="Write the newest checkpoint here, to be kept outside.")] = None,
    make: Annotated[bool, typer.Option("--make", help="Have a checkpoint of all there is made before.")] = False,
) -> None:
    """Is every entry still here, and as it was? Ask against a checkpoint kept outside; or take one away."""
    from gateway.cli.audit.completeness import run

    run(place, trust, shown, checkpoint or [], take, make=make)


@app.command("verify")
@expanded
def verify(
    place: Place,
    trust: Trust,
    asked: Asked,
    shown: Shown,
    reason: Reason = None,
    extract: Annotated[Path | None, typer.Option(help="Write messages and attachments here.")] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every container, however many there are.")] = False,
) -> None:
    """Verify every signed document that a search finds: here, offline, as `surma verify` does."""
    from gateway.cli.audit.verify import run

    run(place, trust, asked, shown, reason, extract, show_all=show_all)


@app.command("serve")
@expanded
def serve(
    folder: Annotated[Path, typer.Argument(metavar="ARCHIVES", help="Folder of archives.")],
    trust: Trust,
    shown: Shown,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
) -> None:
    """Open the auditor's console over archives alone: on this machine, for whoever knows the address it prints."""
    from gateway.cli.audit.serve import run

    run(folder, trust, shown, port)
