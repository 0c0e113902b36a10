from __future__ import annotations

from gateway.configuration_client.locations import Location, candidates
from gateway.xroad.globalconf.anchor import Anchor, AnchorSource
from gateway.xroad.globalconf.shared_parameters import ConfigurationSource
from tests.factories.globalconf import a_shared_parameters

ANCHOR = Anchor(
    "TEST",
    (
        AnchorSource("http://cs1.test:8880/internalconf", (b"a",)),
        AnchorSource("https://cs2.test/internalconf", (b"a",)),
    ),
)
SHARED = a_shared_parameters(
    sources=(
        ConfigurationSource("new.test:8880", (b"internal",), (b"external",)),
        ConfigurationSource("also.test", (b"i",), ()),
    ),
)


def _reverse(locations: list[Location]) -> None:
    locations.reverse()


def _keep(locations: list[Location]) -> None:
    pass


def _urls(anchor: Anchor = ANCHOR, **options: object) -> list[str]:
    found = candidates(anchor, **{"shared": None, "last_url": None, "shuffle": _keep, **options})  # type: ignore[arg-type]
    return [location.url for location in found]


def test_https_is_derived_from_http_on_the_same_host_and_port_and_tried_first() -> None:
    assert _urls() == ["https://cs1.test:8880/internalconf", "http://cs1.test:8880/internalconf"]


def test_an_anchor_of_https_addresses_alone_gives_no_candidate() -> None:
    assert _urls(Anchor("TEST", ANCHOR.sources[1:])) == []


def test_addresses_of_the_shared_parameters_come_first() -> None:
    assert _urls(shared=SHARED) == [
        "https://new.test:8880/internalconf",
        "https://also.test/internalconf",
        "http://new.test:8880/internalconf",
        "http://also.test/internalconf",
        "https://cs1.test:8880/internalconf",
        "http://cs1.test:8880/internalconf",
    ]


def test_each_kind_is_shuffled_by_itself() -> None:
    assert _urls(shared=SHARED, shuffle=_reverse)[:4] == [
        "https://also.test/internalconf",
        "https://new.test:8880/internalconf",
        "http://also.test/internalconf",
        "http://new.test:8880/internalconf",
    ]


def test_the_address_that_worked_last_comes_before_all() -> None:
    last = "http://cs1.test:8880/internalconf"
    assert _urls(shared=SHARED, last_url=last)[0] == last
    assert len(_urls(shared=SHARED, last_url=last)) == 6


def test_keys_of_announced_sources_are_those_of_the_directory_name() -> None:
    def certificates(directory: str) -> tuple[bytes, ...]:
        anchor = Anchor("TEST", (AnchorSource(f"http://cs1.test/{directory}", (b"a",)),))
        return candidates(anchor, SHARED, last_url=None, shuffle=_keep)[0].certificates

    assert certificates("internalconf") == (b"internal",)
    assert certificates("externalconf") == (b"external",)
    assert certificates("proxy/conf") == (b"internal", b"external")


def test_an_announced_address_that_is_none_is_passed_over() -> None:
    odd = a_shared_parameters(
        sources=(ConfigurationSource("user@evil.test/x?y", (b"i",)), ConfigurationSource("", (b"i",)))
    )
    assert len(_urls(shared=odd)) == 2


def test_an_announced_address_without_keys_is_passed_over() -> None:
    assert len(_urls(shared=a_shared_parameters(sources=(ConfigurationSource("new.test"),)))) == 2


def test_an_address_given_twice_is_tried_once_with_the_keys_of_both() -> None:
    shared = a_shared_parameters(sources=(ConfigurationSource("cs1.test:8880", (b"b", b"a")),))
    found = candidates(ANCHOR, shared, last_url=None, shuffle=_keep)
    assert [location.certificates for location in found] == [(b"b", b"a"), (b"b", b"a")]
