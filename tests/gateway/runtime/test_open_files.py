from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SCRIPT = """
import json, logging, resource, sys
from gateway.runtime.open_files import allow_connections
logging.basicConfig(stream=sys.stderr, format="%(message)s")
hard = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, hard), hard))
enough = allow_connections(int(sys.argv[2]))
print(json.dumps({"enough": enough, "soft": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}))
"""


def in_a_process(hard: int, connections: int) -> tuple[dict[str, Any], str]:
    """Raise the limit where nobody else lives with it: a hard limit never goes up again."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(hard), str(connections)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout), done.stderr


def test_limit_goes_up_to_what_the_system_allows() -> None:
    found, log = in_a_process(hard=512, connections=100)
    assert found == {"enough": True, "soft": 512}
    assert log == ""


def test_limit_too_small_for_the_connections_is_told() -> None:
    found, log = in_a_process(hard=512, connections=4096)
    assert found == {"enough": False, "soft": 512}
    assert "limits.connections" in log
