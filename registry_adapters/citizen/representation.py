"""Whom a person may speak for by the civil-status registry: one's own children who are minors.

The registry is asked through the security server, for the birth acts of the signed-in person, with the
purpose of representation; so the question itself stands in its access log. An act counts when it is in force, names
the person as father or mother by code, and the child is under 18 (Civil Code of Ukraine, article 242; Family Code,
article 154).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from gateway.xroad.faults import RemoteFault, XRoadFault
from registry_adapters.citizen.model import is_code
from registry_adapters.citizen.settings import CitizenSettings, service_of
from registry_adapters.sdk.client import Reason, XRoadClient
from registry_adapters.sdk.persons import is_minor

IN_FORCE: Final = frozenset(("valid", "restored"))  # states of an act that counts


class CivilStatusSilentError(Exception):
    """The registry did not answer, or refused."""


def find_children(
    client: XRoadClient, settings: CitizenSettings, asker: str, today: date
) -> tuple[tuple[str, str], ...]:
    """Return codes and names of the minors whose parent `asker` is. Raises CivilStatusSilentError."""
    reason = Reason(user_id=asker, purposes=(settings.representation_purpose,))
    kind = "rnokpp" if "-" not in asker else "unzr"
    try:
        answer = client.call_rest(
            "GET", service_of(settings.civil_status), "/acts", query={kind: asker, "kind": "birth"}, reason=reason
        )
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        acts = answer.json()["acts"]
        found = [_child(act, asker, today) for act in acts]
    except (XRoadFault, RemoteFault, ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise CivilStatusSilentError from cause
    return tuple(dict(child for child in found if child is not None).items())


def _child(act: Mapping[str, Any], asker: str, today: date) -> tuple[str, str] | None:
    parents = [act.get(role) or {} for role in ("father", "mother")]
    if not any(asker in (parent.get("rnokpp"), parent.get("unzr")) for parent in parents):
        return None
    child = act["person"]
    code = child.get("rnokpp") or child.get("unzr")
    if act.get("kind") != "birth" or act.get("status") not in IN_FORCE or not is_code(code):
        return None
    if not is_minor(date.fromisoformat(child["birth_date"]), today):
        return None
    names = (child.get(part) for part in ("surname", "given_name", "patronymic"))
    return str(code), " ".join(name for name in names if name) or str(code)
