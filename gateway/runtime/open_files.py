"""The bound on open files: raised as far as the system allows, and compared with what the settings ask for.

A connection is an open file. Most systems give a process 1 024 of them and let it take more by itself.
"""

from __future__ import annotations

import logging
import resource
from typing import Final

log = logging.getLogger(__name__)

# A caller's request needs a connection onwards and, when it is large, a spool file.
FILES_PER_CONNECTION: Final = 3
# Databases, listening sockets, the log, control traffic.
FILES_BESIDE: Final = 128


def raise_limit() -> int:
    """Let this process open as many files as it may; return how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # systems exist whose hard limit is no number one may ask for
            return soft
    return hard


def allow_connections(connections: int) -> bool:
    """Raise the limit; say in the log, and return False, when it is too small for so many connections at once."""
    limit, wanted = raise_limit(), connections * FILES_PER_CONNECTION + FILES_BESIDE
    if limit == resource.RLIM_INFINITY or limit >= wanted:
        return True
    log.warning(
        "too few open files are allowed for limits.connections: raise the limit (LimitNOFILE=) or lower the setting",
        extra={"limit": limit, "wanted": wanted, "connections": connections},
    )
    return False
