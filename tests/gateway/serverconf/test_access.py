from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.serverconf.access import decide, endpoint_matches, granted_endpoints, rule_path
from gateway.serverconf.model import (
    AccessRight,
    Endpoint,
    ServerConf,
    ServiceKind,
    ServiceRecord,
    Subject,
)
from gateway.xroad.faults import AccessRefused
from gateway.xroad.identifiers import ClientId, GlobalGroupId, LocalGroupId, MemberId, ServiceId, SubsystemId
from tests.properties import paths

PROVIDER = SubsystemId(MemberId("TEST", "GOV", "1001"), "registry")
CLIENT = SubsystemId(MemberId("TEST", "COM", "2002"), "client")
GROUP = GlobalGroupId("TEST", "citizens")
FRIENDS = LocalGroupId("friends")
REST, SOAP = ServiceId(PROVIDER, "api"), ServiceId(PROVIDER, "GetPerson", "v1")
BASE = Endpoint(1)


def a_conf(*rights: tuple[Subject, str, Endpoint], **changes: Any) -> ServerConf:
    """A REST and a SOAP service, and these rights."""
    records = {
        REST: ServiceRecord(REST, ServiceKind.REST, "http://x/", 60, True, 1),
        SOAP: ServiceRecord(SOAP, ServiceKind.WSDL, "http://x/", 60, True, 2),
        **{
            id: ServiceRecord(id, ServiceKind.WSDL, "http://x/", 60, True, 2)
            for id in (ServiceId(PROVIDER, "GetPerson", "v2"), ServiceId(PROVIDER, "GetPerson"))
        },
    }
    given: dict[tuple[ClientId, str], tuple[AccessRight, ...]] = {}
    for subject, code, endpoint in rights:
        key = PROVIDER, code
        given[key] = (*given.get(key, ()), AccessRight(subject, code, endpoint, 0))
    return ServerConf(1, None, services=records, rights=given, **changes)


def may(
    conf: ServerConf, service: ServiceId = REST, *, client: ClientId = CLIENT, method: str | None = "GET",
    path: str | None = "/x", groups: frozenset[tuple[ClientId, GlobalGroupId]] = frozenset(),
) -> str:  # fmt: skip
    """The fault code, or `yes`."""
    try:
        decide(
            conf, client, service,
            method=method, path=path, in_global_group=lambda client, group: (client, group) in groups,
        )  # fmt: skip
    except AccessRefused as refused:
        return refused.code
    return "yes"


def may_soap(conf: ServerConf, service: ServiceId = SOAP, **options: Any) -> str:
    return may(conf, service, method=None, path=None, **options)


clients = st.sampled_from([CLIENT, CLIENT.member, PROVIDER, SubsystemId(CLIENT.member, "Client")])


class TestDecision:
    @given(clients, st.sampled_from(["GET", "POST", "TRACE"]), st.text())
    def test_without_a_right_everybody_is_refused(self, client: ClientId, method: str, path: str) -> None:
        assert may(a_conf(), client=client, method=method, path=path) == "access_denied"
        assert may_soap(a_conf(), client=client) == "access_denied"

    @given(clients)
    def test_right_is_that_of_the_exact_client(self, client: ClientId) -> None:
        conf = a_conf((CLIENT, "api", BASE))
        assert (may(conf, client=client) == "yes") is (client == CLIENT)

    def test_right_to_one_code_says_nothing_about_another(self) -> None:
        assert may(a_conf((CLIENT, "GetPerson", BASE))) == "access_denied"

    def test_right_of_another_provider_does_not_count(self) -> None:
        conf = a_conf()
        other = SubsystemId(PROVIDER.member, "other")
        rights = {(other, "api"): (AccessRight(CLIENT, "api", BASE, 0),)}
        assert may(replace(conf, rights=rights)) == "access_denied"

    @pytest.mark.parametrize("version", ["v1", "v2", None])
    def test_right_to_a_code_covers_every_version(self, version: str | None) -> None:
        assert may_soap(a_conf((CLIENT, "GetPerson", BASE)), ServiceId(PROVIDER, "GetPerson", version)) == "yes"

    def test_soap_is_covered_by_the_base_endpoint_only(self) -> None:
        assert may_soap(a_conf((CLIENT, "GetPerson", Endpoint(1, "*", "/**")))) == "access_denied"
        assert may_soap(a_conf((CLIENT, "GetPerson", Endpoint(1, "POST", "**")))) == "access_denied"
        assert may_soap(a_conf((CLIENT, "GetPerson", BASE))) == "yes"

    def test_unknown_service_comes_before_access(self) -> None:
        assert may(a_conf(), ServiceId(PROVIDER, "none")) == "unknown_service"
        assert may(a_conf((CLIENT, "api", BASE)), ServiceId(PROVIDER, "api", "v1")) == "unknown_service"

    def test_kind_of_call_comes_before_access(self) -> None:
        assert may(a_conf(), SOAP) == "service_type"
        assert may_soap(a_conf(), REST) == "service_type"

    def test_access_comes_before_the_notice_of_a_disabled_service(self) -> None:
        conf = a_conf((CLIENT, "api", BASE))
        closed = replace(conf.services[REST], disabled_notice="closed")
        conf = replace(conf, services={**conf.services, REST: closed})
        assert may(conf) == "service_disabled"
        assert may(conf, client=PROVIDER) == "access_denied"

    def test_notice_of_the_operator_is_told(self) -> None:
        conf = a_conf((CLIENT, "api", BASE))
        conf = replace(conf, services={REST: replace(conf.services[REST], disabled_notice="Зачинено")})
        with pytest.raises(AccessRefused) as refused:
            decide(conf, CLIENT, REST, method="GET", path="", in_global_group=lambda *_: False)
        assert refused.value.facts["notice"] == "Зачинено"

    def test_member_of_a_global_group_may_call(self) -> None:
        conf = a_conf((GROUP, "api", BASE))
        assert may(conf, groups=frozenset({(CLIENT, GROUP)})) == "yes"
        assert may(conf, groups=frozenset({(CLIENT.member, GROUP)})) == "access_denied"

    def test_local_group_is_that_of_the_provider(self) -> None:
        conf = a_conf((FRIENDS, "api", BASE))
        assert may(replace(conf, local_groups={(PROVIDER, "friends"): frozenset({CLIENT})})) == "yes"
        assert may(replace(conf, local_groups={(CLIENT, "friends"): frozenset({CLIENT})})) == "access_denied"
        assert may(replace(conf, local_groups={(PROVIDER, "others"): frozenset({CLIENT})})) == "access_denied"


class TestRules:
    @pytest.mark.parametrize(
        ("rule", "path", "covers"),
        [
            ("**", "", True),
            ("**", "/a/b", True),
            ("/a", "/a", True),
            ("/a", "/a/", False),
            ("/a", "/ab", False),
            ("/a", "/A", False),
            ("/*", "/a", True),
            ("/*", "/", True),
            ("/*", "/a/b", False),
            ("/*/b", "/a/b", True),
            ("/*/b", "/a/c/b", False),
            ("/a/**", "/a/b/c", True),
            ("/a/**", "/a/", True),
            ("/a/**", "/a", False),
            ("/**/c", "/a/b/c", True),
            ("/**/c", "/a/b/cd", False),
            ("/a*c", "/abbc", True),
            ("/a*c", "/a/c", False),
            (r"/\*", "/*", True),
            (r"/\*", "/a", False),
            (r"/a\b", r"/a\b", True),
            ("/a.b", "/axb", False),
            ("/[ab]", "/a", False),
            ("/a%2Fb", "/a%2Fb", True),
            ("/a%2Fb", "/a/b", False),
            ("/a/**", "/a/\n", True),
        ],
    )
    def test_rule_is_read_as_the_reference_reads_it(self, rule: str, path: str, covers: bool) -> None:
        assert endpoint_matches("*", rule, "GET", path) is covers

    @pytest.mark.parametrize(
        ("rule", "method", "covers"), [("*", "PUT", True), ("GET", "get", True), ("GET", "PUT", False)]
    )
    def test_method_must_be_the_rules(self, rule: str, method: str, covers: bool) -> None:
        assert endpoint_matches(rule, "**", method, "/x") is covers

    @given(
        st.lists(st.sampled_from(["*", "**", "/", "a", "b", r"\*"]), max_size=8).map("".join),
        st.text(alphabet="/ab*", max_size=10),
    )
    def test_rule_means_what_its_regular_expression_means(self, rule: str, path: str) -> None:
        pieces = re.findall(r"\\\*|\*\*|\*|.", rule)
        table = {"**": ".*", "*": "[^/]*", r"\*": r"\*"}
        expression = "".join(table.get(piece) or re.escape(piece) for piece in pieces)
        assert endpoint_matches("*", rule, "GET", path) is bool(re.fullmatch(expression, path, re.DOTALL))

    def test_long_path_does_not_keep_us_busy(self) -> None:
        rule = "/**/a" * 8 + "/z"
        assert not endpoint_matches("*", rule, "GET", "/a" * 4000)


UNRESERVED = "ABCXYZabcxyz019-._~"
ANY_SPELLING = st.sampled_from(["a", "%61", "~", "%7E", "%7e", "é", "/", "%2F", "%2f", "%25", "%252F", "%", "%41", "-"])


class TestSpellings:
    @given(st.lists(st.sampled_from([*UNRESERVED, "/", "%2F", "%25", "%C3%A9", "%3A"]), max_size=12))
    def test_equivalent_spellings_are_one_path(self, pieces: list[str]) -> None:
        """RFC 3986 6.2.2: hexadecimal digits in any case, unreserved characters escaped or not."""
        plain = "".join(pieces)
        lower = "".join(piece.lower() if piece.startswith("%") else piece for piece in pieces)
        escaped = "".join(f"%{ord(piece):02x}" if piece in UNRESERVED else piece for piece in pieces)
        assert rule_path(plain) == rule_path(lower) == rule_path(escaped)

    @given(st.text(alphabet="abc~é", max_size=5), st.text(alphabet="abc~é", max_size=5))
    def test_escaped_slash_is_not_a_slash(self, before: str, after: str) -> None:
        raw_before, raw_after = quote(before), quote(after)
        assert rule_path(f"/{raw_before}%2F{raw_after}") != rule_path(f"/{raw_before}/{raw_after}")
        assert not endpoint_matches("*", f"/{before}/{after}", "GET", rule_path(f"/{raw_before}%2f{raw_after}"))

    @given(st.lists(ANY_SPELLING, max_size=10).map("".join))
    def test_path_is_decoded_once(self, path: str) -> None:
        assert rule_path(path).count("/") == path.count("/")
        assert rule_path("%252F" + path) == "%252F" + rule_path(path)

    @pytest.mark.parametrize("raw", ["%FF", "%C3", "%00", "%", "%zz"])
    def test_escapes_that_are_no_text_are_told_apart(self, raw: str) -> None:
        assert endpoint_matches("*", "/*", "GET", rule_path(f"/{raw}"))
        assert not endpoint_matches("*", "/x", "GET", rule_path(f"/{raw}"))

    @given(st.data())
    def test_no_rule_judges_two_spellings_of_a_path_differently(self, data: st.DataObject) -> None:
        path = data.draw(paths.service_paths)
        other = data.draw(paths.spellings_of(path))
        rule = data.draw(rules | st.just(exactly(path)))
        verdicts = {may(a_conf((CLIENT, "api", Endpoint(1, "*", rule))), path=rule_path(p)) for p in (path, other)}
        assert len(verdicts) == 1

    @given(paths.service_paths.filter(lambda path: "/" in path[1:]), st.sampled_from(["%2F", "%2f"]), st.data())
    def test_rule_for_a_path_never_covers_the_same_with_an_escaped_slash(
        self, path: str, escaped: str, data: st.DataObject
    ) -> None:
        at = data.draw(st.sampled_from([i for i, c in enumerate(path) if c == "/"]))
        joined = path[:at] + escaped + path[at + 1 :]
        conf = a_conf((CLIENT, "api", Endpoint(1, "*", exactly(path))))
        assert may(conf, path=rule_path(path)) == "yes"
        assert may(conf, path=rule_path(joined)) == "access_denied"


rules = st.lists(st.sampled_from(["*", "**", "/", "a", "x", "~", "%2F", "%25", ";", r"\*"]), max_size=8).map("".join)


def exactly(path: str) -> str:
    """The rule that names this path and no other."""
    return rule_path(path).replace("*", r"\*")


def test_granted_endpoints_are_those_of_the_client_and_of_its_groups() -> None:
    read, write, all_of_it = Endpoint(2, "GET", "/a/*"), Endpoint(3, "POST", "/a"), Endpoint(4)
    conf = a_conf(
        (CLIENT, "api", read), (PROVIDER, "api", write), (GROUP, "api", all_of_it), (FRIENDS, "other", all_of_it),
        local_groups={(PROVIDER, "friends"): frozenset({CLIENT})},
    )  # fmt: skip
    assert granted_endpoints(conf, CLIENT, REST, lambda client, group: False) == (read,)
    assert granted_endpoints(conf, CLIENT, REST, lambda client, group: True) == (read, all_of_it)
    assert granted_endpoints(conf, CLIENT, ServiceId(PROVIDER, "other"), lambda client, group: False) == (all_of_it,)
    assert granted_endpoints(conf, CLIENT, SOAP, lambda client, group: True) == ()
