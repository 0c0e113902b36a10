from __future__ import annotations

from pathlib import Path

import pytest

from gateway.runtime.private_files import credentials_directory, find_credential, read_private, write_private


def test_a_secret_file_is_for_its_owner_only(tmp_path: Path) -> None:
    write_private(tmp_path / "key", "secret")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert read_private(tmp_path / "key") == "secret"


def test_a_secret_is_never_written_over_another(tmp_path: Path) -> None:
    write_private(tmp_path / "key", "first")
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "key", "second")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_file_that_others_can_read_is_refused_with_its_mode(tmp_path: Path, mode: int) -> None:
    write_private(tmp_path / "key", "secret")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(PermissionError, match=f"{mode:04o}"):
        read_private(tmp_path / "key")


def test_a_credential_may_show_an_acl_in_its_group_bits_but_nothing_to_all_others(tmp_path: Path) -> None:
    write_private(tmp_path / "pin", "1234")
    (tmp_path / "pin").chmod(0o440)
    assert read_private(tmp_path / "pin", credentials_directory=tmp_path) == "1234"
    (tmp_path / "pin").chmod(0o444)
    with pytest.raises(PermissionError, match="0444"):
        read_private(tmp_path / "pin", credentials_directory=tmp_path)


def test_an_empty_secret_is_no_secret(tmp_path: Path) -> None:
    write_private(tmp_path / "key", "")
    with pytest.raises(ValueError, match="empty"):
        read_private(tmp_path / "key")


def test_a_credential_is_found_by_its_name(tmp_path: Path) -> None:
    write_private(tmp_path / "pin", "1234")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert credentials_directory(environ) == tmp_path
    assert find_credential("pin", environ) == tmp_path / "pin"
    assert find_credential("other", environ) is None
    assert find_credential("pin", {}) is None
