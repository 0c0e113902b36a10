from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.identifiers import ServiceId, encode_path
from gateway.xroad.rest.target import MAX_TARGET, parse_target
from tests.factories.messages import a_service
from tests.properties import identifiers

BASE = "/r1/UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons"


def refused(target: str) -> str:
    with pytest.raises(MalformedMessage) as caught:
        parse_target(target)
    return caught.value.code


@pytest.mark.parametrize(
    ("rest", "service_path", "query"),
    [
        ("", "", None),
        ("/", "/", None),
        ("/a/b", "/a/b", None),
        ("//a//", "//a//", None),
        ("?", "", ""),
        ("?x=1&y=/?:", "", "x=1&y=/?:"),
        ("/a%20b%2Fc?q=%D0%84", "/a%20b%2Fc", "q=%D0%84"),
        ("/a;p=1/b,c?a[0]=1", "/a;p=1/b,c", "a[0]=1"),
        ("/...", "/...", None),
        ("/.well-known/a.b..c", "/.well-known/a.b..c", None),
    ],
)
def test_service_path_and_query_stay_as_they_were_written(rest: str, service_path: str, query: str | None) -> None:
    target = parse_target(BASE + rest)
    assert (target.service, target.service_path, target.query) == (a_service("persons"), service_path, query)
    assert target.raw == BASE + rest


def test_identifiers_are_decoded_after_the_path_is_split() -> None:
    service = parse_target("/r1/EE/G%4FV/BAR%2FSERVICE/%D0%84/s%3Fv/x").service
    assert service.parts == ("EE", "GOV", "BAR/SERVICE", "Є", "s?v")


@given(identifiers.rest_services, st.sampled_from(["", "/", "/a?b=c"]))
def test_service_that_was_encoded_is_read_back(service: ServiceId, rest: str) -> None:
    dotted = {piece for part in service.parts for piece in part.replace("\\", "/").split("/")}
    if any(piece.split(";")[0] in (".", "..") for piece in dotted):
        return
    assert parse_target(f"/r1/{encode_path(service)}{rest}").service == service


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "/r1",
        "/r1/UA/GOV/1/SUB",
        "/r1/UA/GOV/1//svc",
        "/r1/UA/GOV/1/SUB/",
        "/r2/UA/GOV/1/SUB/svc",
        "/R1/UA/GOV/1/SUB/svc",
        "r1/UA/GOV/1/SUB/svc",
        "//r1/UA/GOV/1/SUB/svc",
        "http://host/r1/UA/GOV/1/SUB/svc",
        BASE + "/a b",
        BASE + "/ї",
        BASE + "?q=ї",
        BASE + "/%zz",
        BASE + "/%2",
        BASE + '/"',
        BASE + "/a#b",
        BASE + "/[",
        BASE + "?a|b",
        BASE + "/\x00",
        BASE + "/a\r\nX: y",
        "/r1/UA/GOV/1/SUB/%FF",
        BASE + "/" + "a" * MAX_TARGET,
    ],
)
def test_unusable_target_is_refused_as_the_reference_does(target: str) -> None:
    assert refused(target) == "internal_error"


@pytest.mark.parametrize(
    "segment",
    [".", "..", "%2e", "%2E%2e", ".%2e", "%2e.", "..%2fadmin", "a%2f..", "..%5Cadmin", "..;a=b", ".;", "%2e%2e%3B"],
)
@pytest.mark.parametrize("place", ["/{}", "/a/{}", "/{}/b", "/{}/"])
def test_dot_segment_in_any_spelling_is_refused(segment: str, place: str) -> None:
    assert refused(BASE + place.format(segment)) == "internal_error"


def test_dot_segment_among_the_identifiers_is_refused() -> None:
    assert refused("/r1/UA/GOV/1/%2e%2e/svc") == "internal_error"


@given(st.text() | st.text(max_size=30).map(lambda text: f"{BASE}/{text}"))
def test_any_target_is_read_or_refused(target: str) -> None:
    with contextlib.suppress(XRoadFault):
        assert parse_target(target).raw == target


@given(st.text(st.sampled_from("aZ09-._~%/AF"), max_size=6))
def test_spellings_that_mean_the_same_are_never_taken_for_another(path: str) -> None:
    # What a path names after RFC 3986 normalisation is what it names before it, or it is refused.
    try:
        target = parse_target(f"{BASE}/{path}")
    except XRoadFault:
        return
    assert target.service == a_service("persons")
    assert target.service_path == f"/{path}"
