"""Self-signed certificates of the admin ports."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from gateway.runtime.self_signed import ensure_tls_files, generate_key, self_signed, server_context

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_files_are_made_once(tmp_path: Path) -> None:
    first = ensure_tls_files(tmp_path, "admin", AT)
    pem = first[0].read_bytes()
    assert ensure_tls_files(tmp_path, "admin", AT) == first
    assert first[0].read_bytes() == pem


def test_the_key_is_for_its_owner_only(tmp_path: Path) -> None:
    _, key = ensure_tls_files(tmp_path, "admin", AT)
    assert key.stat().st_mode & 0o777 == 0o600


def test_the_certificate_names_hosts_and_addresses() -> None:
    certificate = self_signed(generate_key("EC"), "cs", AT, names=["cs.example", "127.0.1.1"])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["cs.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.1.1"]


def test_a_context_is_made_of_the_files(tmp_path: Path) -> None:
    context = server_context(*ensure_tls_files(tmp_path, "admin", AT))
    assert context.minimum_version.name == "TLSv1_2"


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ValueError, match="DSA"):
        generate_key("DSA")
