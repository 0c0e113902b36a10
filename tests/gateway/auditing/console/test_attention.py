from __future__ import annotations

import dataclasses
from datetime import UTC, timedelta
from typing import Any

from gateway.auditing.console.attention import notices_of
from gateway.auditing.model import Archiving, Growth, SourceStatus, Stamping
from gateway.runtime.console.formats import Formats
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.pki import NOON

HEALTHY = SourceStatus("SS1", 1, 100, 100, 100, NOON, Stamping(0, None, None, None), None)


def told(**changes: Any) -> list[tuple[str, str, str]]:
    notices = notices_of(dataclasses.replace(HEALTHY, **changes), Formats("en", UTC), NOON)
    return [(notice.kind, notice.text_id.removeprefix("audit.attention."), notice.who) for notice in notices]


def growth(days_left: float | None) -> Growth:
    return Growth(1, 1, 1.0, 1.0, days_left)


def test_a_healthy_source_needs_no_attention() -> None:
    assert told() == []


def test_an_index_that_is_behind_is_only_a_note() -> None:
    assert told(indexed_through=90) == [("note", "index_behind", "nobody")]


def test_failing_time_stamps_say_when_exchanges_stop() -> None:
    failing = Stamping(5, NOON, NOON - timedelta(hours=1), NOON + timedelta(hours=3))
    notice = notices_of(dataclasses.replace(HEALTHY, stamping=failing), Formats("en", UTC), NOON)[0]
    assert (notice.kind, notice.who) == ("urgent", "administrator")
    assert notice.facts["left"] == "3\N{NO-BREAK SPACE}h"


def test_after_that_it_says_that_they_have_stopped() -> None:
    failing = Stamping(5, NOON, NOON - timedelta(hours=5), NOON)
    assert told(stamping=failing) == [("urgent", "stamping_stopped", "administrator")]


def test_without_a_limit_failing_time_stamps_are_a_warning() -> None:
    assert told(stamping=Stamping(5, NOON, NOON, None)) == [("warning", "stamping_fails_unbounded", "administrator")]


def test_the_disk_is_told_before_it_is_full() -> None:
    assert told(growth=growth(45)) == []
    assert told(growth=growth(None)) == []
    assert told(growth=growth(20)) == [("warning", "disk_soon", "administrator")]
    assert told(growth=growth(3)) == [("urgent", "disk_soon", "administrator")]


def test_the_most_urgent_comes_first() -> None:
    kinds = [kind for kind, _, _ in told(indexed_through=1, uncounted_refusals=7, growth=growth(20))]
    assert kinds == ["urgent", "warning", "note"]


def test_a_server_without_checkpoint_is_told() -> None:
    assert told(checkpoint_size=None) == [("note", "no_checkpoint", "administrator")]
    assert told(checkpoint_size=None, first_sequence=0, last_sequence=0, indexed_through=0) == []
    assert told(checkpoint_size=None, stamping=None) == []


def test_archives_that_cannot_be_read_are_told() -> None:
    notice = notices_of(HEALTHY, Formats("en", UTC), NOON, unreadable=2)[0]
    assert (notice.kind, notice.who, notice.facts) == ("warning", "auditor", {"count": "2"})


def test_archiving_that_fails_says_why_and_that_nothing_is_lost() -> None:
    gone = LoggingUnavailable("internal_error", "archive.place", place="s3://bucket", reason="no route to host")
    notice = notices_of(dataclasses.replace(HEALTHY, archiving=Archiving(gone, 0)), Formats("en", UTC), NOON)[0]
    assert (notice.kind, notice.who) == ("warning", "administrator")
    assert "s3://bucket" in notice.facts["reason"]
    assert "no route to host" in notice.facts["reason"]


def test_containers_that_did_not_hold_are_urgent() -> None:
    assert told(archiving=Archiving(None, 3)) == [("urgent", "unverified", "administrator")]
    assert told(archiving=Archiving(None, 0)) == []
