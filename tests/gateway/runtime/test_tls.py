"""TLS contexts: who shakes hands with whom, with which suites, and what is sent; OpenSSL's own programs as judge."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.runtime import tls
from gateway.runtime.http.model import ConnectionFacts
from gateway.runtime.http.problems import PeerRefused
from gateway.runtime.tls import TlsIdentity, TlsSetupFailed
from tests.factories.pki import EC, RSA, Authority, a_key, a_name, a_root
from tests.factories.recordings import vectors

SUITES = {
    RSA: ["ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES256-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
          "DHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"],
    EC: ["ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"],
}  # fmt: skip


def identity(authority: Authority, name: str = "ss1", kind: str = EC, **options: object) -> TlsIdentity:
    key = a_key(name, kind)
    certificate = authority.issue(a_name(name), key.public_key(), "auth", **options)  # type: ignore[arg-type]
    return TlsIdentity(certificate.public_bytes(Encoding.DER), key)


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Bring a handshake about in memory; raises what the first refusal raises."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(to_client, to_server, server_side=False),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(6):
        for side in sides:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return sides


def recorded(name: str, *chain: str) -> TlsIdentity:
    trust = vectors() / "trust"
    key = load_pem_private_key((trust / "keys" / f"{name}.key.pem").read_bytes(), b"test")
    return TlsIdentity(certificate(name), key, tuple(certificate(link) for link in chain))


def certificate(name: str) -> bytes:
    pem = (vectors() / "trust" / "certs" / f"{name}.pem").read_bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


@pytest.mark.parametrize(("kind", "suite"), [(kind, suite) for kind, suites in SUITES.items() for suite in suites])
def test_message_ports_agree_on_each_suite_of_tls_1_2(kind: str, suite: str) -> None:
    root = a_root(kind=kind)
    client = tls.peer_client_context(identity(root, "one", kind), [root.der])
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(suite)
    ours, theirs = shake_hands(client, tls.peer_server_context(identity(root, "two", kind), [root.der]))
    assert (ours.version(), ours.cipher()[0]) == ("TLSv1.2", suite)  # type: ignore[index]
    assert ours.getpeercert(True)
    assert theirs.getpeercert(True)


def test_message_ports_use_tls_1_3_where_both_offer_it() -> None:
    root = a_root()
    one, two = identity(root, "one"), identity(root, "two")
    ours, theirs = shake_hands(tls.peer_client_context(one, [root.der]), tls.peer_server_context(two, [root.der]))
    assert ours.version() == "TLSv1.3"
    assert (ours.getpeercert(True), theirs.getpeercert(True)) == (two.certificate_der, one.certificate_der)


def test_real_peer_gets_the_suite_it_would_get_from_x_road() -> None:
    root = a_root(kind=RSA)
    peer = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    peer.check_hostname = False
    peer.verify_mode = ssl.CERT_NONE
    peer.maximum_version = ssl.TLSVersion.TLSv1_2
    tls._load_identity(peer, identity(root, "peer", RSA))
    ours, _ = shake_hands(peer, tls.peer_server_context(identity(root, "two", RSA), [root.der]))
    assert ours.cipher()[0] == "ECDHE-RSA-AES256-SHA384"  # type: ignore[index]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_versions_are_refused(version: ssl.TLSVersion) -> None:
    root = a_root()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = version
    with pytest.raises(ssl.SSLError):
        shake_hands(old, tls.peer_server_context(identity(root), [root.der]))


def test_peer_without_certificate_is_refused() -> None:
    root = a_root()
    anonymous = tls.service_client_context()
    anonymous.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        shake_hands(anonymous, tls.peer_server_context(identity(root), [root.der]))


@pytest.mark.parametrize("stranger_is", ["client", "server"])
def test_peer_of_an_unknown_authority_is_refused(stranger_is: str) -> None:
    root, other = a_root(), a_root("Other CA")
    client_root, server_root = (other, root) if stranger_is == "client" else (root, other)
    client = tls.peer_client_context(identity(client_root, "one"), [root.der])
    server = tls.peer_server_context(identity(server_root, "two"), [root.der])
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server)


def test_expired_peer_is_refused() -> None:
    root = a_root()
    expired = identity(
        root, "one", not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=datetime(2021, 1, 1, tzinfo=UTC)
    )
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(
            tls.peer_client_context(expired, [root.der]), tls.peer_server_context(identity(root, "two"), [root.der])
        )


@pytest.mark.parametrize("usage", [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
def test_certificate_for_one_side_of_tls_serves_on_both_as_with_x_road(usage: x509.ObjectIdentifier) -> None:
    root = a_root()
    narrow = identity(root, "one", extended=usage)
    ours, _ = shake_hands(tls.peer_client_context(narrow, [root.der]), tls.peer_server_context(narrow, [root.der]))
    assert ours.version() == "TLSv1.3"


def test_intermediate_authority_alone_is_trusted() -> None:
    issuing = a_root().intermediate("Issuing CA")
    one = identity(issuing, "one")
    ours, _ = shake_hands(tls.peer_client_context(one, [issuing.der]), tls.peer_server_context(one, [issuing.der]))
    assert ours.version() == "TLSv1.3"


@pytest.mark.parametrize("build", [tls.peer_client_context, tls.peer_server_context])
def test_root_is_never_sent_and_intermediates_are(build: object) -> None:
    root = a_root()
    issuing = root.intermediate("Issuing CA")
    plain = identity(root, "one")
    below = identity(issuing, "two")
    chained = TlsIdentity(below.certificate_der, below.private_key, (issuing.der, root.der))
    trusted = [root.der, issuing.der]
    assert tls.certificates_sent(build(plain, trusted)) == [plain.certificate_der]  # type: ignore[operator]
    assert tls.certificates_sent(build(chained, trusted)) == [below.certificate_der, issuing.der]  # type: ignore[operator]


def test_context_that_would_send_the_root_is_found_out() -> None:
    root = a_root()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls._load_identity(context, identity(root))
    context.load_verify_locations(cadata=root.der)
    with pytest.raises(TlsSetupFailed) as failure:
        tls.prove_no_root_sent(context)
    assert failure.value.text_id == "http.root_sent"


def test_proof_leaves_the_context_as_it_was() -> None:
    root = a_root()
    context = tls.peer_client_context(identity(root), [root.der])
    before = context.verify_mode, context.maximum_version
    tls.prove_no_root_sent(context)
    assert (context.verify_mode, context.maximum_version) == before
    assert before[0] is ssl.CERT_REQUIRED


def test_key_of_another_certificate_is_refused() -> None:
    root = a_root()
    wrong = TlsIdentity(identity(root, "one").certificate_der, a_key("two"))
    with pytest.raises(TlsSetupFailed, match="identity_unusable"):
        tls.information_system_context(wrong)


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_information_system_may_show_any_certificate_or_none(maximum: ssl.TLSVersion) -> None:
    shown = identity(a_root("Agency CA"), "system", not_after=datetime(2026, 2, 1, tzinfo=UTC))
    server = tls.information_system_context(identity(a_root()))
    for client, expected in (
        (tls.service_client_context(shown), shown.certificate_der),
        (tls.service_client_context(), None),
    ):
        client.maximum_version = maximum
        _, theirs = shake_hands(client, server)
        assert theirs.getpeercert(True) == expected


def test_pinned_certificate_is_compared_byte_for_byte() -> None:
    check = tls.pinned([b"one", b"two"])
    check(ConnectionFacts(None, None, b"two"))
    for other in (b"three", None):
        with pytest.raises(PeerRefused):
            check(ConnectionFacts(None, None, other))


def test_any_kind_of_key_can_be_lent() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    root = a_root()
    der = root.issue(a_name("ed"), key.public_key(), "auth").public_bytes(Encoding.DER)
    client = tls.service_client_context()
    ours, _ = shake_hands(client, tls.information_system_context(TlsIdentity(der, key)))
    assert ours.getpeercert(True) == der


@pytest.mark.parametrize("client", ["SS1-auth", "SS3-auth"])
@pytest.mark.parametrize("server", ["SS2-auth", "SS3-auth"])
@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES256-SHA256", None])
def test_certificates_of_recorded_servers_shake_hands(client: str, server: str, suite: str | None) -> None:
    trusted = [certificate("root-ca"), certificate("issuing-ca")]
    calling = tls.peer_client_context(recorded(client, "issuing-ca"), trusted)
    if suite:
        calling.maximum_version = ssl.TLSVersion.TLSv1_2
        calling.set_ciphers(suite)
    ours, theirs = shake_hands(calling, tls.peer_server_context(recorded(server, "issuing-ca"), trusted))
    assert (ours.getpeercert(True), theirs.getpeercert(True)) == (certificate(server), certificate(client))
    assert suite in (None, ours.cipher()[0])  # type: ignore[index]


# OpenSSL's own programs


@pytest.fixture
def files(tmp_path: Path) -> tuple[Authority, TlsIdentity, Path]:
    """A CA, an identity of it, and both as files for the program."""
    root = a_root(kind=RSA)
    own = identity(root, "tool", RSA)
    (tmp_path / "ca.pem").write_bytes(root.pem)
    pem = ssl.DER_cert_to_PEM_cert(own.certificate_der).encode()
    pem += own.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "own.pem").write_bytes(pem)
    return root, own, tmp_path


def accept_once(context: ssl.SSLContext, listening: socket.socket, seen: list[bytes | None]) -> None:
    sock, _ = listening.accept()
    with sock:
        sock.settimeout(20)
        with contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as secured:
            seen.append(secured.getpeercert(True))
            secured.sendall(b"hello\n")


@pytest.mark.parametrize(
    ("options", "protocol", "suite"),
    [
        (["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"], "TLSv1.2", "ECDHE-RSA-AES256-SHA384"),
        (["-tls1_2", "-cipher", "DHE-RSA-AES256-SHA256"], "TLSv1.2", "DHE-RSA-AES256-SHA256"),
        (["-tls1_2"], "TLSv1.2", "ECDHE-RSA-AES256-SHA384"),
        (["-tls1_3"], "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    ],
)
def test_openssl_client_agrees_with_our_message_port(
    files: tuple[Authority, TlsIdentity, Path], options: list[str], protocol: str, suite: str
) -> None:
    root, own, folder = files
    context = tls.peer_server_context(identity(root, "port", RSA), [root.der])
    seen: list[bytes | None] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        accepting = threading.Thread(target=accept_once, args=(context, listening, seen))
        accepting.start()
        tool = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{listening.getsockname()[1]}", "-CAfile", folder / "ca.pem",
             "-cert", folder / "own.pem", "-key", folder / "own.pem", "-verify_return_error", "-showcerts", *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20,
        )  # fmt: skip
        accepting.join()
    assert seen == [own.certificate_der]
    assert f"{protocol}, Cipher is {suite}" in tool.stdout
    assert " 1 s:" not in tool.stdout  # one certificate in the chain shown
    assert "Verify return code: 0 (ok)" in tool.stdout


@contextlib.contextmanager
def openssl_server(folder: Path, *options: str) -> Iterator[int]:
    tool = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-CAfile", folder / "ca.pem", "-cert", folder / "own.pem",
         "-key", folder / "own.pem", "-Verify", "3", "-verify_return_error", "-www", *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert tool.stdout is not None
    try:
        for line in tool.stdout:
            if line.startswith("ACCEPT"):
                yield int(line.rpartition(":")[2])
                break
    finally:
        tool.kill()
        tool.wait()
        tool.stdout.close()


@pytest.mark.parametrize(
    ("options", "protocol"),
    [
        (["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"], "TLSv1.2"),
        (["-tls1_2", "-cipher", "DHE-RSA-AES256-SHA256"], "TLSv1.2"),
        (["-tls1_3"], "TLSv1.3"),
    ],
)
def test_openssl_server_agrees_with_our_client(
    files: tuple[Authority, TlsIdentity, Path], options: list[str], protocol: str
) -> None:
    root, own, folder = files
    context = tls.peer_client_context(identity(root, "caller", RSA), [root.der])
    with (
        openssl_server(folder, *options) as port,
        socket.create_connection(("127.0.0.1", port), 20) as sock,
        context.wrap_socket(sock) as secured,
    ):
        assert secured.version() == protocol
        assert secured.getpeercert(True) == own.certificate_der
        secured.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert secured.recv(15).startswith(b"HTTP/1.0 200")
