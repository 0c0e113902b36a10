"""Signing in is refused for every token, code and way back that is not exactly right, with a page that says why."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gateway.runtime import texts
from gateway.runtime.clock import FixedClock
from registry_adapters.citizen.model import Identity
from registry_adapters.citizen.oidc import OidcClient, SignInError, new_attempt
from registry_adapters.citizen.settings import OidcSettings
from tests.registry_adapters.citizen import provider as rogue
from tests.registry_adapters.citizen.provider import Misbehaving, a_provider
from tests.registry_adapters.citizen.site import NOW, Site, Visit, a_site, parameter_of, words_of
from tests.registry_adapters.citizen.watched import MARIANA
from tests.registry_adapters.shim import listening

Claims = dict[str, Any]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Misbehaving]]:
    with (
        a_provider() as provider,
        a_site(tmp_path_factory.mktemp("oidc"), issuer=provider.url) as site,
    ):
        yield site, provider


@pytest.fixture
def provider(served: tuple[Site, Misbehaving]) -> Misbehaving:
    """A provider that behaves, until told otherwise."""
    served[1].behave()
    return served[1]


@pytest.fixture
def visit(served: tuple[Site, Misbehaving], provider: Misbehaving) -> Visit:
    return served[0].visitor()


def sign_in(visit: Visit) -> httpx.Response:
    return visit.http.get(visit.begin().headers["location"], follow_redirects=True)


def assert_refused(visit: Visit, answer: httpx.Response, text_id: str) -> None:
    assert answer.status_code in (400, 403, 502)
    assert texts.render(text_id, {}, "en") in words_of(answer)
    assert visit.http.cookies.get("surma-session") is None
    assert visit.http.get(f"{visit.base}/mine").status_code == 303  # to sign in


def test_a_right_token_signs_in_and_leads_to_the_page_that_was_wanted(visit: Visit, provider: Misbehaving) -> None:
    begun = visit.begin("/mine?registry=tax")
    answer = visit.http.get(begun.headers["location"], follow_redirects=True)
    assert answer.status_code == 200
    assert answer.url.path == "/mine"
    assert answer.url.params["registry"] == "tax"
    assert "Ткаченко Мар'яна" in words_of(answer)


def test_the_code_is_redeemed_with_the_verifier_of_the_challenge(visit: Visit, provider: Misbehaving) -> None:
    begun = visit.begin()
    visit.http.get(begun.headers["location"], follow_redirects=True)
    digest = hashlib.sha256(provider.asked[0]["code_verifier"].encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert challenge == parameter_of(begun.headers["location"], "code_challenge")
    assert parameter_of(begun.headers["location"], "code_challenge_method") == "S256"


def without(name: str) -> Callable[[Claims], Claims]:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


def but(**changes: Any) -> Callable[[Claims], Claims]:
    return lambda claims: {**claims, **changes}


STAMP = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (but(nonce="another"), "citizen.refused_nonce"),
        (without("nonce"), "citizen.refused_nonce"),
        (but(aud="another-site"), "citizen.refused_audience"),
        (but(aud=["another-site"]), "citizen.refused_audience"),
        (without("aud"), "citizen.refused_audience"),
        (but(aud=["surma-citizen", "another-site"]), "citizen.refused_audience"),
        (but(aud=["surma-citizen", "another-site"], azp="another-site"), "citizen.refused_audience"),
        (but(azp="another-site"), "citizen.refused_audience"),
        (but(iss="https://id.example"), "citizen.refused_issuer"),
        (without("iss"), "citizen.refused_issuer"),
        (but(exp=STAMP - 61), "citizen.refused_expired"),
        (without("exp"), "citizen.refused_expired"),
        (but(exp="tomorrow"), "citizen.refused_expired"),
        (but(exp=True), "citizen.refused_expired"),
        (but(iat=STAMP + 61), "citizen.refused_expired"),
        (without("iat"), "citizen.refused_expired"),
        (but(nbf=STAMP + 61), "citizen.refused_expired"),
        (without("sub"), "citizen.refused_answer"),
        (but(sub=7), "citizen.refused_answer"),
        (without("rnokpp"), "citizen.refused_no_code"),
        (but(rnokpp="3347300029"), "citizen.refused_no_code"),  # a wrong check digit
        (but(rnokpp=[MARIANA]), "citizen.refused_no_code"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(
    visit: Visit, provider: Misbehaving, edit: Callable[[Claims], Claims], reason: str
) -> None:
    provider.edit = edit
    provider.userinfo = {"sub": "1"}
    assert_refused(visit, sign_in(visit), reason)


@pytest.mark.parametrize(
    "write",
    [
        rogue.signed_by_another_key,
        rogue.unsigned,
        rogue.signed_with_the_public_key_as_a_secret,
        rogue.signed_by_a_key_it_brings,
        rogue.changed_after_signing,
        lambda _claims: "not a token",
        lambda _claims: "a.b.c",
    ],
)
def test_a_token_without_the_providers_signature_is_refused(
    visit: Visit, provider: Misbehaving, write: Callable[[Claims], str]
) -> None:
    provider.write = write
    assert_refused(visit, sign_in(visit), "citizen.refused_signature")


@pytest.mark.parametrize(
    ("edit", "leeway"),
    [(but(exp=STAMP - 59), 60), (but(iat=STAMP + 59), 60), (but(aud=["surma-citizen"]), 0),
     (but(aud=["x", "surma-citizen"], azp="surma-citizen"), 0)],
)  # fmt: skip
def test_a_token_at_the_edge_of_what_is_right_signs_in(
    visit: Visit, provider: Misbehaving, edit: Callable[[Claims], Claims], leeway: int
) -> None:
    provider.edit = edit
    assert sign_in(visit).url.path == "/mine"


def test_a_way_back_cannot_be_used_twice(visit: Visit, provider: Misbehaving) -> None:
    back = visit.http.get(visit.begin().headers["location"]).headers["location"]
    assert visit.http.get(back).status_code == 303
    assert len(provider.asked) == 1
    visit.http.cookies.delete("surma-session")
    assert_refused(visit, visit.http.get(back), "citizen.refused_state")
    assert len(provider.asked) == 1


def test_a_state_that_was_never_given_out_is_refused(visit: Visit, provider: Misbehaving) -> None:
    provider.back = {"state": "made-up"}
    assert_refused(visit, sign_in(visit), "citizen.refused_state")
    provider.back = {"state": None}
    assert_refused(visit, sign_in(visit), "citizen.refused_state")
    assert provider.asked == []


def test_a_way_back_in_another_browser_is_refused(
    served: tuple[Site, Misbehaving], visit: Visit, provider: Misbehaving
) -> None:
    back = visit.http.get(visit.begin().headers["location"]).headers["location"]
    stranger, other = served[0].visitor(), served[0].visitor()
    other.begin()  # has a cookie, of a sign-in of its own
    assert_refused(stranger, stranger.http.get(back), "citizen.refused_browser")
    back = visit.http.get(visit.begin().headers["location"]).headers["location"]
    assert_refused(other, other.http.get(back), "citizen.refused_browser")
    assert provider.asked == []


def test_a_sign_in_that_took_longer_than_ten_minutes_is_refused(
    served: tuple[Site, Misbehaving], visit: Visit, provider: Misbehaving
) -> None:
    back = visit.http.get(visit.begin().headers["location"]).headers["location"]
    clock = served[0].clock
    clock.advance(minutes=11)
    try:
        assert_refused(visit, visit.http.get(back), "citizen.refused_state")
    finally:
        clock.advance(minutes=-11)


def test_somebody_who_says_no_at_the_provider_is_told_so(visit: Visit, provider: Misbehaving) -> None:
    provider.back = {"code": None, "error": "access_denied"}
    assert_refused(visit, sign_in(visit), "citizen.refused_by_provider")


def test_an_answer_in_the_name_of_another_provider_is_refused(visit: Visit, provider: Misbehaving) -> None:
    provider.back = {"iss": "https://id.example"}
    assert_refused(visit, sign_in(visit), "citizen.refused_issuer")
    assert provider.asked == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (JSONResponse({"error": "invalid_grant"}, 400), "citizen.refused_code"),
        (JSONResponse({"error": "invalid_client"}, 401), "citizen.refused_silent"),
        (PlainTextResponse("down", 503), "citizen.refused_silent"),
        (PlainTextResponse("<html>"), "citizen.refused_silent"),
        (JSONResponse([]), "citizen.refused_answer"),
        (JSONResponse({"access_token": "a"}), "citizen.refused_answer"),
    ],
)
def test_a_token_endpoint_that_gives_no_token_signs_nobody_in(
    visit: Visit, provider: Misbehaving, answer: Response, reason: str
) -> None:
    provider.token_answer = answer
    assert_refused(visit, sign_in(visit), reason)


def test_the_number_may_come_from_userinfo_of_the_same_person_only(visit: Visit, provider: Misbehaving) -> None:
    provider.edit = without("rnokpp")
    provider.userinfo = {"sub": "1", "rnokpp": MARIANA}
    assert sign_in(visit).url.path == "/mine"
    visit.http.cookies.delete("surma-session")
    provider.userinfo = {"sub": "2", "rnokpp": MARIANA}
    assert_refused(visit, sign_in(visit), "citizen.refused_answer")


def test_signing_in_anew_ends_the_session_before(visit: Visit, provider: Misbehaving) -> None:
    sign_in(visit)
    old = visit.http.cookies["surma-session"]
    sign_in(visit)
    assert visit.http.cookies["surma-session"] != old
    visit.http.cookies.set("surma-session", old)
    assert visit.http.get(f"{visit.base}/mine").status_code == 303


def test_the_cookie_that_follows_home_is_kept_from_scripts_and_from_other_sites(
    visit: Visit, provider: Misbehaving
) -> None:
    begun = visit.begin()
    assert "HttpOnly; SameSite=Lax" in begun.headers["set-cookie"]
    back = visit.http.get(begun.headers["location"]).headers["location"]
    cookies = visit.http.get(back).headers.get_list("set-cookie")
    session = next(one for one in cookies if one.startswith("surma-session="))
    assert "HttpOnly; SameSite=Lax" in session


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"])
def test_after_signing_in_nobody_is_led_to_another_site(visit: Visit, provider: Misbehaving, target: str) -> None:
    back = visit.http.get(visit.begin(target).headers["location"]).headers["location"]
    assert visit.http.get(back).headers["location"] == "/mine"


class TestWithoutBrowser:
    """The client alone, against a provider anew for each test: what it remembers of one must not help the next."""

    @pytest.fixture
    def fresh(self, provider: Misbehaving, served: tuple[Site, Misbehaving]) -> Iterator[OidcClient]:
        client = OidcClient(OidcSettings(issuer=provider.url), "http://127.0.0.1/login/callback", served[0].clock)
        yield client
        client.close()

    @pytest.mark.parametrize(
        ("metadata", "reason"),
        [
            ({"issuer": "https://id.example"}, "citizen.refused_issuer"),
            ({"token_endpoint": None}, "citizen.refused_answer"),
            ({"token_endpoint": "http://id.example/token"}, "citizen.refused_answer"),
            ({"authorization_endpoint": "javascript:alert(1)"}, "citizen.refused_answer"),
            ({"jwks_uri": 5}, "citizen.refused_answer"),
        ],
    )
    def test_a_discovery_document_that_cannot_be_trusted_is_refused(
        self, fresh: OidcClient, provider: Misbehaving, metadata: Claims, reason: str
    ) -> None:
        provider.metadata = metadata
        with pytest.raises(SignInError) as refused:
            fresh.authorization_url(new_attempt(), "uk")
        assert refused.value.text_id == reason

    def test_a_provider_that_names_itself_must_do_so_each_time(self, fresh: OidcClient, provider: Misbehaving) -> None:
        provider.metadata = {"authorization_response_iss_parameter_supported": True}
        fresh.check_issuer(provider.url)
        with pytest.raises(SignInError):
            fresh.check_issuer(None)

    def test_a_new_key_of_the_provider_is_asked_for_once_a_minute(
        self, fresh: OidcClient, provider: Misbehaving, served: tuple[Site, Misbehaving]
    ) -> None:
        claims = {
            "iss": provider.url,
            "aud": "surma-citizen",
            "sub": "1",
            "iat": STAMP,
            "exp": STAMP + 300,
            "nonce": "n",
        }
        fresh.verify(rogue.signed(claims), "n")
        renewed = jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, rogue.RSA_KEY)
        provider.keys = KeySet([rogue.RSA_KEY]).as_dict(private=False)
        with pytest.raises(SignInError):
            fresh.verify(renewed, "n")
        served[0].clock.advance(seconds=60)
        try:
            assert fresh.verify(renewed, "n")["sub"] == "1"
        finally:
            served[0].clock.advance(seconds=-60)

    @pytest.mark.parametrize("keys", [{"keys": "none"}, {}, {"keys": [{"kty": "EC"}]}])
    def test_keys_that_are_none_are_refused(self, fresh: OidcClient, provider: Misbehaving, keys: Claims) -> None:
        provider.keys = keys
        claims = {
            "iss": provider.url,
            "aud": "surma-citizen",
            "sub": "1",
            "iat": STAMP,
            "exp": STAMP + 300,
            "nonce": "n",
        }
        with pytest.raises(SignInError):
            fresh.verify(rogue.signed(claims), "n")

    @pytest.mark.parametrize(
        ("stated", "counted"),
        [
            ([{"code": "4541200105", "name": "Софія"}], (("4541200105", "Софія"),)),
            ([{"code": "4541200105"}], (("4541200105", "4541200105"),)),
            ([{"code": "4541200106", "name": "wrong check digit"}, "x", {"name": "y"}, None], ()),
            ("4541200105", ()),
            (None, ()),
        ],
    )
    def test_only_well_formed_represented_persons_count(
        self, fresh: OidcClient, provider: Misbehaving, stated: Any, counted: Any
    ) -> None:
        provider.edit = but(represents=stated)
        attempt = new_attempt()
        provider.nonce = attempt.nonce
        assert fresh.redeem("c-1", attempt) == Identity(MARIANA, "Ткаченко Мар'яна", counted)


@pytest.mark.parametrize(
    "issuer", ["http://id.example", "ftp://127.0.0.1", "", "id.example", "http://127.0.0.1.evil.example"]
)
def test_an_issuer_over_plain_http_elsewhere_is_refused(issuer: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        OidcSettings(issuer=issuer)


def test_all_who_wait_for_a_silent_provider_wait_for_it_once() -> None:
    asked = threading.Event()
    go_on = threading.Event()
    count = 0

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        nonlocal count
        if scope["type"] != "http":
            return
        count += 1
        asked.set()
        await asyncio.to_thread(go_on.wait, 10)
        await PlainTextResponse("", 500)(scope, receive, send)

    def sign_in() -> None:
        with pytest.raises(SignInError):
            client.authorization_url(new_attempt(), "en")

    with listening(silent) as url:
        client = OidcClient(OidcSettings(issuer=url), "http://127.0.0.1/back", FixedClock(NOW))
        waiting = [threading.Thread(target=sign_in) for _ in range(8)]
        waiting[0].start()
        assert asked.wait(10)
        for one in waiting[1:]:
            one.start()
        time.sleep(0.2)  # they wait for the one who asks
        go_on.set()
        for one in waiting:
            one.join()
        assert count == 1
        sign_in()
        assert count == 2  # who comes later asks anew
        client.close()
