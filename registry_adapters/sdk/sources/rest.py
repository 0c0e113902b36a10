"""An existing REST API behind a registry's operations.

api = RestApi("https://kennels.example/api", headers={"Authorization": "Bearer …"})

@registry.operation("GetKennel", "GET /kennels/{number}")
def get_kennel(asked: KennelQuestion, call: Call) -> KennelAnswer:
    found = api.get("/v2/kennels/{number}", number=asked.number)
    return KennelAnswer(found=found is not None, kennel=pick(Kennel, found) if found else None)
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.sources.http import MAX_ANSWER_BYTES, TIMEOUT_S, Asker, Reply

_NOTHING: Final = frozenset((204, 404, 410))
_ASKED_WRONGLY: Final = frozenset((400, 409, 422))


class RestApi:
    """The API at `url`; `headers` go with every request, `tls` verifies it and may hold our own certificate."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_ANSWER_BYTES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._asker = Asker(url, {"Accept": "application/json", **(headers or {})}, timeout_s, max_bytes, tls)

    def close(self) -> None:
        """Close the connections."""
        self._asker.close()

    def get(self, path: str, query: Mapping[str, str] | None = None, **values: object) -> Any:
        """Return the JSON of a GET, or None when there is nothing (404); `values` fill the braces of the path.

        Raises RequestError when the API refuses the question, UnavailableError when it gives no answer.
        """
        return self._read(self._asker.ask("GET", _filled(path, values), params=dict(query or {})))

    def post(self, path: str, body: Any, **values: object) -> Any:
        """Return the JSON of a POST; as `get`."""
        return self._read(self._asker.ask("POST", _filled(path, values), json=body))

    def _read(self, reply: Reply) -> Any:
        if reply.status in _NOTHING:
            return None
        if reply.status in _ASKED_WRONGLY:
            raise RequestError("registry.source_refused", status=reply.status)
        if not 200 <= reply.status < 300:
            raise self._asker.unavailable(f"status {reply.status}")
        try:
            return json.loads(reply.content)
        except (ValueError, RecursionError) as cause:
            raise self._asker.unusable("no JSON") from cause


def _filled(path: str, values: Mapping[str, object]) -> str:
    """Fill the braces; a value cannot leave its place in the path."""
    quoted = {name: quote(str(value), safe="") for name, value in values.items()}
    if any(value in ("", ".", "..") for value in quoted.values()):
        raise RequestError("registry.source_refused", status=400)
    return path.format_map(quoted)
