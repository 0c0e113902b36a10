"""TLS contexts for each kind of port (X-Road ServerProxy.java, CryptoUtils.java; RFC 5246, RFC 8446).

Three rules: a private key never touches the disk; a certificate whose issuer is itself is never sent along, because
an X-Road peer then asks for an OCSP response that does not exist and refuses us; and this is proven by a
handshake before a port opens. Who a peer is gets decided after the handshake, by whoever called.

OpenSSL's SSL_MODE_NO_AUTO_CHAIN, automatic DH parameters, any-purpose verification and the callback
that lets every certificate through have no name in Python's `ssl`, so they are reached through ctypes.
"""

from __future__ import annotations

import ctypes
import datetime
import logging
import os
import secrets
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.runtime.http.problems import PeerRefused

_log = logging.getLogger(__name__)

PEER_CIPHERS: Final = (
    # what X-Road up to 7.8 offers and takes, first, so that a real peer's choice is ours
    "ECDHE-RSA-AES256-SHA384:DHE-RSA-AES256-SHA256:ECDHE-ECDSA-AES256-SHA384:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
)
LOCAL_CIPHERS: Final = (
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:"
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:"
    "DHE-RSA-AES256-SHA256:DHE-RSA-AES128-SHA256:!aNULL:!eNULL"
)
"""Information systems: the suites X-Road allows there, the better ones first."""

_SSL_CTRL_MODE: Final = 33
_SSL_MODE_NO_AUTO_CHAIN: Final = 0x8
_SSL_CTRL_SET_DH_AUTO: Final = 118
_X509_PURPOSE_ANY: Final = 7


class TlsSetupFailed(Exception):  # noqa: N818 (says what happened, like its neighbours)
    """A context cannot be built, or would present a certificate it must not."""

    def __init__(self, text_id: str, **facts: object) -> None:
        super().__init__(text_id, facts)
        self.text_id = text_id
        self.facts = facts

    def __str__(self) -> str:
        return " ".join([self.text_id, *(f"{name}={value}" for name, value in self.facts.items())])


class Identity(Protocol):
    """A certificate with its key: what we show in a handshake."""

    @property
    def certificate_der(self) -> bytes:
        """The certificate."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Intermediate certificates, DER, nearest first; a self-signed one is left out when sending."""

    @property
    def private_key(self) -> PrivateKeyTypes:
        """The key."""


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """A plain Identity."""

    certificate_der: bytes
    private_key: PrivateKeyTypes
    chain: tuple[bytes, ...] = ()


# contexts


def peer_server_context(identity: Identity, authorities: Iterable[bytes]) -> ssl.SSLContext:
    """Build the context of the message port: peers must show a certificate of one of `authorities` (DER)."""
    context = _server_context(PEER_CIPHERS)
    _load_identity(context, identity)
    _trust(context, authorities)
    prove_no_root_sent(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def peer_client_context(identity: Identity, authorities: Iterable[bytes]) -> ssl.SSLContext:
    """Build the context for calling other servers' message ports; the host name is never checked."""
    context = _client_context(PEER_CIPHERS)
    _load_identity(context, identity)
    _trust(context, authorities)
    prove_no_root_sent(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def information_system_context(identity: Identity, registered: Iterable[bytes] = ()) -> ssl.SSLContext:
    """Build the context of the information systems' port: a client certificate is asked for, not required.

    Any certificate is let through, as X-Road does, and compared later; the holder has proven its key either way.
    Where OpenSSL's callback is out of reach only the `registered` ones (DER) and those without any get through.
    """
    context = _server_context(LOCAL_CIPHERS)
    _load_identity(context, identity)
    prove_no_root_sent(context)
    certificates = tuple(registered)
    if _let_any_certificate_through(context):
        context.verify_mode = ssl.CERT_OPTIONAL
    elif certificates:
        _trust(context, certificates)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def service_client_context(identity: Identity | None = None) -> ssl.SSLContext:
    """Build the context for calling information systems: nothing is verified here, see `pinned`."""
    context = _client_context(LOCAL_CIPHERS)
    if identity is not None:
        _load_identity(context, identity)
        prove_no_root_sent(context)
    return context


class HasPeerCertificate(Protocol):
    """The facts a pin is compared with."""

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's certificate, DER."""


def pinned(certificates: Iterable[bytes]) -> Callable[[HasPeerCertificate], None]:
    """Return an `on_connected` hook that refuses any peer certificate but the given ones (DER), byte for byte."""
    accepted = frozenset(certificates)

    def check(facts: HasPeerCertificate) -> None:
        if facts.peer_certificate not in accepted:
            raise PeerRefused("http.certificate_not_pinned", known=len(accepted))

    return check


def _server_context(ciphers: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_DH_USE
    _common(context, ciphers)
    _control(context, _SSL_CTRL_SET_DH_AUTO, 1)  # without it no DHE suite is ever chosen
    return context


def _client_context(ciphers: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _common(context, ciphers)
    return context


def _common(context: ssl.SSLContext, ciphers: str) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _control(context, _SSL_CTRL_MODE, _SSL_MODE_NO_AUTO_CHAIN)


def _trust(context: ssl.SSLContext, authorities: Iterable[bytes]) -> None:
    """Take certificates as trust anchors, whatever they say they are good for."""
    joined = b"".join(authorities)
    if joined:
        context.load_verify_locations(cadata=joined)
    _any_purpose(context)


def _load_identity(context: ssl.SSLContext, identity: Identity) -> None:
    """Give a context its certificate and key through memory only.

    `ssl` takes keys from a path, so both go to an anonymous memory file, the key encrypted with a password used once.
    """
    password = secrets.token_urlsafe(24).encode()
    certificates = [identity.certificate_der, *(der for der in identity.chain if not is_self_signed(der))]
    chain_pem = "".join(ssl.DER_cert_to_PEM_cert(der) for der in certificates).encode()
    key_pem = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    try:
        with _memory_file(chain_pem) as chain_path, _memory_file(key_pem) as key_path:
            context.load_cert_chain(chain_path, key_path, password=lambda: password)
    except (OSError, ssl.SSLError, AttributeError) as error:
        raise TlsSetupFailed("http.identity_unusable", reason=str(error)) from error


@contextmanager
def _memory_file(data: bytes) -> Iterator[str]:
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@lru_cache(maxsize=1024)
def is_self_signed(certificate_der: bytes) -> bool:
    """Say whether issuer and subject are the same name."""
    certificate = x509.load_der_x509_certificate(certificate_der)
    return certificate.issuer == certificate.subject


# the proof


def prove_no_root_sent(context: ssl.SSLContext) -> None:
    """Let a context shake hands with a stranger and look at what it sends.

    Raises TlsSetupFailed when a self-signed certificate is among it behind the first, or nothing can be seen. The
    handshake is TLS 1.2, where certificates travel in clear; the choice of chain is the same for 1.3.
    """
    sent = certificates_sent(context)
    if not sent:
        raise TlsSetupFailed("http.chain_unproven")
    roots = [der for der in sent[1:] if is_self_signed(der)]
    if roots:
        subject = x509.load_der_x509_certificate(roots[0]).subject.rfc4514_string()
        raise TlsSetupFailed("http.root_sent", subject=subject, count=len(sent))


def certificates_sent(context: ssl.SSLContext) -> list[bytes]:
    """Return the certificates a context presents, DER, in order, read from the bytes of a TLS 1.2 handshake."""
    is_server = context.protocol == ssl.PROTOCOL_TLS_SERVER
    to_stranger, to_us = ssl.MemoryBIO(), ssl.MemoryBIO()
    highest, mode = context.maximum_version, context.verify_mode
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_NONE  # the stranger's certificate means nothing; restored below
    try:
        ours = context.wrap_bio(to_us, to_stranger, server_side=is_server)
        theirs = _stranger(as_server=not is_server).wrap_bio(to_stranger, to_us, server_side=not is_server)
    finally:
        context.maximum_version, context.verify_mode = highest, mode
    seen = bytearray()
    for _ in range(4):
        _advance(ours)
        flight = to_stranger.read()
        seen += flight
        to_stranger.write(flight)
        _advance(theirs)
    return _certificates_in(bytes(seen))


def _advance(side: ssl.SSLObject) -> None:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        pass
    except ssl.SSLError as error:
        _log.debug("the stranger's handshake ended: %s", error)  # it trusts nobody; what was sent is what counts


@lru_cache(maxsize=2)
def _stranger(*, as_server: bool) -> ssl.SSLContext:
    if not as_server:
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        client.set_ciphers("ALL:!aNULL:!eNULL")
        return client
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stranger")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers("ALL:!aNULL:!eNULL")
    _load_identity(server, TlsIdentity(certificate.public_bytes(Encoding.DER), key))
    server.verify_mode = ssl.CERT_OPTIONAL
    return server


def _certificates_in(records: bytes) -> list[bytes]:
    """Read the Certificate message (RFC 5246 7.4.2) out of TLS records, as far as they are in clear."""
    handshake = bytearray()
    position = 0
    while position + 5 <= len(records):
        kind, size = records[position], int.from_bytes(records[position + 3 : position + 5])
        if kind == 20:  # change_cipher_spec: what follows is encrypted
            break
        if kind == 22:
            handshake += records[position + 5 : position + 5 + size]
        position += 5 + size
    position = 0
    while position + 4 <= len(handshake):
        kind, size = handshake[position], int.from_bytes(handshake[position + 1 : position + 4])
        if kind == 11:
            return _split_certificates(bytes(handshake[position + 7 : position + 4 + size]))
        position += 4 + size
    return []


def _split_certificates(listed: bytes) -> list[bytes]:
    certificates: list[bytes] = []
    position = 0
    while position + 3 <= len(listed):
        size = int.from_bytes(listed[position : position + 3])
        certificates.append(listed[position + 3 : position + 3 + size])
        position += 3 + size
    return certificates


# what Python's ssl does not name


@lru_cache(maxsize=1)
def _openssl() -> Any:
    """Return the OpenSSL that Python's `ssl` uses, or None where it cannot be reached."""
    try:
        import _ssl

        library = ctypes.CDLL(_ssl.__file__)
        library.SSL_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
        library.SSL_CTX_ctrl.restype = ctypes.c_long
        library.SSL_CTX_set_purpose.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.SSL_CTX_set_cert_verify_callback.argtypes = [ctypes.c_void_p, _VERIFY_CALLBACK, ctypes.c_void_p]
        library.SSL_CTX_set_cert_verify_callback.restype = None
    except (ImportError, AttributeError, OSError) as error:
        _log.warning("OpenSSL cannot be reached by ctypes: %s", error)
        return None
    return library


_VERIFY_CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_let_through: Final = _VERIFY_CALLBACK(lambda store, argument: 1)


def _pointer(context: ssl.SSLContext) -> ctypes.c_void_p:
    """Return the SSL_CTX *: the first field after the object header (CPython Modules/_ssl.c, PySSLContext)."""
    return ctypes.c_void_p.from_address(id(context) + object.__basicsize__)


def _control(context: ssl.SSLContext, command: int, value: int) -> bool:
    library = _openssl()
    if library is None:
        return False
    library.SSL_CTX_ctrl(_pointer(context), command, value, None)
    return True


def _any_purpose(context: ssl.SSLContext) -> None:
    """Accept authentication certificates whose extended key usage names only one side of TLS, as X-Road does."""
    library = _openssl()
    if library is not None:
        library.SSL_CTX_set_purpose(_pointer(context), _X509_PURPOSE_ANY)


def _let_any_certificate_through(context: ssl.SSLContext) -> bool:
    library = _openssl()
    if library is None:
        return False
    library.SSL_CTX_set_cert_verify_callback(_pointer(context), _let_through, None)
    return True
