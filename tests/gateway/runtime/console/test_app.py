from __future__ import annotations

import re

import httpx
import pytest

from gateway.runtime.accounts.model import Principal
from gateway.runtime.console import csrf
from gateway.runtime.console.app import SECURITY_HEADERS, Console, console_app, entrance
from gateway.runtime.console.visitors import OneVisitor
from tests.gateway.runtime.console.site import HOST, Site, token_in


@pytest.fixture
def site() -> Site:
    return Site()


async def test_stranger_is_sent_to_sign_in_and_back(site: Site) -> None:
    async with site.client() as http:
        answer = await http.get("/things?name=a%26b&x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fthings%3Fname%3Da%2526b%26x%3D1")


async def test_not_even_an_unknown_page_is_told_to_strangers(site: Site) -> None:
    async with site.client() as http:
        assert (await http.get("/nothing/here")).status_code == 303


async def test_part_is_open_to_its_roles_only(site: Site) -> None:
    for roles, things, keep in (("READER", 200, 403), ("KEEPER", 200, 200), ("OTHER", 403, 403), ("", 403, 403)):
        async with site.client(roles) as http:
            assert ((await http.get("/things")).status_code, (await http.get("/things/keep")).status_code) == (
                things,
                keep,
            )


async def test_public_page_needs_nobody(site: Site) -> None:
    async with site.client() as http:
        assert (await http.get("/open")).status_code == 200


async def test_ended_session_is_nobody(site: Site) -> None:
    async with site.client("READER") as http:
        site.visitors.clear()
        assert (await http.get("/things")).status_code == 303


async def test_navigation_shows_what_is_open(site: Site) -> None:
    async with site.client("READER") as reader, site.client("KEEPER") as keeper, site.client() as nobody:
        pages = [(await http.get("/")).text for http in (reader, keeper, nobody)]
    assert ['href="/things"' in text for text in pages] == [True, True, False]
    assert ['href="/things/keep"' in text for text in pages] == [False, True, False]
    assert ["олена" in text for text in pages] == [True, True, False]


async def test_every_answer_keeps_the_browser_from_harm(site: Site) -> None:
    async with site.client("READER") as http:
        for path in ("/", "/things", "/things/refused", "/things/broken", "/nothing", "/language/uk"):
            answer = await http.get(path)
            for name, value in SECURITY_HEADERS:
                assert answer.headers.get_list(name.decode()) == [value.decode()], path
            assert answer.headers["cache-control"] == "no-store"


async def test_policy_allows_no_script_and_no_inline_style(site: Site) -> None:
    policy = dict(SECURITY_HEADERS)[b"content-security-policy"].decode()
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    async with site.client("KEEPER") as http:
        text = (await http.get("/things")).text
    assert re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", text) is None


async def test_only_a_scripted_part_may_load_scripts_and_only_ours(site: Site) -> None:
    async with site.client("KEEPER") as http:
        policies = [
            (await http.get(path)).headers["content-security-policy"] for path in ("/moving", "/moving/no", "/open")
        ]
    assert [policy.partition("; script-src ")[2] for policy in policies] == [*["'self'; connect-src 'self'"] * 2, ""]
    assert all(policy.startswith(dict(SECURITY_HEADERS)[b"content-security-policy"].decode()) for policy in policies)


async def test_form_with_its_token_is_carried_out(site: Site) -> None:
    async with site.client("READER") as http:
        token = await token_in(http, "/things")
        answer = await http.post(
            "/things", data={"csrf_token": token, "name": "n"}, headers={"Origin": f"https://{HOST}"}
        )
    assert (answer.status_code, answer.headers["location"]) == (303, "/things?a=1")
    assert site.seen == [("олена", "n", None)]


async def test_form_may_carry_a_file(site: Site) -> None:
    async with site.client("READER") as http:
        token = await token_in(http, "/things")
        data = {"csrf_token": token, "name": "n"}
        await http.post("/things", data=data, files={"file": ("звіт.txt", b"content")})
    ((_, _, file),) = site.seen
    assert (file.name, file.content) == ("звіт.txt", b"content")


@pytest.mark.parametrize("token", ["", "wrong", "0" * 64, "Ї", csrf.token_of("another secret")])
async def test_form_without_the_right_token_never_reaches_its_page(site: Site, token: str) -> None:
    async with site.client("READER") as http:
        answer = await http.post("/things", data={"csrf_token": token, "name": "n"})
    assert (answer.status_code, site.seen) == (403, [])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_every_changing_method_needs_the_token(site: Site, method: str) -> None:
    async with site.client("READER") as http:
        assert (await http.request(method, "/things")).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_form_of_another_site_is_refused_even_with_the_token(site: Site, headers: dict[str, str]) -> None:
    async with site.client("READER") as http:
        token = await token_in(http, "/things")
        answer = await http.post("/things", data={"csrf_token": token, "name": "n"}, headers=headers)
    assert (answer.status_code, site.seen) == (403, [])


async def test_token_of_one_session_is_none_of_another(site: Site) -> None:
    async with site.client("READER") as one, site.client("READER") as other:
        token = await token_in(one, "/things")
        assert (await other.post("/things", data={"csrf_token": token, "name": "n"})).status_code == 403


async def test_form_after_the_session_ended_leads_to_sign_in(site: Site) -> None:
    async with site.client("READER") as http:
        token = await token_in(http, "/things")
        site.visitors.clear()
        answer = await http.post("/things", data={"csrf_token": token, "name": "n"})
    assert (answer.status_code, answer.headers["location"], site.seen) == (303, "/login?next=%2Fthings", [])


async def test_large_form_is_refused(site: Site) -> None:
    async with site.client("READER") as http:
        token = await token_in(http, "/things")
        answer = await http.post("/things", data={"csrf_token": token, "name": "n" * 70_000})
    assert (answer.status_code, site.seen) == (413, [])


async def test_broken_form_is_a_bad_request(site: Site) -> None:
    async with site.client("READER") as http:
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await http.post("/things", content=b"--x\r\nbroken", headers=kind)
    assert answer.status_code in (400, 403)


async def test_refused_field_says_why_beside_it_and_keeps_what_was_typed(site: Site) -> None:
    async with site.client("READER", **{"Accept-Language": "en"}) as http:
        token = await token_in(http, "/things")
        answer = await http.post("/things", data={"csrf_token": token, "text": "<b>kept</b>"})
    assert answer.status_code == 400
    assert 'aria-describedby="name-error name-hint" aria-invalid="true"' in answer.text
    assert '<p class="error" id="name-error">required</p>' in answer.text
    assert "&lt;b&gt;kept&lt;/b&gt;</textarea>" in answer.text


async def test_next_page_says_once_what_was_done(site: Site) -> None:
    async with site.client("READER", **{"Accept-Language": "en"}) as http:
        token = await token_in(http, "/things")
        await http.post("/things", data={"csrf_token": token, "name": "<i>one</i>"})
        first, second = (await http.get("/things")).text, (await http.get("/things")).text
    assert 'role="status">&lt;i&gt;one&lt;/i&gt; of 2</p>' in first
    assert 'role="status"' not in second


async def test_sentence_that_was_not_sealed_for_this_session_is_not_shown(site: Site) -> None:
    async with site.client("READER") as http:
        http.cookies.set("__Host-surma-flash", "WyJjb25zb2xlLm5hbWUiLHt9XQ.00")
        assert 'role="status"' not in (await http.get("/things")).text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nothing", 404, "There is no such page"),
        ("/things/refused", 404, "There is no such page"),
        ("/things/keep", 403, "Your roles do not open this page"),
        ("/things/broken", 500, "Something is broken"),
    ],
)
async def test_errors_are_pages_in_the_language_of_the_visitor(site: Site, path: str, status: int, said: str) -> None:
    async with site.client("READER", **{"Accept-Language": "en"}) as http:
        english = await http.get(path)
        http.headers["Accept-Language"] = "uk"
        ukrainian = await http.get(path)
    assert (english.status_code, ukrainian.status_code) == (status, status)
    assert said in english.text
    assert '<html lang="uk">' in ukrainian.text
    assert said not in ukrainian.text
    assert "secret" not in english.text


async def test_too_many_requests_are_a_page_too(site: Site) -> None:
    site.per_second = 1
    async with site.client("READER") as http:
        answers = [await http.get("/things") for _ in range(4)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "60"
    assert "<h1>" in refused.text


async def test_language_is_chosen_and_comes_back_to_the_page(site: Site) -> None:
    async with site.client("READER", **{"Accept-Language": "en"}) as http:
        answer = await http.get("/language/uk?next=/things%3Fname%3Dx")
        assert (answer.status_code, answer.headers["location"]) == (303, "/things?name=x")
        assert '<html lang="uk">' in (await http.get("/things")).text
        assert (await http.get("/language/fr")).status_code == 404


async def test_style_sheet_is_kept_for_ever_under_its_hash(site: Site) -> None:
    async with site.client() as http:
        path = re.search(r'href="(/static/surma\.[0-9a-f]{16}\.css)"', (await http.get("/")).text)
        assert path is not None
        answer = await http.get(path[1])
        assert answer.headers["content-type"] == "text/css; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (await http.get("/static/../pages.py")).status_code in (303, 404)
        assert (await http.get("/static/surma.0000000000000000.css")).status_code == 303


async def test_page_of_long_work_reloads_itself_until_told_not_to(site: Site) -> None:
    async with site.client("READER", **{"Accept-Language": "en"}) as http:
        moving, still = await http.get("/things?a=b"), await http.get("/things?a=b&still=1")
    assert moving.headers["refresh"] == "5"
    assert 'href="/things?a=b&amp;still=1"' in moving.text
    assert "refresh" not in still.headers
    assert 'href="/things?a=b"' in still.text


async def test_download_is_never_opened_in_the_page(site: Site) -> None:
    async with site.client("READER") as http:
        answer = await http.get("/things/file")
    assert answer.headers["content-disposition"].startswith("attachment; filename=\"???? _1_.txt\"; filename*=UTF-8''")


async def test_program_for_one_person_is_entered_by_its_key() -> None:
    one = OneVisitor(Principal("auditor", frozenset(("READER",))))
    site = Site()
    parts = [entrance(one)]
    app = console_app(Console(one, lambda: "archives", parts, secure=False, signs_in=False, requests_per_second=0))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        assert (await http.get("/things")).status_code == 403
        await http.get("/enter?key=wrong")
        assert (await http.get("/things")).status_code == 403
        await http.get("/enter?key=a%0d%0ab")
        answer = await http.get(f"/enter?key={one.key}")
        assert "HttpOnly; SameSite=Strict" in answer.headers["set-cookie"]
        assert (await http.get("/things")).status_code == 404
        assert "auditor" in (await http.get("/")).text
    assert site.seen == []


async def test_a_console_with_a_home_leads_there_and_has_its_own_name() -> None:
    site = Site()
    console = Console(site, lambda: "SS1", [], name_id="console.welcome", home="/things")
    transport = httpx.ASGITransport(console_app(console))
    async with httpx.AsyncClient(transport=transport, base_url="https://ss.test") as http:
        assert (await http.get("/")).headers["location"] == "/things"
        text = (await http.get("/language/xx", headers={"Accept-Language": "en"})).text
    assert "Surma security server</a>" in text
