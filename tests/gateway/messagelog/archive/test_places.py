from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.messagelog.archive.places import FolderPlace, Place, open_place
from gateway.messagelog.archive.reader import ArchiveReader
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.archives import a_stamped_logbook, archive, stamp
from tests.factories.messagelog import a_message

SECRET = "the-secret-of-the-bucket"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A storage service that speaks S3 over HTTP, with one bucket."""
    from moto.server import ThreadedMotoServer  # a second that tests without a bucket do not wait for

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    url = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{url}/evidence", method="PUT")).close()
    yield url
    running.stop()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Credentials as systemd passes them."""
    for name, value in (("archive-s3-access-key-id", "AKIDEXAMPLE"), ("archive-s3-secret-access-key", SECRET)):
        (tmp_path / name).write_text(value)
        (tmp_path / name).chmod(0o600)
    return {"CREDENTIALS_DIRECTORY": str(tmp_path)}


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return FolderPlace(tmp_path / "archive")
    server, environ = request.getfixturevalue("server"), request.getfixturevalue("environ")
    return open_place(f"s3://evidence/{tmp_path.name}", endpoint=server, region="eu-central-1", environ=environ)


def put(place: Place, folder: Path, name: str, content: bytes) -> None:
    source = folder / f"staged-{name}"
    source.write_bytes(content)
    place.put(name, source)
    assert not source.exists()


def test_what_is_put_is_there_and_read_in_parts(place: Place, tmp_path: Path) -> None:
    assert place.names() == []
    assert place.size("b.zip") is None
    content = bytes(range(256)) * 40_000  # more than one part of an upload
    put(place, tmp_path, "b.zip", content)
    put(place, tmp_path, "a.zip", b"a")
    assert place.names() == ["a.zip", "b.zip"]
    assert place.size("b.zip") == len(content)
    assert place.read("b.zip", 1000, 2000) == content[1000:2000]
    assert place.read("b.zip", 5, 5) == b""


def test_put_again_replaces(place: Place, tmp_path: Path) -> None:
    put(place, tmp_path, "a.zip", b"first")
    put(place, tmp_path, "a.zip", b"second")
    assert place.read("a.zip", 0, 6) == b"second"


def test_who_is_still_writing_is_not_seen(place: Place, tmp_path: Path) -> None:
    put(place, tmp_path, ".a.zip", b"half")
    assert place.names() == []


async def test_archives_in_a_bucket_are_read_container_by_container(
    sqlite_database: Database, server: str, environ: dict[str, str], tmp_path: Path
) -> None:
    place = open_place("s3://evidence/of/the/server", endpoint=server, environ=environ)
    async with a_stamped_logbook(sqlite_database, tmp_path) as book:
        for number in range(4):
            await book.record(a_message(f"q-{number}"))
        await stamp(book)
        await archive(book, tmp_path, place=place)
    with ArchiveReader(place) as reader:
        (chain,) = reader.chains
        assert (chain.is_complete, len(chain.files)) == (True, 1)
        found = reader.container(3)
        assert found is not None
        assert found[1] == chain.files[0].container(found[0])
        assert reader.find(5) is None


async def test_gone_storage_is_told_without_secrets_and_the_file_goes_there_when_it_is_back(
    sqlite_database: Database, environ: dict[str, str], server: str, tmp_path: Path
) -> None:
    gone = open_place("s3://evidence/later", endpoint="http://127.0.0.1:9", environ=environ)
    async with a_stamped_logbook(sqlite_database, tmp_path) as book:
        await book.record(a_message("q"))
        await stamp(book)
        for _ in range(2):
            with pytest.raises(LoggingUnavailable) as refusal:
                await archive(book, tmp_path, place=gone)
            assert refusal.value.text_id == "archive.place"
            assert SECRET not in str(refusal.value)
        back = open_place("s3://evidence/later", endpoint=server, environ=environ)
        assert (await archive(book, tmp_path, place=back)).archived_through == 1
    assert len(back.names()) == 3


def test_bucket_that_is_not_there_is_told(server: str, environ: dict[str, str]) -> None:
    with pytest.raises(LoggingUnavailable) as refusal:
        open_place("s3://nobody", endpoint=server, environ=environ).names()
    assert refusal.value.text_id == "archive.place"


def test_credentials_that_others_can_read_are_not_used(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "archive-s3-secret-access-key").chmod(0o604)
    with pytest.raises(LoggingUnavailable):
        open_place("s3://evidence", environ=environ)


@pytest.mark.parametrize("url", ["https://example.test/bucket", "gs://bucket", "s3://"])
def test_other_places_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="archive"):
        open_place(url)


def test_folder_gives_no_file_outside_of_itself(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path / "archive")
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises(LoggingUnavailable):
        place.read("../secret", 0, 6)
    with pytest.raises(LoggingUnavailable):
        place.size("../secret")
