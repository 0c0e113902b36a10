"""Which fields leave for which purpose: minimised answers (GDPR art. 5(1)(c); law of Ukraine 2297-VI, art. 6).

The holder of a registry writes down for each purpose who may name it, which operations it covers and
which fields of their answers it needs. The rest is withheld and named, whether or not there was a
value, so that a withheld field tells nothing. Fields that an answer cannot do without go with it.

    [[purpose]]
    id = "HOUSING-SUBSIDY"          # as `Uxp-Purpose-Ids` names it; "" for requests that name none, "*" for any other
    title_en = "Housing subsidy"
    title_uk = "Житлова субсидія"
    ground = "Постанова КМУ № 848 від 21.10.1995"
    clients = ["GOV/10000001/SNAP"] # without the instance; none: any client
    [purpose.operations]
    GetPerson = ["person.unzr", "person.residence"]   # "*": every field
"""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

from gateway.xroad.identifiers import ClientId
from registry_adapters.sdk.context import RequestContext
from registry_adapters.sdk.errors import RefusedError
from registry_adapters.sdk.fields import FieldSpec, RecordSpec, describe, join

EVERY_FIELD: Final = "*"
NO_PURPOSE: Final = ""
ANY_PURPOSE: Final = "*"
WITHHELD: Final = "withheld"  # the field of an answer that names what was withheld
# What an answer says of itself rather than of a person.
ALWAYS_TOLD: Final = frozenset(
    ("found", "matched_by", "count", "ambiguous", "confidence", "warnings", "truncated", "limit", "offset", WITHHELD)
)
_KNOWN_KEYS: Final = frozenset(("id", "title_en", "title_uk", "ground", "clients", "sealed", "operations"))


class PurposesError(ValueError):
    """A file of purposes that cannot be used; the text says where."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """One declared purpose: who may name it and what may leave for it."""

    id: str
    titles: Mapping[str, str]
    ground: str
    clients: frozenset[str]
    operations: Mapping[str, frozenset[str]]
    sealed: bool = False

    def admits(self, client: ClientId) -> bool:
        """Tell whether a client may name it."""
        return not self.clients or "/".join(client.parts[1:]) in self.clients


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may leave in the answer to one request; `sealed` keeps the look from the citizen's eyes."""

    paths: frozenset[str]
    sealed: bool = False

    def minimise(self, answer: Any) -> Any:
        """Return the answer without what may not leave."""
        if EVERY_FIELD in self.paths:
            return answer
        record = describe(type(answer))
        kept = _minimised(answer, record, self.paths, "")
        if WITHHELD in record.by_name:
            return dataclasses.replace(kept, **{WITHHELD: tuple(withheld_paths(record, self.paths))})
        return kept


EVERYTHING: Final = Allowance(frozenset((EVERY_FIELD,)))


@dataclass(frozen=True, slots=True)
class Purposes:
    """The declared purposes of one registry."""

    by_id: Mapping[str, Purpose] = field(default_factory=dict)

    def allow(self, operation: str, context: RequestContext) -> Allowance:
        """Return what may leave for the purposes a request names; several allow what any of them does.

        Raises RefusedError when a purpose is unknown, not the client's, or does not cover the operation.
        """
        named = context.purposes or (NO_PURPOSE,)
        paths: set[str] = set()
        sealed = False
        for purpose_id in named:
            purpose = self._find(purpose_id, context)
            allowed = purpose.operations.get(operation)
            if allowed is None:
                raise RefusedError("registry.purpose_operation", purpose=purpose_id or "-", operation=operation)
            paths |= allowed
            sealed = sealed or purpose.sealed
        return Allowance(frozenset(paths), sealed)

    def _find(self, purpose_id: str, context: RequestContext) -> Purpose:
        purpose = self.by_id.get(purpose_id)
        if purpose is None and purpose_id == NO_PURPOSE:
            raise RefusedError("registry.purpose_missing")
        purpose = purpose or self.by_id.get(ANY_PURPOSE)
        if purpose is None:
            raise RefusedError("registry.purpose_unknown", purpose=purpose_id)
        if not purpose.admits(context.client):
            raise RefusedError("registry.purpose_client", purpose=purpose_id or "-", client=str(context.client))
        return purpose


def load_purposes(place: str | Path) -> Purposes:
    """Return the purposes of a file: a path, or `package:file` for one inside a package. Raises PurposesError."""
    package, colon, name = str(place).partition(":")
    try:
        source = resources.files(package) / name if colon else Path(place)
        return read_purposes(source.read_text(encoding="utf-8"))
    except (OSError, ModuleNotFoundError) as cause:
        raise PurposesError(f"{place}: {cause}") from cause
    except PurposesError as cause:
        raise PurposesError(f"{place}: {cause}") from cause


def read_purposes(text: str) -> Purposes:
    """Return the purposes that a TOML text declares. Raises PurposesError."""
    try:
        entries = tomllib.loads(text).get("purpose", [])
    except tomllib.TOMLDecodeError as cause:
        raise PurposesError(str(cause)) from cause
    if not isinstance(entries, list):
        raise PurposesError("purposes are tables [[purpose]]")
    by_id: dict[str, Purpose] = {}
    for number, entry in enumerate(entries):
        purpose = _purpose_of(entry, f"purpose[{number}]")
        if purpose.id in by_id:
            raise PurposesError(f"purpose[{number}].id: {purpose.id!r} is declared twice")
        by_id[purpose.id] = purpose
    return Purposes(by_id)


def _purpose_of(entry: Any, place: str) -> Purpose:
    if not isinstance(entry, dict) or not entry.keys() <= _KNOWN_KEYS or not {"id", "operations"} <= entry.keys():
        raise PurposesError(f"{place} needs id and operations, and knows {', '.join(sorted(_KNOWN_KEYS))}")
    texts = {key: entry.get(key, "") for key in ("id", "title_en", "title_uk", "ground")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise PurposesError(f"{place}: id, titles and ground are texts")
    operations = entry["operations"]
    if not isinstance(operations, dict) or not all(_are_texts(paths) for paths in operations.values()):
        raise PurposesError(f"{place}.operations: each operation has a list of field paths")
    clients, sealed = entry.get("clients", []), entry.get("sealed", False)
    if not _are_texts(clients) or not isinstance(sealed, bool):
        raise PurposesError(f"{place}: clients is a list of texts and sealed is true or false")
    return Purpose(
        texts["id"],
        {"en": texts["title_en"], "uk": texts["title_uk"]},
        texts["ground"],
        frozenset(clients),
        {name: frozenset(paths) for name, paths in operations.items()},
        sealed,
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def check_purposes(purposes: Purposes, answers: Mapping[str, type]) -> None:
    """Check that every purpose names operations and fields that there are. Raises PurposesError."""
    for purpose in purposes.by_id.values():
        for operation, paths in purpose.operations.items():
            if operation not in answers:
                raise PurposesError(f"purpose {purpose.id!r} names the operation {operation}, which there is not")
            known = set(field_paths(describe(answers[operation])))
            unknown = sorted(paths - known - {EVERY_FIELD})
            if unknown:
                raise PurposesError(f"purpose {purpose.id!r}, {operation}: there is no field {unknown[0]}")


def field_paths(record: RecordSpec, path: str = "") -> Iterable[str]:
    """Yield the dotted path of every field of a record and of what it holds."""
    for spec in record.fields:
        here = join(path, spec.name)
        yield here
        if spec.record:
            yield from field_paths(spec.record, here)


def withheld_paths(record: RecordSpec, allowed: frozenset[str], path: str = "") -> list[str]:
    """Return the paths of an answer's fields that may not leave: by the rule alone, whatever the answer holds."""
    withheld: list[str] = []
    for spec in record.fields:
        here = join(path, spec.name)
        if _is_kept(allowed, here):
            continue
        if _is_entered(spec, allowed, here):
            withheld += withheld_paths(typing.cast("RecordSpec", spec.record), allowed, here)
        elif not spec.required:
            withheld.append(here)
    return withheld


def _minimised(value: Any, record: RecordSpec, allowed: frozenset[str], path: str) -> Any:
    changes: dict[str, Any] = {}
    for spec in record.fields:
        here, held = join(path, spec.name), getattr(value, spec.name)
        if _is_kept(allowed, here) or held is None:
            continue
        if _is_entered(spec, allowed, here):
            inner = typing.cast("RecordSpec", spec.record)
            items = tuple(_minimised(item, inner, allowed, here) for item in (held if spec.many else (held,)))
            changes[spec.name] = items if spec.many else items[0]
        elif spec.many:
            changes[spec.name] = ()
        elif not spec.required:
            changes[spec.name] = None if spec.default is dataclasses.MISSING else spec.default
    return dataclasses.replace(value, **changes)


def _is_kept(allowed: frozenset[str], path: str) -> bool:
    return path in allowed or path in ALWAYS_TOLD


def _is_entered(spec: FieldSpec, allowed: frozenset[str], path: str) -> bool:
    """Tell whether a record goes out in part: some of it may, or the answer cannot do without it."""
    some = any(one.startswith(f"{path}.") for one in allowed)
    return spec.record is not None and (some or spec.required)
