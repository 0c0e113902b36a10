"""Faults of the areas -> errors of the admin API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.runtime.admin_api import ApiError
from gateway.runtime.texts import render
from gateway.xroad.faults import ConfigurationUnusable, MalformedMessage, SignatureRefused, SigningUnavailable

_NOT_FOUND = frozenset({"key_not_found", "cert_not_found", "csr_not_found", "token_not_found"})
_CONFLICT = frozenset({"cert_exists", "action_not_possible", "token_not_active", "global_conf_outdated"})


@contextmanager
def api_errors() -> Iterator[None]:
    """Give a fault of an area the status the reference gives it, its sentence as metadata."""
    try:
        yield
    except (SigningUnavailable, SignatureRefused, ConfigurationUnusable, MalformedMessage) as fault:
        leaf = fault.code.rsplit(".", 1)[-1]
        status = 404 if leaf in _NOT_FOUND else 409 if leaf in _CONFLICT else 400
        raise ApiError(status, leaf, render(fault.text_id, fault.facts)) from fault
