"""A message as a page shows it: its headers as a table, its content laid out, every mask in words as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from markupsafe import Markup, escape

from gateway.auditing.desk import Desk
from gateway.auditing.dossier import Signed
from gateway.auditing.readable import MASK, Kind, Readable
from gateway.xroad.faults import XRoadFault

OPEN_BELOW: Final = 16 * 1024  # characters; longer contents are unfolded by whoever wants them
_MASK: Final = Markup('<span class="mask"><span aria-hidden="true">{}</span><span class="unseen">{}</span></span>')


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment: kept, or known by its digest alone."""

    number: int
    size: int
    is_kept: bool


@dataclass(frozen=True, slots=True)
class MessageView:
    """One half of an exchange; `start_line` and `headers` are those of a REST message."""

    signed: Signed
    start_line: str
    headers: tuple[tuple[str, str], ...]
    parts: tuple[Readable, ...]
    attachments: tuple[Attachment, ...]
    masks: int
    is_empty: bool
    hidden: str

    def spoken(self, text: str) -> Markup:
        """Return a text whose masks are drawn for the eye and said in words for those who listen."""
        return _MASK.format(MASK, self.hidden).join(escape(piece) for piece in text.split(MASK))


def view_of(signed: Signed, desk: Desk, *, is_masked: bool, hidden: str) -> MessageView:
    """Return how a message is shown; reads its body, so it may wait for a disk."""
    entry = signed.entry
    if entry is None:
        return MessageView(signed, "", (), (), (), 0, False, hidden)
    try:
        parts = desk.parts_of(entry, masked=is_masked)
    except XRoadFault as fault:
        return MessageView(replace(signed, entry=None, fault=fault), "", (), (), (), 0, False, hidden)
    head = next((part for part in parts if part.kind is Kind.HTTP), None)
    start_line, headers = _split(head.text) if head is not None else ("", [])
    shown = tuple(part for part in parts if part.kind is not Kind.HTTP)
    return MessageView(
        signed=signed,
        start_line=start_line,
        headers=tuple(headers),
        parts=shown,
        attachments=(*_attachments(entry.attachments, True), *_attachments(entry.omitted, False)),
        masks=sum(part.text.count(MASK) for part in parts),
        is_empty=head is not None and not shown and not entry.attachments and not entry.omitted,
        hidden=hidden,
    )


def _split(head: str) -> tuple[str, list[tuple[str, str]]]:
    start_line, *lines = head.split("\n")
    pairs = (line.partition(": ") for line in lines)
    return start_line, [(name, value) for name, _, value in pairs]


def _attachments(sizes: Mapping[int, int], is_kept: bool) -> list[Attachment]:
    return [Attachment(number, size, is_kept) for number, size in sorted(sizes.items())]
