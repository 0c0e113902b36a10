"""OpenPGP for archive files: signed and encrypted to several recipients (RFC 9580, X-Road GPGOutputStream.java).

Encryption streams through a process of its own, as the reference's does through gpg: what is archived
reaches no disk in plain, and memory does not grow with the file. There is no compression, containers
are packed already.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from gateway.messagelog.archive.model import EncryptionSettings
from gateway.runtime.private_files import read_private
from gateway.xroad.faults import LoggingUnavailable, SignatureRefused, XRoadFault

_PROCESS: Final = "gateway.messagelog.archive.openpgp_process"
_MAX_REASON: Final = 300
_SPLIT: Final = re.compile(r"\s*(?<!\\)=\s*")


class Recipients:
    """Which certificates the files of a group are encrypted to (X-Road EncryptionConfigProvider.java)."""

    def __init__(self, settings: EncryptionSettings) -> None:
        self._default = settings.recipients
        self._members = {} if settings.member_keys is None else read_member_keys(settings.member_keys)

    def of(self, member: str) -> tuple[Path, ...]:
        """Return the certificate files for what belongs to a member (its short id, empty for no one member's).

        Raises LoggingUnavailable when there is none: nothing is ever written in plain for want of a key.
        """
        found = self._members.get(member) or self._default
        if not found:
            raise LoggingUnavailable("internal_error", "archive.recipient_missing", member=member or "-")
        return found


def read_member_keys(path: Path) -> dict[str, tuple[Path, ...]]:
    r"""Read lines `member short id = certificate file`; a member may stand in several.

    As in the reference, `#` begins a line of comment, and `\=` and `\#` stand for themselves in an id.
    Paths are relative to the folder of the file. Raises LoggingUnavailable for a file or line that cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise _unusable(path, getattr(cause, "strerror", None) or "it is not UTF-8") from cause
    found: dict[str, tuple[Path, ...]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = _SPLIT.split(line.strip(), maxsplit=1)
        if len(parts) != 2 or not all(parts):
            raise _unusable(path, f"line {number} is not `member = certificate file`")
        member = parts[0].replace("\\=", "=").replace("\\#", "#")
        found[member] = (*found.get(member, ()), path.parent / parts[1])
    return found


class EncryptedFile:
    """A file that is encrypted while it is written."""

    def __init__(self, target: Path, recipients: Sequence[Path], settings: EncryptionSettings) -> None:
        command = [sys.executable, "-m", _PROCESS, str(target)]
        for recipient in recipients:
            command += ["--recipient", str(recipient)]
        if settings.signer_key is not None:
            command += ["--signer", str(settings.signer_key)]
        if settings.signer_passphrase_file is not None:
            command += ["--passphrase-file", str(settings.signer_passphrase_file)]
        self._target = target
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def write(self, data: bytes) -> None:
        """Take some bytes. Raises LoggingUnavailable as soon as the encryption has failed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
        except BrokenPipeError:
            self._end()

    def close(self) -> None:
        """End the file; it is on the disk when this returns. Raises LoggingUnavailable when it is not."""
        self._end()

    def abandon(self) -> None:
        """Stop, whatever became of the file."""
        self._process.kill()
        self._process.communicate()

    def _end(self) -> None:
        _, complaint = self._process.communicate()
        if self._process.returncode != 0:
            reason = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2][:_MAX_REASON]
            raise LoggingUnavailable("internal_error", "archive.encryption", name=self._target.name, reason=reason)


class OpenPgpKeys:
    """Opens archive files with private keys; where signers are named, one of them must have signed.

    Raises LoggingUnavailable when a key cannot be read.
    """

    def __init__(
        self, keys: Sequence[Path], *, passphrase_file: Path | None = None, signers: Sequence[Path] = ()
    ) -> None:
        from pysequoia import Cert, Tsk

        self._decryptors = []
        self._signers = []
        try:
            passphrase = None if passphrase_file is None else read_private(passphrase_file)
            for key in keys:
                self._decryptors.append(Tsk.from_file(str(key)).decryptor(passphrase))
            for signer in signers:
                self._signers.append(Cert.from_file(str(signer)))
        except Exception as cause:
            path = (
                passphrase_file
                if passphrase_file is not None and isinstance(cause, PermissionError)
                else (*keys, *signers)[0]
            )
            raise _unusable(path, _first_line(cause)) from cause

    def decrypt(self, source: Path, target: Path) -> None:
        """Write the content of `source` to `target`.

        Raises LoggingUnavailable when none of the keys opens it, SignatureRefused when no named signer signed.
        """
        failure: Exception | None = None
        for decryptor in self._decryptors:
            try:
                _decrypt(source, target, decryptor, self._signers)
            except Exception as cause:
                failure = cause
                if not self._signers or not _opens(source, target, decryptor):
                    continue
                target.unlink()
                raise SignatureRefused("invalid_signature_value", "archive.signer", name=source.name) from cause
            return
        target.unlink(missing_ok=True)
        reason = "no key was given" if failure is None else _first_line(failure)
        raise LoggingUnavailable(
            "internal_error", "archive.undecryptable", name=source.name, reason=reason
        ) from failure


def _decrypt(source: Path, target: Path, decryptor: Any, signers: Sequence[Any]) -> None:
    from pysequoia import decrypt_file

    # Asked for certificates, one who has none refuses what is signed at all.
    opened = decrypt_file(str(source), str(target), decryptor, (lambda _: list(signers)) if signers else None)
    if signers and not opened.valid_sigs:
        raise ValueError("it is not signed")


def _opens(source: Path, target: Path, decryptor: Any) -> bool:
    try:
        _decrypt(source, target, decryptor, ())
    except Exception:  # the library has one type for everything
        return False
    return True


def _unusable(path: Path, reason: str) -> XRoadFault:
    return LoggingUnavailable("internal_error", "archive.key_unusable", file=path, reason=reason)


def _first_line(cause: Exception) -> str:
    reason = cause.strerror if isinstance(cause, OSError) else None
    return reason or (str(cause).splitlines() or [type(cause).__name__])[0][:_MAX_REASON]
