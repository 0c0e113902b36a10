"""Why a call was refused, from its entry in the log: the sentence that its caller was told, in any language."""

from __future__ import annotations

import json

from gateway.messagelog.model import RefusalContent
from gateway.runtime.texts import DEFAULT_LANGUAGE, render


def explain(said: RefusalContent, language: str = DEFAULT_LANGUAGE) -> str:
    """Return why a call was refused, as its caller was told, in any language."""
    return render(said.text_id, facts_of(said, language), language)


def facts_of(said: RefusalContent, language: str = DEFAULT_LANGUAGE) -> dict[str, str]:
    """Return what the failed check measured; a cause among the facts becomes its sentence."""
    try:
        facts = json.loads(said.facts)
        return _readable(facts, language) if isinstance(facts, dict) else {}
    except (ValueError, RecursionError):  # nobody wrote that but who may change the database
        return {}


def _readable(facts: dict[str, object], language: str) -> dict[str, str]:
    return {name: _sentence(value, language) for name, value in facts.items()}


def _sentence(value: object, language: str) -> str:
    if isinstance(value, dict) and isinstance(value.get("facts"), dict):
        return render(str(value.get("text_id")), _readable(value["facts"], language), language).rstrip(".")
    return str(value)
