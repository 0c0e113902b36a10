"""Signing in and out of a console: real TLS, real sessions, and the record of it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.factories.pki import NOON
from tests.gateway.runtime.console.conftest import PASSWORD, SCOPE, Port

SESSION = "__Host-surma-session"
TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


async def send(browser: httpx.AsyncClient, page: str, **fields: str) -> httpx.Response:
    """Fill in the form of a page and send it, as a browser does."""
    found = TOKEN.search((await browser.get(page)).text)
    assert found is not None
    origin = {"Origin": str(browser.base_url).rstrip("/")}
    return await browser.post(page, data={"csrf_token": found[1], **fields}, headers=origin)


async def sign_in(
    browser: httpx.AsyncClient, name: str = "olena", password: str = PASSWORD, **more: str
) -> httpx.Response:
    return await send(browser, "/login", name=name, password=password, **more)


async def test_auditor_signs_in_and_out(port: Port) -> None:
    async with port.browser() as browser:
        entered = await sign_in(browser, next="/account")
        assert (entered.status_code, entered.headers["location"]) == (303, "/account")
        account = await browser.get("/account")
        assert "olena" in account.text
        assert SCOPE in account.text
        token = TOKEN.search(account.text)
        assert token is not None
        left = await browser.post("/logout", data={"csrf_token": token[1]})
        assert (left.status_code, left.headers["location"]) == (303, "/")
        assert (await browser.get("/account")).headers["location"] == "/login?next=%2Faccount"
    assert [(event["event"], event["user"], event["auth"]) for event in port.events()] == [
        ("Log in user", "olena", "Session"),
        ("Log out user", "olena", "Session"),
    ]
    assert {event["ipaddress"] for event in port.events()} == {"127.0.0.1"}


async def test_session_cookie_is_for_this_host_over_tls_and_for_no_script(port: Port) -> None:
    async with port.browser() as browser:
        cookies = (await sign_in(browser)).headers.get_list("set-cookie")
    (session,) = [cookie for cookie in cookies if cookie.startswith(f"{SESSION}=") and "Max-Age=0" not in cookie]
    assert session.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")


async def test_every_sign_in_begins_another_session(port: Port) -> None:
    async with port.browser() as browser:
        tokens = set()
        for _ in range(2):
            browser.cookies.clear()
            await sign_in(browser)
            tokens.add(browser.cookies[SESSION])
        assert len(tokens) == 2


async def test_secret_that_somebody_planted_before_is_worth_nothing_after(port: Port) -> None:
    async with port.browser() as browser:
        await browser.get("/login")
        planted = browser.cookies["__Host-surma-visit"]
        await sign_in(browser)
        assert browser.cookies[SESSION] != planted
        assert "__Host-surma-visit" not in browser.cookies


async def test_signing_in_needs_a_form_of_ours(port: Port) -> None:
    fields = {"name": "olena", "password": PASSWORD}
    async with port.browser() as browser:
        assert (await browser.post("/login", data=fields)).status_code == 403
        assert SESSION not in browser.cookies


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test", "/\\evil.test"])
async def test_signing_in_never_leads_to_another_site(port: Port, target: str) -> None:
    async with port.browser() as browser:
        assert (await sign_in(browser, next=target)).headers["location"] == "/"


async def test_wrong_name_and_wrong_password_read_the_same(port: Port) -> None:
    async with port.browser() as browser:
        pages = []
        for name in ("olena", "ghost"):
            for _ in range(6):
                answer = await sign_in(browser, name, "wrong")
                pages.append((name, answer.status_code, TOKEN.sub("", answer.text).replace(name, "…")))
    known, unknown = ([page[1:] for page in pages if page[0] == name] for name in ("olena", "ghost"))
    assert known == unknown
    assert [status for status, _ in known] == [403, 403, 403, 403, 429, 429]
    assert "2026" in known[-1][1]  # until when to wait


async def test_record_tells_why_and_what_it_led_to(port: Port) -> None:
    async with port.browser() as browser:
        for name in ("ghost", *("olena",) * 6):
            await sign_in(browser, name, "wrong")
    told = [(event["event"], event["user"], event.get("reason")) for event in port.events()]
    assert told == [
        ("Log in user failed", None, "unknown user"),
        *[("Log in user failed", "olena", "wrong password")] * 5,
        ("Pause sign-in", "olena", None),
    ]


async def test_nobody_is_signed_in_off_the_record(port: Port, tmp_path: Path) -> None:
    (tmp_path / "audit.log").mkdir()  # a log that nobody can write
    async with port.browser() as browser:
        answer = await sign_in(browser)
        assert answer.status_code == 500
        assert "audit log" in answer.text
        assert SESSION not in browser.cookies


async def test_changed_password_ends_other_sessions(port: Port) -> None:
    async with port.browser() as one, port.browser() as other:
        await sign_in(one)
        await sign_in(other)
        new = "інший потяг о сьомій"
        refused = await send(one, "/account", old=PASSWORD, new="olena olena olena", again="different")
        assert refused.status_code == 400
        assert "holds the user name" in refused.text
        assert "not the same" in refused.text
        wrong = await send(one, "/account", old="wrong", new=new, again=new)
        assert wrong.status_code == 403
        changed = await send(one, "/account", old=PASSWORD, new=new, again=new)
        assert changed.headers["location"] == "/account"
        assert "The password is changed" in (await one.get("/account")).text
        assert (await other.get("/account")).status_code == 303
        assert (await sign_in(other, password=new)).status_code == 303
    assert "Change own password" in [event["event"] for event in port.events()]


async def test_session_ends_by_time(port: Port) -> None:
    async with port.browser() as browser:
        await sign_in(browser)
        port.clock.set(NOON + timedelta(minutes=32))
        assert (await browser.get("/account")).status_code == 303


async def test_link_on_another_site_is_told_how_to_find_its_session(port: Port) -> None:
    async with port.browser(**{"Sec-Fetch-Site": "cross-site"}) as browser:
        answer = await browser.get("/login?next=/account")
    assert "by a link on another site" in answer.text
    assert 'href="/account"' in answer.text
