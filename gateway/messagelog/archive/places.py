"""Where archive files lie: a folder, or a bucket that speaks S3.

A file is there whole or not at all, and what is there is never changed. Names that begin with a dot
are not seen: they belong to whoever is still writing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from gateway.runtime.durable_files import sync_directory
from gateway.runtime.private_files import credentials_directory, find_credential, read_private
from gateway.xroad.faults import LoggingUnavailable

ACCESS_KEY_CREDENTIAL: Final = "archive-s3-access-key-id"
SECRET_KEY_CREDENTIAL: Final = "archive-s3-secret-access-key"  # noqa: S105  the name of a file
_S3: Final = "s3://"
_TIMEOUT: Final = timedelta(seconds=60)
_CONNECT_TIMEOUT: Final = timedelta(seconds=10)
_RETRIES: Final = 2  # the archiver comes back by itself, with longer pauses


class Place(Protocol):
    """Somewhere that keeps files by name. Every call raises LoggingUnavailable when it cannot be reached."""

    @property
    def url(self) -> str:
        """The place for people; without credentials."""
        ...

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        ...

    def size(self, name: str) -> int | None:
        """Return the size of a file, None when it is not there."""
        ...

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes of a file from one position to another."""
        ...

    def path(self, name: str) -> Path | None:
        """Return the path of a file where it has one."""
        ...

    def put(self, name: str, source: Path) -> None:
        """Bring a file here: durable, and whole or not at all; one that has this name is replaced."""
        ...


class FolderPlace:
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def url(self) -> str:
        """The folder."""
        return str(self.folder)

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        with _told(self.url):
            if not self.folder.is_dir():
                return []
            return sorted(entry.name for entry in os.scandir(self.folder) if entry.name[0] != "." and entry.is_file())

    def size(self, name: str) -> int | None:
        """Return the size of a file, None when it is not there."""
        with _told(self.url):
            try:
                return self.path(name).stat().st_size
            except FileNotFoundError:
                return None

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes of a file from one position to another."""
        with _told(self.url), self.path(name).open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        if name != os.path.basename(name):
            raise _unreachable(self.url, f"{name} is no file name")
        return self.folder / name

    def put(self, name: str, source: Path) -> None:
        """Move a file here: in one step where both are on one file system."""
        target = self.path(name)
        with _told(self.url):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                source.replace(target)
            except OSError:
                if not source.exists():
                    raise
                beside = target.with_name(f".{name}")
                with source.open("rb") as file, beside.open("wb") as copy:
                    shutil.copyfileobj(file, copy)
                    copy.flush()
                    os.fsync(copy.fileno())
                beside.replace(target)
                source.unlink()
            sync_directory(self.folder)


class BucketPlace:
    """Files in a bucket below a prefix."""

    def __init__(self, url: str, store: Any) -> None:
        self.url = url
        self._store = store

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        import obstore

        with _told(self.url):
            found = [meta["path"] for batch in obstore.list(self._store) for meta in batch]
        return sorted(path for path in found if "/" not in path and not path.startswith("."))

    def size(self, name: str) -> int | None:
        """Return the size of a file, None when it is not there."""
        import obstore

        with _told(self.url):
            try:
                return int(obstore.head(self._store, name)["size"])
            except FileNotFoundError:
                return None

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes of a file from one position to another."""
        import obstore

        with _told(self.url):
            return bytes(obstore.get_range(self._store, name, start=start, end=stop)) if stop > start else b""

    def path(self, name: str) -> None:
        """Nothing here has a path."""
        return None

    def put(self, name: str, source: Path) -> None:
        """Upload a file and remove it here; an upload that breaks off leaves nothing that can be seen."""
        import obstore

        with _told(self.url):
            obstore.put(self._store, name, source, max_concurrency=2)
            source.unlink()


def open_place(
    url: str, *, endpoint: str | None = None, region: str | None = None, environ: Mapping[str, str] | None = None
) -> Place:
    """Return the place at `url`: a folder, or `s3://bucket/prefix`.

    Credentials are systemd's where it passed some, else those of the environment. Raises ValueError for
    another kind of URL, LoggingUnavailable when credentials cannot be read.
    """
    if not url.startswith(_S3):
        if "://" in url:
            raise ValueError(f"an archive lies in a folder or in s3://bucket/prefix, not in {url.split('://')[0]}")
        return FolderPlace(Path(url))
    from obstore.store import S3Store

    bucket, _, prefix = url.removeprefix(_S3).strip("/").partition("/")
    if not bucket:
        raise ValueError("the archive's URL names no bucket: s3://bucket/prefix")
    environ = os.environ if environ is None else environ
    endpoint = endpoint or environ.get("AWS_ENDPOINT_URL") or environ.get("AWS_ENDPOINT")
    options: dict[str, Any] = {"endpoint": endpoint, "region": region, **_credentials(environ, url)}
    store = S3Store(
        bucket,
        prefix=prefix or None,
        client_options={
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
            "timeout": _TIMEOUT,
            "connect_timeout": _CONNECT_TIMEOUT,
        },
        retry_config={"max_retries": _RETRIES, "retry_timeout": _TIMEOUT},
        **{name: value for name, value in options.items() if value},
    )
    return BucketPlace(url, store)


def _credentials(environ: Mapping[str, str], url: str) -> dict[str, str]:
    found = {}
    for option, name in (("access_key_id", ACCESS_KEY_CREDENTIAL), ("secret_access_key", SECRET_KEY_CREDENTIAL)):
        path = find_credential(name, environ)
        if path is not None:
            with _told(url):
                found[option] = read_private(path, credentials_directory=credentials_directory(environ))
    return found


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn whatever hinders a place into LoggingUnavailable."""
    try:
        yield
    except LoggingUnavailable:
        raise
    except OSError as cause:
        raise _unreachable(url, cause.strerror or type(cause).__name__) from cause
    except ValueError as cause:
        raise _unreachable(url, str(cause)) from cause
    except Exception as cause:
        # obstore's errors share no importable parent until obstore itself is imported.
        if not type(cause).__module__.startswith("obstore"):
            raise
        raise _unreachable(url, _first_line(cause)) from cause


def _unreachable(url: str, reason: str) -> LoggingUnavailable:
    return LoggingUnavailable("internal_error", "archive.place", place=url, reason=reason)


def _first_line(cause: Exception) -> str:
    return (str(cause).splitlines() or [type(cause).__name__])[0][:200]
