"""The software token: a PIN opens it, files survive a restart, nothing lies about in the open."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gateway.signer.keystore import Keystore, check_pin_policy, key_id_of, read_pin
from gateway.signer.model import KeyAlgorithm
from gateway.xroad.digests import SignatureAlgorithm
from gateway.xroad.faults import SigningUnavailable
from gateway.xroad.pki.keys import sign_digest, verify_signature

PIN = "Correct-horse-1"


@pytest.fixture
def keystore(tmp_path):
    made = Keystore(tmp_path / "keys")
    made.initialise(PIN)
    return made


def reopened(tmp_path):
    return Keystore(tmp_path / "keys")


def code_of(act, *args, **options):
    with pytest.raises(SigningUnavailable) as fault:
        act(*args, **options)
    return fault.value.code


def key_files(tmp_path):
    return [path for path in (tmp_path / "keys").rglob("*.pem") if path.stem != "verifier"]


@pytest.mark.parametrize(
    ("algorithm", "signs"),
    [(KeyAlgorithm.EC, SignatureAlgorithm.ECDSA_SHA512), (KeyAlgorithm.RSA, SignatureAlgorithm.RSA_SHA512)],
)
def test_key_signs_after_a_restart(tmp_path, keystore, algorithm, signs):
    public_key = keystore.generate(algorithm, rsa_bits=2048)
    again = reopened(tmp_path)
    again.login(PIN)
    signature = sign_digest(again.private_key(key_id_of(public_key)), signs, bytes(64))
    verify_signature(public_key, signs, signature, digest=bytes(64))


def test_wrong_pin_is_refused_even_without_keys(tmp_path, keystore):
    again = reopened(tmp_path)
    assert code_of(again.login, "wrong") == "pin_incorrect"
    assert not again.is_logged_in


def test_keys_cannot_be_used_before_login_or_after_logout(tmp_path, keystore):
    key = key_id_of(keystore.generate(KeyAlgorithm.EC))
    assert code_of(reopened(tmp_path).private_key, key) == "token_not_active"
    keystore.logout()
    assert code_of(keystore.private_key, key) == "token_not_active"
    assert code_of(keystore.generate, KeyAlgorithm.EC) == "token_not_active"
    assert not keystore.holds(key)


def test_unknown_key_is_not_found(keystore):
    assert code_of(keystore.private_key, "0" * 40) == "key_not_found"


def test_token_without_a_pin_says_so(tmp_path):
    bare = reopened(tmp_path)
    assert not bare.is_initialised
    assert code_of(bare.login, PIN) == "token_not_initialized"


def test_token_is_initialised_once(tmp_path, keystore):
    assert code_of(reopened(tmp_path).initialise, "another") == "action_not_possible"


def test_files_and_folders_are_for_the_owner_only(tmp_path, keystore):
    keystore.generate(KeyAlgorithm.EC)
    for path in (tmp_path / "keys", *(tmp_path / "keys").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_key_files_are_encrypted(tmp_path, keystore):
    keystore.generate(KeyAlgorithm.EC)
    assert [b"ENCRYPTED PRIVATE KEY" in path.read_bytes() for path in key_files(tmp_path)] == [True]


@pytest.mark.parametrize("place", ["keys", "file"])
def test_token_open_to_others_is_not_opened(tmp_path, keystore, place):
    keystore.generate(KeyAlgorithm.EC)
    path = tmp_path / "keys" if place == "keys" else key_files(tmp_path)[0]
    path.chmod(path.stat().st_mode | stat.S_IRGRP)
    assert code_of(reopened(tmp_path).login, PIN) == "token_not_available"


def test_changed_pin_opens_all_keys_and_the_old_one_none(tmp_path, keystore):
    keys = [key_id_of(keystore.generate(KeyAlgorithm.EC)) for _ in range(3)]
    keystore.change_pin(PIN, "Another-pin-2")
    assert keystore.is_logged_in
    again = reopened(tmp_path)
    assert code_of(again.login, PIN) == "pin_incorrect"
    again.login("Another-pin-2")
    assert all(again.holds(key) for key in keys)


def test_keys_under_the_old_pin_are_gone_after_a_change(tmp_path, keystore):
    keystore.generate(KeyAlgorithm.EC)
    keystore.change_pin(PIN, "Another-pin-2")
    assert len(key_files(tmp_path)) == 1


def test_new_keys_go_under_the_new_pin(tmp_path, keystore):
    keystore.change_pin(PIN, "Another-pin-2")
    key = key_id_of(keystore.generate(KeyAlgorithm.EC))
    again = reopened(tmp_path)
    again.login("Another-pin-2")
    assert again.holds(key)


def test_changing_with_the_wrong_pin_changes_nothing(tmp_path, keystore):
    key = key_id_of(keystore.generate(KeyAlgorithm.EC))
    assert code_of(keystore.change_pin, "wrong", "Another-pin-2") == "pin_incorrect"
    assert keystore.holds(key)
    reopened(tmp_path).login(PIN)


def test_logged_out_token_stays_so_when_its_pin_changes(tmp_path, keystore):
    again = reopened(tmp_path)
    again.change_pin(PIN, "Another-pin-2")
    assert not again.is_logged_in


def test_change_that_was_cut_off_leaves_the_old_pin_in_force(tmp_path, keystore):
    key = key_id_of(keystore.generate(KeyAlgorithm.EC))
    half = tmp_path / "keys" / "generation-2"
    half.mkdir(mode=0o700)
    (half / "verifier.pem").write_bytes(b"half written")
    again = reopened(tmp_path)
    again.login(PIN)
    assert again.holds(key)
    assert not half.exists()
    again.change_pin(PIN, "Another-pin-2")


def test_damaged_key_file_costs_its_key_only(tmp_path, keystore):
    keys = [key_id_of(keystore.generate(KeyAlgorithm.EC)) for _ in range(2)]
    next(path for path in key_files(tmp_path) if path.stem == keys[0]).write_bytes(b"damaged")
    again = reopened(tmp_path)
    again.login(PIN)
    assert code_of(again.private_key, keys[0]) == "key_not_available"
    assert again.holds(keys[1])
    assert code_of(again.change_pin, PIN, "Another-pin-2") == "key_not_available"


def test_deleted_key_leaves_no_file(tmp_path, keystore):
    key = key_id_of(keystore.generate(KeyAlgorithm.EC))
    keystore.delete(key)
    assert code_of(keystore.private_key, key) == "key_not_found"
    assert key_files(tmp_path) == []


def test_deleting_cannot_leave_the_folder(tmp_path, keystore):
    precious = tmp_path / "precious.pem"
    precious.write_text("x")
    keystore.delete("../../precious")
    assert precious.exists()


def test_short_rsa_keys_are_not_made(keystore):
    assert code_of(keystore.generate, KeyAlgorithm.RSA, rsa_bits=1024) == "failed_to_generate_private_key"


@pytest.mark.parametrize(
    ("pin", "code"),
    [
        ("short1A!", "token_weak_pin"),
        ("onlysmallletters", "token_weak_pin"),
        ("Пароль-123456", "token_pin_policy_failure"),
    ],
)
def test_weak_pin_is_refused_where_the_policy_is_enforced(tmp_path, pin, code):
    assert code_of(Keystore(tmp_path / "strict", enforce_pin_policy=True).initialise, pin) == code
    Keystore(tmp_path / "lenient").initialise(pin)


def test_strong_pin_passes_the_policy():
    check_pin_policy(PIN)


def test_empty_pin_is_never_allowed(tmp_path):
    assert code_of(Keystore(tmp_path / "keys").initialise, "") == "token_pin_policy_failure"


class TestPinFile:
    """Where a restart without hands gets its PIN from."""

    def write(self, path: Path, text: str = PIN + "\n", mode: int = 0o600) -> Path:
        path.write_text(text)
        path.chmod(mode)
        return path

    @pytest.mark.parametrize("mode", [0o600, 0o400])
    def test_private_file_is_read_without_its_line_end(self, tmp_path, mode):
        assert read_pin(self.write(tmp_path / "pin", mode=mode)) == PIN

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
    def test_file_open_to_others_is_refused_with_its_mode(self, tmp_path, mode):
        path = self.write(tmp_path / "pin", mode=mode)
        with pytest.raises(SigningUnavailable) as fault:
            read_pin(path)
        assert fault.value.text_id == "signer.pin_file_too_open"
        assert f"{mode:04o}" in str(fault.value.facts["reason"])

    def test_bare_name_is_a_systemd_credential(self, tmp_path):
        self.write(tmp_path / "token-pin", mode=0o400)
        assert read_pin(Path("token-pin"), credentials_directory=tmp_path) == PIN

    def test_missing_or_empty_file_is_refused(self, tmp_path):
        assert code_of(read_pin, tmp_path / "none") == "token_not_active"
        assert code_of(read_pin, self.write(tmp_path / "pin", "\n")) == "token_not_active"
