"""Store configurations without end, for a test that kills this program: `store_forever.py ROOT FD`."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

from gateway.configuration_client.cache import Cache
from gateway.configuration_client.model import Generation
from gateway.xroad.globalconf.trusted import verify_directory, verify_parts
from tests.factories.globalconf import NOW, a_shared_parameters, a_source


def main(root: Path, ready: int) -> None:
    generations = []
    for freshness_s in (10, 20):
        source = a_source(shared=a_shared_parameters(ocsp_freshness_s=freshness_s))
        certificates = source.anchor().certificates
        directory = verify_directory(source.directory(), instance="TEST", certificates=certificates, at=NOW)
        generations.append(Generation(verify_parts(directory, source.answers())))
    cache = Cache(root)
    cache.write_anchor(source.anchor_xml())
    cache.store(generations[0])
    os.write(ready, b"!")
    for generation in itertools.cycle(generations):
        cache.store(generation)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
