"""Names of archive files and groups (X-Road LogArchiveWriter.java).

    mlog-[group-]YYYYMMDDhhmmss-YYYYMMDDhhmmss-<16 hex>.zip[.gpg]     containers and linking information
    the same without .zip, then .records.jsonl[.gpg]                  ours: the facts of every entry
    ledger-<first>-<last>.leaves                                      ours: the ledger's hashes of a range

Times are those of the oldest and the newest record, in the time of the server. A group that had
nothing but refusals has facts and no containers, so the second file stands alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.messagelog.archive.model import Grouping
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import client_of, decode_path

CONTAINERS: Final = ".zip"
RECORDS: Final = ".records.jsonl"
ENCRYPTED: Final = ".gpg"
LINKING_ENTRY: Final = "linkinginfo"
CONTAINER_SUFFIX: Final = ".asice"
# The reference cuts a group at 200 characters, and file systems a name at 255 bytes: fewer leave room for both.
MAX_GROUP_BYTES: Final = 160
_SHOWN_DIGITS: Final = 16
_TIME: Final = "%Y%m%d%H%M%S"
# The reference replaces all of these but white space, which would break the first line of linking information.
_UNSUITABLE: Final = re.compile(r"[\\<>/:|*?\x00-\x1f\x7f-\x9f\s]")
_ARCHIVE: Final = re.compile(
    r"(?P<stem>mlog-(?:(?P<group>.+)-)?(?P<first>[0-9]{14})-(?P<last>[0-9]{14})-(?P<digest>[0-9a-f]{16}))"
    r"(?P<kind>\.zip|\.records\.jsonl)(?P<encrypted>\.gpg)?",
    re.DOTALL,
)
_LEAVES: Final = re.compile(r"ledger-([0-9]{12,18})-([0-9]{12,18})\.leaves")


@dataclass(frozen=True, slots=True)
class ArchiveName:
    """What the name of a file says; `group` as it stands there, empty where there is none."""

    text: str
    stem: str
    group: str
    is_containers: bool
    is_encrypted: bool

    @property
    def records(self) -> str:
        """The file of facts beside this one."""
        return f"{self.stem}{RECORDS}{ENCRYPTED if self.is_encrypted else ''}"

    @property
    def containers(self) -> str:
        """The file of containers beside this one."""
        return f"{self.stem}{CONTAINERS}{ENCRYPTED if self.is_encrypted else ''}"


def archive_stem(group: str, first: datetime, last: datetime, digest: str) -> str:
    """Return the common beginning of the names of a file of containers and its facts.

    `group` is a group's short id, empty where files are not grouped; `digest` the last of the chain.
    """
    shown = "" if not group else f"{_cut(_UNSUITABLE.sub('_', group))}-"
    times = f"{first.astimezone().strftime(_TIME)}-{last.astimezone().strftime(_TIME)}"
    return f"mlog-{shown}{times}-{digest[:_SHOWN_DIGITS]}"


def parse_archive_name(text: str) -> ArchiveName | None:
    """Return what the name of a file of containers or facts says, None when it is neither's."""
    match = _ARCHIVE.fullmatch(text)
    if match is None:
        return None
    return ArchiveName(
        text=text,
        stem=match["stem"],
        group=match["group"] or "",
        is_containers=match["kind"] == CONTAINERS,
        is_encrypted=match["encrypted"] is not None,
    )


def leaves_name(first: int, last: int) -> str:
    """Return the name of the file with the ledger's hashes of a range of sequence numbers."""
    return f"ledger-{first:012d}-{last:012d}.leaves"


def parse_leaves_name(text: str) -> tuple[int, int] | None:
    """Return the range that a file of ledger hashes covers, None when it is no such file."""
    match = _LEAVES.fullmatch(text)
    if match is None or not 0 < int(match[1]) <= int(match[2]) or leaves_name(int(match[1]), int(match[2])) != text:
        return None
    return int(match[1]), int(match[2])


def group_of(party: str, grouping: Grouping) -> str:
    """Return the short id of the group that a party (URL form) belongs to.

    Empty without groups, and for what belongs to nobody: a refused caller may claim to be anything.
    """
    if not party or grouping is Grouping.NONE:
        return ""
    try:
        client = client_of(decode_path(party))
    except XRoadFault:
        return ""
    return str(client.member if grouping is Grouping.MEMBER else client)


def _cut(text: str) -> str:
    return text.encode("utf-8")[:MAX_GROUP_BYTES].decode("utf-8", errors="ignore")
