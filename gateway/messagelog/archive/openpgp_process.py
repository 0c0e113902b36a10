"""The process behind `openpgp.EncryptedFile`: standard input, signed and encrypted into a file."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pysequoia import Cert, Tsk, encrypt_file

from gateway.runtime.private_files import read_private


def main() -> None:
    """Encrypt; what goes wrong is the last line on standard error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=Path)
    parser.add_argument("--recipient", type=Path, action="append", default=[])
    parser.add_argument("--signer", type=Path)
    parser.add_argument("--passphrase-file", type=Path)
    options = parser.parse_args()
    try:
        _encrypt(options)
    except Exception as cause:
        sys.exit(f"{type(cause).__name__}: {cause}".splitlines()[0])


def _encrypt(options: argparse.Namespace) -> None:
    recipients = [Cert.from_file(str(path)) for path in options.recipient]
    signer = None
    if options.signer is not None:
        passphrase = None if options.passphrase_file is None else read_private(options.passphrase_file)
        signer = Tsk.from_file(str(options.signer)).signer(passphrase)
    encrypt_file("/dev/stdin", str(options.target), recipients=recipients, signer=signer, armor=False)
    descriptor = os.open(options.target, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


if __name__ == "__main__":
    main()
