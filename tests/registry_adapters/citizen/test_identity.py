"""The test identity provider: it follows the protocol, and says on every page that it is for tests."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from gateway.runtime import texts
from gateway.runtime.clock import FixedClock
from registry_adapters.citizen_identity.app import build_identity
from registry_adapters.citizen_identity.persons import accounts
from registry_adapters.citizen_identity.settings import ClientSettings, IdentitySettings
from tests.registry_adapters.citizen.site import words_of
from tests.registry_adapters.shim import listening

BACK = "http://127.0.0.1:1/back"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASKED = {
    "response_type": "code", "client_id": "public", "redirect_uri": BACK, "scope": "openid", "state": "s", "nonce": "n",
    "code_challenge": CHALLENGE, "code_challenge_method": "S256",
}  # fmt: skip
CLOCK = FixedClock(datetime(2026, 3, 2, 12, tzinfo=UTC))


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    clients = (
        ClientSettings("public", (BACK,), "", (BACK,)),
        ClientSettings("confidential", (BACK,), "secret"),
    )
    with (
        listening(build_identity(IdentitySettings(clients=clients), CLOCK)) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        yield client


def code_for(http: httpx.Client, person: int = 1, **changes: str) -> dict[str, list[str]]:
    """Choose a person; what the browser brings back to the site."""
    page = http.get("/authorize", params={**ASKED, **changes})
    key = re.search(r"request_key=([^&\"]+)", page.text)
    assert key is not None
    answer = http.get("/choose", params={"request_key": key[1], "person": str(person)})
    location = answer.headers["location"]
    assert location.startswith(BACK)
    return parse_qs(urlsplit(location).query)


def redeem(
    http: httpx.Client, code: str, changes: Mapping[str, str] | None = None, auth: tuple[str, str] | None = None
) -> httpx.Response:
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": "public",
        "code_verifier": VERIFIER,
    }  # fmt: skip
    return http.post("/token", data={**form, **(changes or {})}, auth=auth or httpx.USE_CLIENT_DEFAULT)


def test_discovery_names_the_address_it_is_asked_at(http: httpx.Client) -> None:
    document = http.get("/.well-known/openid-configuration").json()
    assert document["issuer"] == str(http.base_url).rstrip("/")
    assert document["code_challenge_methods_supported"] == ["S256"]


def test_a_code_becomes_a_token_with_the_persons_claims(http: httpx.Client) -> None:
    back = code_for(http)
    assert back["state"] == ["s"]
    assert back["iss"] == [str(http.base_url).rstrip("/")]
    answer = redeem(http, back["code"][0]).json()
    claims = jwt.decode(
        answer["id_token"], KeySet.import_key_set(http.get("/jwks").json()), algorithms=["ES256"]
    ).claims
    now = int(CLOCK.now().timestamp())
    assert claims == {
        "iss": str(http.base_url).rstrip("/"), "aud": "public", "iat": now, "exp": now + 300, "nonce": "n",
        "sub": "person-1", "name": "Ткаченко Мар'яна Іванівна", "rnokpp": "3347300028", "unzr": "19910824-00026",
        "represents": [{"code": "4541200105", "name": "Коваленко Софія Андріївна"}],
    }  # fmt: skip
    info = http.get("/userinfo", headers={"Authorization": f"Bearer {answer['access_token']}"}).json()
    assert {name: claims[name] for name in info} == info


def test_only_the_public_half_of_the_key_is_told(http: httpx.Client) -> None:
    assert all("d" not in key for key in http.get("/jwks").json()["keys"])


def test_a_code_is_redeemed_once(http: httpx.Client) -> None:
    code = code_for(http)["code"][0]
    assert redeem(http, code).status_code == 200
    assert redeem(http, code).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": "w" * 43}, {"code_verifier": ""}, {"redirect_uri": BACK + "/other"}, {"code": "made-up"}],
)
def test_a_code_is_redeemed_by_whom_it_was_made_for_only(http: httpx.Client, changes: dict[str, str]) -> None:
    code = code_for(http)["code"][0]
    assert redeem(http, changes.get("code", code), changes).json() == {"error": "invalid_grant"}


def test_a_code_is_redeemed_within_a_minute(http: httpx.Client) -> None:
    code = code_for(http)["code"][0]
    CLOCK.advance(seconds=61)
    assert redeem(http, code).json() == {"error": "invalid_grant"}


def test_a_client_with_a_secret_must_show_it(http: httpx.Client) -> None:
    for auth, sent, status in (
        (None, {"client_id": "confidential"}, 401),
        (("confidential", "wrong"), {}, 401),
        (("confidential", "secret"), {}, 200),
        (None, {"client_id": "confidential", "client_secret": "secret"}, 200),
        (None, {"client_id": "unknown"}, 401),
    ):
        code = code_for(http, client_id="confidential")["code"][0]
        assert redeem(http, code, sent, auth).status_code == status


@pytest.mark.parametrize("changes", [{"client_id": "unknown"}, {"redirect_uri": "https://evil.example/"}])
def test_nobody_is_sent_to_an_address_that_is_not_the_sites(http: httpx.Client, changes: dict[str, str]) -> None:
    answer = http.get("/authorize", params={**ASKED, **changes})
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_wrong_request_goes_back_with_its_error(http: httpx.Client, changes: dict[str, str], error: str) -> None:
    location = http.get("/authorize", params={**ASKED, **changes}).headers["location"]
    assert parse_qs(urlsplit(location).query)["error"] == [error]


def test_who_cancels_goes_back_without_a_code(http: httpx.Client) -> None:
    back = code_for(http, person=0)
    assert back["error"] == ["access_denied"]
    assert "code" not in back


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer made-up", "Basic eDp5"])
def test_userinfo_is_told_to_the_holder_of_a_token_only(http: httpx.Client, token: str) -> None:
    assert http.get("/userinfo", headers={"Authorization": token}).status_code == 401


@pytest.mark.parametrize("body", [b"", b"\xff", b"a=%zz&grant_type=", b"x" * 20_000])
def test_any_other_body_is_refused(http: httpx.Client, body: bytes) -> None:
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    assert http.post("/token", content=body, headers=sent).status_code in (400, 401)


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("path", ["/about", "/authorize", "/authorize?good", "/choose", "/logout", "/no-such-page"])
def test_every_page_says_that_it_is_for_tests(http: httpx.Client, path: str, language: str) -> None:
    query = ASKED if path.endswith("good") else None
    page = http.get(path.partition("?")[0], params=query, headers={"Accept-Language": language})
    assert ("for tests only" if language == "en" else "лише для випробувань") in words_of(page).lower()


def test_the_dead_and_minors_cannot_be_signed_in_as() -> None:
    listed = {one.number: one for one in accounts(1, date(2026, 3, 2))}
    assert set(listed) == {1, 2, 4, 5, 6, 7, 8}
    assert listed[5].claims().keys().isdisjoint({"rnokpp", "unzr"})  # known by document only
    assert listed[4].represents == ()


def test_a_child_that_comes_of_age_is_no_longer_represented() -> None:
    listed = {one.number: one for one in accounts(1, date(2042, 5, 1))}
    assert listed[1].represents == ()
    assert 3 in listed
