from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pysequoia import Cert, Tsk

from gateway.messagelog.archive.model import ArchivedRecord, EncryptionSettings
from gateway.messagelog.archive.openpgp import EncryptedFile, OpenPgpKeys, Recipients, read_member_keys
from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.archive.reader import ArchiveReader
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable, SignatureRefused
from tests.factories.archives import a_stamped_logbook, archive, judge, stamp
from tests.factories.messagelog import a_message
from tests.factories.messages import a_member, a_subsystem

ONE, TWO = a_subsystem("ONE", member=a_member("10000001")), a_subsystem("TWO", member=a_member("20000002"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Private keys and certificates of two auditors and of the server."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("auditor", "court", "server"):
        key = Tsk.generate(f"{name} <{name}@example.test>")
        (folder / f"{name}.key").write_bytes(bytes(key))
        (folder / f"{name}.crt").write_bytes(bytes(key.extract_certificate()))
    return folder


def encrypted(folder: Path, content: bytes, recipients: list[Path], settings: EncryptionSettings) -> Path:
    target = folder / "file.gpg"
    file = EncryptedFile(target, recipients, settings)
    file.write(content)
    file.close()
    return target


def fill(file: EncryptedFile) -> None:
    for _ in range(1000):
        file.write(bytes(1000))
    file.close()


def opened(source: Path, *keys: Path, signers: tuple[Path, ...] = (), passphrase_file: Path | None = None) -> bytes:
    target = source.with_name("opened")
    OpenPgpKeys(keys, signers=signers, passphrase_file=passphrase_file).decrypt(source, target)
    return target.read_bytes()


def test_each_recipient_opens_a_file_and_nobody_else(keys: Path, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    recipients = [keys / "auditor.crt", keys / "court.crt"]
    source = encrypted(tmp_path, content, recipients, EncryptionSettings(signer_key=keys / "server.key"))
    assert content[:200] not in source.read_bytes()
    assert opened(source, keys / "auditor.key") == content
    assert opened(source, keys / "server.key", keys / "court.key", signers=(keys / "server.crt",)) == content
    with pytest.raises(LoggingUnavailable) as refusal:
        opened(source, keys / "server.key")
    assert refusal.value.text_id == "archive.undecryptable"
    assert not (tmp_path / "opened").exists()


def test_file_signed_by_another_or_nobody_is_refused_where_the_signer_is_known(keys: Path, tmp_path: Path) -> None:
    recipients = [keys / "auditor.crt"]
    for settings in (EncryptionSettings(), EncryptionSettings(signer_key=keys / "court.key")):
        source = encrypted(tmp_path, b"content", recipients, settings)
        with pytest.raises(SignatureRefused) as refusal:
            opened(source, keys / "auditor.key", signers=(keys / "server.crt",))
        assert refusal.value.text_id == "archive.signer"
        source.unlink()


def test_key_that_cannot_be_used_is_told_and_nothing_is_written_in_plain(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"no key")
    for recipient in (tmp_path / "absent", tmp_path / "broken"):
        file = EncryptedFile(tmp_path / "file.gpg", [recipient], EncryptionSettings())
        with pytest.raises(LoggingUnavailable) as refusal:
            fill(file)
        assert refusal.value.text_id == "archive.encryption"
        assert not (tmp_path / "file.gpg").exists() or (tmp_path / "file.gpg").stat().st_size == 0
    with pytest.raises(LoggingUnavailable):
        OpenPgpKeys([tmp_path / "broken"])


def test_members_have_keys_of_their_own_as_in_the_file_of_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(
        "# a comment\n\nUA/GOV/1=one.crt\nUA/GOV/1 = = two.crt#not a comment\n"
        "UA/GOV/a\\=b = /abs.crt\n\\#UA/GOV/3=3.crt\n"
    )
    assert read_member_keys(path) == {
        "UA/GOV/1": (tmp_path / "one.crt", tmp_path / "= two.crt#not a comment"),
        "UA/GOV/a=b": (Path("/abs.crt"),),
        "#UA/GOV/3": (tmp_path / "3.crt",),
    }
    recipients = Recipients(EncryptionSettings(recipients=(Path("default.crt"),), member_keys=path))
    assert recipients.of("UA/GOV/a=b") == (Path("/abs.crt"),)
    assert recipients.of("UA/GOV/9") == recipients.of("") == (Path("default.crt"),)


def test_member_without_key_and_without_default_is_never_archived_in_plain(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("UA/GOV/1=one.crt\n")
    with pytest.raises(LoggingUnavailable) as refusal:
        Recipients(EncryptionSettings(member_keys=path)).of("UA/GOV/2")
    assert refusal.value.text_id == "archive.recipient_missing"


@pytest.mark.parametrize("content", ["UA/GOV/1\n", "=one.crt\n", "UA/GOV/1 =\n", "\\=\n"])
def test_line_that_says_nothing_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys"
    path.write_text(content)
    with pytest.raises(LoggingUnavailable) as refusal:
        read_member_keys(path)
    assert "line 1" in str(refusal.value)


async def test_archives_are_encrypted_for_each_member_and_read_with_its_key(
    sqlite_database: Database, keys: Path, tmp_path: Path
) -> None:
    (tmp_path / "members").write_text(f"{ONE.member} = {keys / 'auditor.crt'}\n")
    encryption = EncryptionSettings(
        recipients=(keys / "court.crt",), member_keys=tmp_path / "members", signer_key=keys / "server.key"
    )
    async with a_stamped_logbook(sqlite_database, tmp_path) as book:
        for number, client in enumerate((ONE, TWO, ONE)):
            await book.record(a_message(f"q-{number}", client=client))
        await stamp(book)
        await archive(book, tmp_path, encryption=encryption, grouping="member")
    place = FolderPlace(tmp_path / "archive")
    files = [name for name in place.names() if name.startswith("mlog-")]
    assert len(files) == 4
    assert all(name.endswith((".zip.gpg", ".records.jsonl.gpg")) for name in files)
    for number, (key, sequences) in enumerate((("auditor", [1, 3]), ("court", [2]))):
        own = OpenPgpKeys([keys / f"{key}.key"], signers=[keys / "server.crt"])
        with ArchiveReader(place, decryptor=own) as reader:
            file = reader.files[number]
            facts = list(file.facts())
            assert [fact.sequence for fact in facts] == sequences
            assert {fact.container for fact in facts if isinstance(fact, ArchivedRecord)} == {
                name for name, _ in file.containers()
            }
            with pytest.raises(LoggingUnavailable):
                list(reader.files[1 - number].facts())
        with ArchiveReader(place) as reader, pytest.raises(LoggingUnavailable) as refusal:
            list(reader.files[number].facts())
        assert refusal.value.text_id == "archive.key_missing"


Gpg = Callable[..., subprocess.CompletedProcess[bytes]]
PASSPHRASE = ("--pinentry-mode", "loopback", "--passphrase")


@pytest.fixture
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gpg]:
    """GnuPG with a home of its own and keys of a recipient and a signer; it says how it did on standard error."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    (home / "gpg-agent.conf").write_text("s2k-count 65536\n")

    def run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        command = ["gpg", "--homedir", str(home), "--batch", "--status-fd", "2", *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True)

    for name, usage in (("auditor", "cert,sign"), ("signer", "sign")):
        run(*PASSPHRASE, "", "--quick-gen-key", f"{name}@example.test", "ed25519", usage, "never")
    fingerprint = Cert.from_bytes(run("--export", "auditor@example.test").stdout).fingerprint
    run(*PASSPHRASE, "", "--quick-add-key", fingerprint, "cv25519", "encr", "never")
    yield run
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


async def test_gpg_decrypts_and_verifies_what_the_reference_s_tool_then_passes(
    sqlite_database: Database, gpg: Gpg, tmp_path: Path
) -> None:
    (tmp_path / "auditor.crt").write_bytes(gpg("--export", "auditor@example.test").stdout)
    (tmp_path / "signer.key").write_bytes(gpg("--export-secret-keys", "signer@example.test").stdout)
    encryption = EncryptionSettings(recipients=(tmp_path / "auditor.crt",), signer_key=tmp_path / "signer.key")
    async with a_stamped_logbook(sqlite_database, tmp_path) as book:
        await book.record(a_message("q"))
        await stamp(book)
        await archive(book, tmp_path, encryption=encryption)
    (path,) = (tmp_path / "archive").glob("*.zip.gpg")
    said = gpg("--output", tmp_path / "opened.zip", "--decrypt", path).stderr
    assert b"GOODSIG" in said
    assert b"DECRYPTION_OKAY" in said
    judge(tmp_path / "opened.zip")


def test_passphrase_opens_the_signer_s_key(gpg: Gpg, keys: Path, tmp_path: Path) -> None:
    gpg(*PASSPHRASE, "a secret", "--quick-gen-key", "locked@x", "ed25519", "sign", "never")
    locked = gpg(*PASSPHRASE, "a secret", "--export-secret-keys", "locked@x").stdout
    (tmp_path / "locked.key").write_bytes(locked)
    (tmp_path / "signer.crt").write_bytes(gpg("--export", "locked@x").stdout)
    (tmp_path / "passphrase").write_text("a secret\n")
    (tmp_path / "passphrase").chmod(0o600)
    with_passphrase = EncryptionSettings(
        signer_key=tmp_path / "locked.key", signer_passphrase_file=tmp_path / "passphrase"
    )
    source = encrypted(tmp_path, b"content", [keys / "auditor.crt"], with_passphrase)
    assert opened(source, keys / "auditor.key", signers=(tmp_path / "signer.crt",)) == b"content"
    with pytest.raises(LoggingUnavailable):
        encrypted(tmp_path, b"content", [keys / "auditor.crt"], EncryptionSettings(signer_key=tmp_path / "locked.key"))
