"""Why something cannot be done with a case.

SnapError is the family:

    CaseNotFoundError   no such case, or another centre's
    FieldsError         what was typed is not what the recipe takes
    CaseStateError      the case does not allow it now
"""

from __future__ import annotations

from collections.abc import Mapping


class SnapError(Exception):
    """A refusal: `text_id` names the sentence for people in the area `snap_case`, `facts` fill it."""

    def __init__(self, text_id: str, /, **facts: object) -> None:
        super().__init__(text_id, facts)
        self.text_id = text_id
        self.facts: Mapping[str, object] = facts

    def __str__(self) -> str:
        return f"{self.text_id} {' '.join(f'{name}={value!s}' for name, value in self.facts.items())}".rstrip()


class CaseNotFoundError(SnapError):
    """There is no such case here."""


class FieldsError(SnapError):
    """Fields that cannot be used; `fields` tells of each the text id of what is wrong with it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("snap_case.fields", fields=", ".join(sorted(fields)))
        self.fields = fields


class CaseStateError(SnapError):
    """The case does not allow it now."""
