r"""Checkpoints: what the ledger of a log was at one moment, signed by the server's owner and time-stamped.

A text that an auditor takes away; every line ends with \n, and every value has one spelling:

    surma checkpoint 1
    origin <server, URL form>
    size <entries>
    root <base64>
    time <YYYY-MM-DDTHH:MM:SS.mmmZ>
    algorithm <XML URI>
    signature <base64; ECDSA as DER>
    certificate <base64 DER>
    intermediate <base64 DER>          any number of them
    ocsp <base64 DER>                  one, and one for each intermediate whose status was known
    timestamp <base64 DER>

The signature is over the first five lines as they stand, the time-stamp (RFC 3161) over the octets of
the signature: `head -n 5`, `openssl dgst` and `openssl ts` check them without us.

An export is a checkpoint with the leaves that its root is made of, so that a later difference can be
named to the entry: an empty line, `leaves <number of them>`, then each in base64 on a line of its own.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Final

from cryptography import x509

from gateway.xroad.digests import SignatureAlgorithm, digest_of
from gateway.xroad.faults import MalformedMessage, SignatureRefused, XRoadFault
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import SecurityServerId, decode_path, encode_path, server_of
from gateway.xroad.ledger import HASH_BYTES
from gateway.xroad.pki.certificates import key_of, load_certificate, subject_of
from gateway.xroad.pki.chain import build_path
from gateway.xroad.pki.keys import verify_signature
from gateway.xroad.pki.ocsp import find_matching, verify_ocsp
from gateway.xroad.pki.profiles import is_sign_certificate
from gateway.xroad.pki.tsp import Timestamp, parse_token, verify_token
from gateway.xroad.signature.strict_xml import ACCEPTED_DIGESTS
from gateway.xroad.signature.verify import check_member

CONTENT_TYPE: Final = "text/plain; charset=us-ascii"
MAX_SIZE: Final = 2**63 - 1
MAX_LEAVES: Final = 2**24  # half a gigabyte of hashes in memory: above, take checkpoints without leaves
MAX_TIME_DIFFERENCE: Final = timedelta(hours=1)  # between what the server says and the authority vouches for
_MAX_LINE_BYTES: Final = 128 * 1024
_MAX_CERTIFICATES: Final = 8

_TITLE: Final = b"surma checkpoint 1"
_SIZE: Final = re.compile(r"[1-9][0-9]{0,18}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_ALGORITHMS: Final = {algorithm.uri: algorithm for algorithm in SignatureAlgorithm}


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """What a server says of its ledger; `time` in whole milliseconds."""

    origin: SecurityServerId
    size: int
    root: bytes
    time: datetime

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        return b"".join(
            (
                _TITLE,
                b"\norigin ",
                encode_path(self.origin).encode("ascii"),
                b"\nsize %d\nroot " % self.size,
                base64.b64encode(self.root),
                b"\ntime ",
                _print_time(self.time),
                b"\n",
            )
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A ledger head with its proof; nothing is proven by parsing."""

    head: LedgerHead
    algorithm: SignatureAlgorithm
    signature: bytes
    certificate_der: bytes
    intermediates: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]
    timestamp: bytes


@dataclass(frozen=True, slots=True)
class Export:
    """A checkpoint as it was taken away; `leaves` one after the other, None where they were left out."""

    checkpoint: Checkpoint
    leaves: bytes | None

    def leaf(self, number: int) -> bytes:
        """Return leaf `number`, from 0."""
        return (self.leaves or b"")[number * HASH_BYTES : (number + 1) * HASH_BYTES]


@dataclass(frozen=True, slots=True)
class CheckpointVerdict:
    """A proven checkpoint: made by `verify_checkpoint` and nowhere else."""

    checkpoint: Checkpoint
    time: datetime
    authority: x509.Certificate
    path: tuple[x509.Certificate, ...]


# Building


def build_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the text of a checkpoint."""
    lines = [
        (b"algorithm", checkpoint.algorithm.uri.encode("ascii")),
        (b"signature", base64.b64encode(checkpoint.signature)),
        (b"certificate", base64.b64encode(checkpoint.certificate_der)),
        *((b"intermediate", base64.b64encode(der)) for der in checkpoint.intermediates),
        *((b"ocsp", base64.b64encode(der)) for der in checkpoint.ocsp_responses),
        (b"timestamp", base64.b64encode(checkpoint.timestamp)),
    ]
    return checkpoint.head.signed_bytes + b"".join(b"%b %b\n" % line for line in lines)


def build_export(checkpoint: bytes, size: int, leaves: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the text of an export in pieces: a checkpoint's text, then its `size` leaves."""
    yield checkpoint
    yield b"\nleaves %d\n" % size
    encoded = (base64.b64encode(leaf) + b"\n" for leaf in leaves)
    while some := b"".join(islice(encoded, 1024)):
        yield some


def _print_time(at: datetime) -> bytes:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode("ascii")


# Parsing


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Read a checkpoint without leaves. Raises MalformedMessage for anything but its one spelling."""
    export = parse_export(text.splitlines(keepends=True))
    if export.leaves is not None:
        raise _malformed("leaves")
    return export.checkpoint


def parse_export(lines: Iterable[bytes]) -> Export:
    r"""Read a checkpoint, with or without leaves, from lines that end with \n, such as those of a file.

    Raises MalformedMessage, which names the field that cannot be read.
    """
    read = _Reader(iter(lines))
    checkpoint = _read_checkpoint(read)
    if read.at_end:
        return Export(checkpoint, None)
    if read.line("leaves") != b"":
        raise _malformed("leaves")
    count = read.text("leaves")
    if count != str(checkpoint.head.size) or checkpoint.head.size > MAX_LEAVES:
        raise _malformed("leaves")
    leaves = bytearray()
    for _ in range(checkpoint.head.size):
        leaves += _decode(read.line("leaves"), "leaves", HASH_BYTES)
    if not read.at_end:
        raise _malformed("leaves")
    return Export(checkpoint, bytes(leaves))


class _Reader:
    """Lines one by one, with one look ahead."""

    __slots__ = ("_lines", "_next")

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._next = next(lines, None)

    @property
    def at_end(self) -> bool:
        return self._next is None

    def line(self, field: str) -> bytes:
        line = self._next
        if line is None or len(line) > _MAX_LINE_BYTES or line[-1:] != b"\n":
            raise _malformed(field)
        self._next = next(self._lines, None)
        return line[:-1]

    def has(self, field: str) -> bool:
        return self._next is not None and self._next.startswith(field.encode("ascii") + b" ")

    def text(self, field: str) -> str:
        if not self.has(field):
            raise _malformed(field)
        try:
            return self.line(field)[len(field) + 1 :].decode("ascii")
        except UnicodeDecodeError as cause:
            raise _malformed(field) from cause

    def data(self, field: str, size: int | None = None) -> bytes:
        return _decode(self.text(field).encode("ascii"), field, size)

    def all(self, field: str) -> tuple[bytes, ...]:
        found: list[bytes] = []
        while self.has(field):
            if len(found) > _MAX_CERTIFICATES:
                raise _malformed(field)
            found.append(self.data(field))
        return tuple(found)


def _read_checkpoint(read: _Reader) -> Checkpoint:
    if read.line("title") != _TITLE:
        raise _malformed("title")
    head = LedgerHead(
        origin=_read_origin(read.text("origin")),
        size=_read_size(read.text("size")),
        root=read.data("root", HASH_BYTES),
        time=_read_time(read.text("time")),
    )
    algorithm = _ALGORITHMS.get(read.text("algorithm"))
    if algorithm is None:
        raise _malformed("algorithm")
    checkpoint = Checkpoint(
        head=head,
        algorithm=algorithm,
        signature=read.data("signature"),
        certificate_der=read.data("certificate"),
        intermediates=read.all("intermediate"),
        ocsp_responses=read.all("ocsp"),
        timestamp=read.data("timestamp"),
    )
    if not checkpoint.ocsp_responses:
        raise _malformed("ocsp")
    return checkpoint


def _read_origin(text: str) -> SecurityServerId:
    try:
        origin = server_of(decode_path(text))
    except XRoadFault as cause:
        raise _malformed("origin") from cause
    if encode_path(origin) != text:
        raise _malformed("origin")
    return origin


def _read_size(text: str) -> int:
    if not _SIZE.fullmatch(text) or int(text) > MAX_SIZE:
        raise _malformed("size")
    return int(text)


def _read_time(text: str) -> datetime:
    try:
        if not _TIME.fullmatch(text):
            raise _malformed("time")
        return datetime.fromisoformat(text)
    except ValueError as cause:
        raise _malformed("time") from cause


def _decode(text: bytes, field: str, size: int | None) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error as cause:
        raise _malformed(field) from cause
    if not value or (size is not None and len(value) != size) or base64.b64encode(value) != text:
        raise _malformed(field)
    return value


def _malformed(field: str) -> MalformedMessage:
    return MalformedMessage("invalid_message", "ledger.checkpoint_malformed", field=field)


# Verifying


def claimed_time(checkpoint: Checkpoint) -> datetime:
    """Return the time in the time-stamp, unproven: by it the configuration to verify with is chosen.

    Raises SignatureRefused when there is none to be read.
    """
    return parse_token(checkpoint.timestamp).gen_time


def verify_checkpoint(checkpoint: Checkpoint, globalconf: GlobalConf) -> CheckpointVerdict:
    """Return the proof that the owner of the named server signed this ledger head, and when.

    1. the time-stamp is over the signature, by an approved authority, and about the time that is stated;
    2. the certificate is for signing and names the owner of the server;
    3. the signature is over the head, by the key of that certificate;
    4. a path leads from it to an approved CA of the server's instance, at the time of the stamp;
    5. every certificate on the path was good at that time, by its OCSP response.

    Raises SignatureRefused with the first check that fails, ConfigurationUnusable where the
    configuration knows no rule for the certificate.
    """
    head = checkpoint.head
    stamp = _check_timestamp(checkpoint, globalconf)  # (1)
    certificate = load_certificate(checkpoint.certificate_der)  # (2)
    if not is_sign_certificate(certificate):
        raise SignatureRefused(
            "incorrect_certificate", "signature.not_a_signing_certificate", subject=subject_of(certificate)
        )
    check_member(certificate, head.origin.owner, globalconf)
    verify_signature(key_of(certificate), checkpoint.algorithm, checkpoint.signature, data=head.signed_bytes)  # (3)
    instance = head.origin.owner.xroad_instance
    anchors = [ca.certificate for ca in globalconf.authorities(instance) if not ca.authentication_only]
    extras = [load_certificate(der) for der in checkpoint.intermediates]
    path = build_path(certificate, extras, anchors, stamp.time)  # (4)
    _check_statuses(path, checkpoint.ocsp_responses, globalconf, stamp.time)  # (5)
    return CheckpointVerdict(checkpoint, stamp.time, stamp.authority, path)


def _check_timestamp(checkpoint: Checkpoint, globalconf: GlobalConf) -> Timestamp:
    token = parse_token(checkpoint.timestamp)
    algorithm = token.imprint.algorithm
    if algorithm not in ACCEPTED_DIGESTS:
        raise SignatureRefused("malformed_signature", "signature.digest_algorithm", algorithm=algorithm.uri)
    stamp = verify_token(token, digest_of(checkpoint.signature, algorithm), globalconf.tsa_certificates())
    if abs(stamp.time - checkpoint.head.time) > MAX_TIME_DIFFERENCE:
        raise SignatureRefused(
            "timestamp_validation",
            "ledger.checkpoint_time",
            stated=checkpoint.head.time.isoformat(),
            stamped=stamp.time.isoformat(),
        )
    return stamp


def _check_statuses(
    path: Sequence[x509.Certificate], responses: Sequence[bytes], globalconf: GlobalConf, at: datetime
) -> None:
    try:
        for certificate, issuer in pairwise(path):
            response = find_matching(responses, certificate, issuer)
            if response is None:
                raise SignatureRefused("cert_validation", "pki.ocsp_missing", subject=subject_of(certificate))
            verify_ocsp(
                response,
                certificate,
                issuer,
                responders=globalconf.responders_of(issuer),
                at=at,
                freshness_s=globalconf.ocsp_freshness_s,
                check_next_update=globalconf.verify_next_update,
            )
    except SignatureRefused as refusal:
        raise refusal.within("invalid_cert_path") from refusal.__cause__
