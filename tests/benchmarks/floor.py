"""`crypto`: the floor nobody can avoid; an exchange makes two signatures and verifies two.

Signing and verifying as the gateways do it: SHA-512, digest given. The CPU time of this thread counts,
so that other programs on the machine change the figure little.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.pki.keys import PrivateKey
from tests.benchmarks.report import Report, Section

ROUNDS: Final = 9
P256, P384, RSA_2048, RSA_3072 = "P-256", "P-384", "RSA-2048", "RSA-3072"
FLOORS: Final = (P256, RSA_2048)


@dataclass(frozen=True, slots=True)
class Floor:
    """CPU microseconds of one signature and of one verification."""

    algorithm: str
    sign_us: float
    verify_us: float

    @property
    def exchange_us(self) -> float:
        """Two signatures and two verifications."""
        return 2 * (self.sign_us + self.verify_us)


def new_key(algorithm: str) -> PrivateKey:
    """Make a key of this kind."""
    family, _, size = algorithm.partition("-")
    if family == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=int(size))
    return ec.generate_private_key(ec.SECP384R1() if size == "384" else ec.SECP256R1())


def cpu_us(act: Callable[[], object], calls: int, rounds: int = ROUNDS) -> float:
    """Return the CPU microseconds of one call: the median of some rounds."""
    act()
    found = []
    for _ in range(rounds):
        started = time.thread_time_ns()
        for _ in range(calls):
            act()
        found.append((time.thread_time_ns() - started) / calls / 1000)
    return statistics.median(found)


def measure(algorithm: str, calls: int) -> Floor:
    """Measure one algorithm with the library alone."""
    key, digest = new_key(algorithm), DigestAlgorithm.SHA512.digest(b"message")
    how: tuple[Any, ...] = (ec.ECDSA(Prehashed(hashes.SHA512())),)
    if isinstance(key, rsa.RSAPrivateKey):
        how = (padding.PKCS1v15(), Prehashed(hashes.SHA512()))
    sign: Callable[..., bytes] = key.sign
    verify: Callable[..., None] = key.public_key().verify
    value = sign(digest, *how)
    return Floor(
        algorithm, cpu_us(lambda: sign(digest, *how), calls), cpu_us(lambda: verify(value, digest, *how), calls)
    )


def run(*, tiny: bool = False) -> Report:
    """Measure every algorithm, and the digests."""
    calls = 5 if tiny else 300
    floors = [measure(algorithm, calls) for algorithm in (P256, P384, RSA_2048, RSA_3072)]
    small, large = b"x" * 1024, b"x" * 100 * 1024
    digests = [
        {"digest": name, "1_KiB_us": cpu_us(lambda a=a: a.digest(small), calls),  # type: ignore[misc]
         "100_KiB_us": cpu_us(lambda a=a: a.digest(large), calls)}  # type: ignore[misc]
        for name, a in (("SHA-512", DigestAlgorithm.SHA512), ("SHA-256", DigestAlgorithm.SHA256))
    ]  # fmt: skip
    rows = [
        {"algorithm": f.algorithm, "sign_us": f.sign_us, "verify_us": f.verify_us, "floor_us": f.exchange_us}
        for f in floors
    ]
    return Report(
        {"floors": rows, "digests": digests},
        [Section("crypto: CPU µs; floor = 2 signatures + 2 verifications", rows), Section("digests: CPU µs", digests)],
    )
