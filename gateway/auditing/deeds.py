"""What auditors do, as the trail names it, and why it is not done: nothing there, no reason, no trail."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from gateway.runtime.audit.model import TrailUnavailable as TrailUnavailable

MAX_REASON_CHARACTERS: Final = 500


class Deed(StrEnum):
    """What is written into the trail; the names of events, as the reference words its own."""

    SEARCH = "Search messages"
    COUNT = "Count messages"
    SAMPLE = "Sample messages"
    VIEW = "View exchange"
    REVEAL = "Reveal personal data"
    VIEW_REFUSAL = "View refusal"
    VERIFY = "Verify message"
    DOWNLOAD_CONTAINER = "Download signed document"
    DOWNLOAD_ATTACHMENT = "Download attachment"
    REPORT = "Print report"
    STATUS = "View message log status"
    EXPORT = "Export messages"
    LIST_EXPORTS = "List exports"
    VIEW_EXPORT = "View export"
    DOWNLOAD_EXPORT = "Download export"
    DELETE_EXPORT = "Delete export"
    TAKE_CHECKPOINT = "Download checkpoint"
    MAKE_CHECKPOINT = "Make checkpoint"
    PROVE = "View inclusion proof"
    CHECK_COMPLETENESS = "Check completeness"


class Missing(Exception):  # noqa: N818
    """What was asked for is not there, or is not for this auditor to see; nobody can tell which."""


class ReasonRequired(Exception):  # noqa: N818
    """Personal data is shown and handed out for a reason only, and none was given."""


def checked(reason: str | None) -> str | None:
    """Return a reason without outer blanks; a blank one is none."""
    text = " ".join((reason or "").split())
    return text[:MAX_REASON_CHARACTERS] or None


def required(reason: str | None) -> str:
    """Return a reason. Raises ReasonRequired when there is none."""
    given = checked(reason)
    if given is None:
        raise ReasonRequired
    return given
