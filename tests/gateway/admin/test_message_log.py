from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gateway.admin.api.message_log import show_authority, show_status
from gateway.messagelog.authorities import AuthorityFailure, AuthorityHealth
from gateway.messagelog.model import GrowthStatus, LogStatus, StampingStatus

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WELL = LogStatus(
    at=NOON,
    last_sequence=7,
    is_readable=True,
    is_writable=True,
    refusals_held_back=0,
    stamping=StampingStatus(0, None, None, None),
    growth=GrowthStatus(10, 1000, 2.0, 1.0, 500.0),
)


def a_status(**changes: Any) -> LogStatus:
    facts = {name: getattr(WELL, name) for name in WELL.__slots__}
    return LogStatus(**{**facts, **changes})


def stamping(failing_s: int, allowed_s: int | None = 100) -> StampingStatus:
    since = NOON - timedelta(seconds=failing_s)
    return StampingStatus(3, since, since, None if allowed_s is None else since + timedelta(seconds=allowed_s))


def growing(days_left: float) -> GrowthStatus:
    return GrowthStatus(10, 1000, 2.0, 1.0, days_left)


def test_log_that_does_well_has_no_troubles() -> None:
    shown = show_status(WELL, "en")
    assert (shown["status_class"], shown["troubles"], "error" in shown) == ("OK", [], False)
    assert shown["growth"]["days_left"] == 500.0


@pytest.mark.parametrize(
    ("status", "status_class", "codes"),
    [
        (a_status(is_writable=False, refusals_held_back=4), "FAIL", ["not_writable"]),
        (a_status(is_readable=False, is_writable=False), "FAIL", ["not_readable"]),
        (a_status(stamping=stamping(60)), "WAITING", ["stops_soon"]),
        (a_status(stamping=stamping(100)), "FAIL", ["stopped"]),
        (a_status(stamping=stamping(10_000, None)), "WAITING", ["not_stamped"]),
        (a_status(growth=growing(29.9)), "WAITING", ["disk_fills"]),
        (a_status(growth=growing(30.1)), "OK", []),
        (a_status(is_writable=False, stamping=stamping(60), growth=growing(1)), "FAIL", [
            "not_writable", "stops_soon", "disk_fills",
        ]),
    ],
)  # fmt: skip
def test_troubles_are_told_the_worst_first(status: LogStatus, status_class: str, codes: list[str]) -> None:
    for language in ("en", "uk"):
        shown = show_status(status, language)
        assert shown["status_class"] == status_class
        assert [trouble["code"] for trouble in shown["troubles"]] == codes
        for trouble in shown["troubles"]:
            assert "{" not in trouble["metadata"][0]
            assert not trouble["metadata"][0].startswith("messagelog.")


def test_countdown_is_told_in_seconds_and_in_words() -> None:
    shown = show_status(a_status(stamping=stamping(60, 4000)), "en")
    assert shown["stamping"]["refuses_in_s"] == 3940
    assert "In 1:05:40 (hours:minutes:seconds) exchanges stop" in shown["error"]["metadata"][0]
    assert "Через 1:05:40" in show_status(a_status(stamping=stamping(60, 4000)), "uk")["error"]["metadata"][0]


def test_service_that_was_never_asked_is_waiting() -> None:
    shown = show_authority(AuthorityHealth("http://tsa.test/"), "en")
    assert (shown["status_class"], shown["prev_update_at"]) == ("WAITING", "")


def test_service_that_failed_last_says_why() -> None:
    failure = AuthorityFailure(
        NOON, "mlog.x", "messagelog.tsa_unreachable", {"url": "http://tsa.test/", "reason": "no"}
    )
    shown = show_authority(AuthorityHealth("http://tsa.test/", NOON - timedelta(days=1), failure, 2), "uk")
    assert shown["status_class"] == "FAIL"
    assert shown["prev_update_at"].startswith("2026-03-01")
    assert shown["error"]["metadata"][0].startswith("Служба позначок часу http://tsa.test/")


async def test_server_without_a_log_of_its_own_has_no_status(api: httpx.AsyncClient) -> None:
    assert (await api.get("/diagnostics/message-log")).status_code == 404
    assert (await api.get("/diagnostics/timestamping-services")).json() == []
