"""The software token: keys in encrypted files under one PIN."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from central_services.configuration_source.software_token import SoftwareToken, TokenError


@pytest.fixture
def token(tmp_path: Path) -> SoftwareToken:
    """A token with the PIN 1234 and one key."""
    made = SoftwareToken(tmp_path)
    made.initialise("1234")
    made.generate("EC")
    return made


def key_files(directory: Path) -> list[Path]:
    """The files of keys that sign."""
    return [path for path in directory.glob("*.pem") if path.stem != "pin"]


def test_a_new_token_is_logged_in(token: SoftwareToken) -> None:
    assert token.logged_in


def test_keys_lie_encrypted_and_only_their_owner_reads_them(token: SoftwareToken, tmp_path: Path) -> None:
    (file,) = key_files(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    with pytest.raises(TypeError):
        load_pem_private_key(file.read_bytes(), None)


def test_logging_in_brings_the_keys_back(token: SoftwareToken, tmp_path: Path) -> None:
    (file,) = key_files(tmp_path)
    public = token.key(file.stem).public_key()
    again = SoftwareToken(tmp_path)
    assert not again.has(file.stem)
    again.login("1234")
    assert again.key(file.stem).public_key() == public


def test_a_wrong_pin_leaves_the_token_as_it_was(token: SoftwareToken) -> None:
    with pytest.raises(TokenError, match="pin_incorrect"):
        token.login("4321")
    assert token.logged_in


def test_after_logging_out_nothing_is_signed_or_made(token: SoftwareToken, tmp_path: Path) -> None:
    (file,) = key_files(tmp_path)
    token.logout()
    with pytest.raises(TokenError, match="token_not_active"):
        token.key(file.stem)
    with pytest.raises(TokenError, match="token_not_active"):
        token.generate("EC")


def test_a_deleted_key_is_gone_from_the_disk(token: SoftwareToken, tmp_path: Path) -> None:
    (file,) = key_files(tmp_path)
    token.delete(file.stem)
    assert not file.exists()
    with pytest.raises(TokenError, match="key_not_found"):
        token.key(file.stem)


def test_a_token_is_initialised_once(token: SoftwareToken) -> None:
    with pytest.raises(TokenError, match="init_software_token_failed"):
        token.initialise("5678")


def test_a_token_that_was_never_initialised_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="token_not_initialized"):
        SoftwareToken(tmp_path).login("1234")
