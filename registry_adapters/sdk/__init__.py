"""What a registry needs to answer through a security server.

Declare a `Registry`, and either have it look records up in a source (`TableFile`, `SqlTable`) or write
one function per operation, from a declared dataclass to another (`fields`). The functions get plain
facts (`context`), and neither XML nor HTTP. `client` is the other side: the one Python client.

The names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from registry_adapters.sdk.access_log import Look, Outcome
    from registry_adapters.sdk.contract_questions import sampled
    from registry_adapters.sdk.errors import RefusedError, RequestError, UnavailableError
    from registry_adapters.sdk.fields import Declared
    from registry_adapters.sdk.operations import Call
    from registry_adapters.sdk.registry import Registry
    from registry_adapters.sdk.sources.answers import pick
    from registry_adapters.sdk.sources.files import TableFile
    from registry_adapters.sdk.sources.rest import RestApi
    from registry_adapters.sdk.sources.soap import SoapApi
    from registry_adapters.sdk.sources.sql import SqlTable

__all__ = [
    "Call",
    "Declared",
    "Look",
    "Outcome",
    "RefusedError",
    "Registry",
    "RequestError",
    "RestApi",
    "SoapApi",
    "SqlTable",
    "TableFile",
    "UnavailableError",
    "pick",
    "sampled",
]

_PLACES: Final = {
    "Call": "operations",
    "Declared": "fields",
    "Look": "access_log",
    "Outcome": "access_log",
    "RefusedError": "errors",
    "Registry": "registry",
    "RequestError": "errors",
    "RestApi": "sources.rest",
    "SoapApi": "sources.soap",
    "SqlTable": "sources.sql",
    "TableFile": "sources.files",
    "UnavailableError": "errors",
    "pick": "sources.answers",
    "sampled": "contract_questions",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
