"""Every page in both languages: whole, in order, and in one language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import httpx
import pytest

from gateway.runtime.texts import LANGUAGES
from tests.gateway.auditing.console.site import Site, tree_of

# Numbers of exchanges in the log of the site.
SOAP, REST, UNSTAMPED, REFUSED, FLOOD = 1, 3, 5, 20, 21
PAGES = (
    "/audit",
    "/audit/search",
    "/audit/search?search=1",
    "/audit/search?since=2026-02-30&client=x&outcome=odd",
    "/audit/search?issue=nothing-like-it&since=2026-11-21",
    f"/audit/exchanges/{SOAP}",
    f"/audit/exchanges/{REST}",
    f"/audit/exchanges/{UNSTAMPED}",
    f"/audit/exchanges/{REFUSED}",
    f"/audit/exchanges/{FLOOD}",
    f"/audit/exchanges/{SOAP}/report",
    f"/audit/exchanges/{REFUSED}/report",
    "/audit/exports",
    "/audit/exports/new?issue=alpha*",
    "/audit/sample?issue=alpha*",
    "/audit/sample?size=3&seed=17&through=19",
    "/audit/sample?size=0&seed=",
    "/audit/completeness",
    "/audit/help",
    "/audit/exchanges/4711",
)
# Latin words that stand in Ukrainian sentences: names of protocols, formats, fields and of the test's own things.
NAMES = {
    "getperson", "persons", "root", "service", "test", "tsa", "olena",
    "csv", "english", "europe", "icao", "id", "ids", "json", "kyiv", "ocsp", "purpose", "request", "rest", "rfc",
    "road", "seed", "sha", "soap", "surma", "utc", "utf", "uxp", "xml", "zip", "issue", "verify", "asice", "conf",
    "checkpoint", "missing", "jsonl",
}  # fmt: skip
WORD = re.compile(r"(?<![\w/.@=-])[A-Za-z]{3,}(?![\w/=@-]|\.\w)")
TEXT_ID = re.compile(r"\b(?:audit|auditing|console|accounts|asic)\.[a-z_]+(?:\.[a-z_0-9]+)*\b")


_fetched: dict[tuple[str, str, str], httpx.Response] = {}


def page_of(site: Site, path: str, language: str) -> httpx.Response:
    """The page, which all these tests read and none changes."""
    key = (site.url, path, language)
    if key not in _fetched:
        _fetched[key] = site.visit("olena", language).get(path)
    return _fetched[key]


def sentences(tree: Any) -> Iterator[str]:
    """What is written in the language of the page: no identifiers, contents, times or foreign parts."""
    for element in tree.xpath("//body//*[not(self::script)]"):
        inside = [element, *element.iterancestors()]
        if any(_is_foreign(one) for one in inside):
            continue
        yield element.text or ""
        yield from (child.tail or "" for child in element)


def _is_foreign(element: Any) -> bool:
    classes = (element.get("class") or "").split()
    return "code" in classes or element.get("translate") == "no" or element.get("lang") == "en"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PAGES)
def test_no_page_shows_the_id_of_a_text(site: Site, path: str, language: str) -> None:
    answer = page_of(site, path, language)
    assert answer.status_code in (200, 404)
    shown = " ".join(sentences(tree_of(answer)))
    assert TEXT_ID.findall(shown) == []
    assert "{" not in shown


@pytest.mark.parametrize("path", PAGES)
def test_ukrainian_pages_have_no_english_words(site: Site, path: str) -> None:
    words = {word.lower() for text in sentences(tree_of(page_of(site, path, "uk"))) for word in WORD.findall(text)}
    assert words - NAMES == set()


@pytest.mark.parametrize("path", PAGES)
def test_english_pages_have_no_ukrainian_words(site: Site, path: str) -> None:
    tree = tree_of(page_of(site, path, "en"))
    for foreign in tree.xpath("//*[@lang='uk']"):
        foreign.drop_tree()
    assert re.findall(r"[\u0400-\u04ff]+", tree.text_content()) == []


def test_titles_differ(site: Site) -> None:
    titles = [tree_of(page_of(site, path, "uk")).findtext(".//title") for path in PAGES]
    same = {(a, b) for a in PAGES for b in PAGES if a < b and titles[PAGES.index(a)] == titles[PAGES.index(b)]}
    assert {tuple(sorted(path.partition("?")[0] for path in pair)) for pair in same} <= {
        ("/audit/search", "/audit/search"),
        ("/audit/sample", "/audit/sample"),
    }


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_one_heading_of_the_first_level_and_skip_none(site: Site, path: str) -> None:
    levels = [int(heading.tag[1]) for heading in tree_of(page_of(site, path, "en")).xpath("//h1|//h2|//h3|//h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("path", PAGES)
def test_every_field_has_a_label_and_every_id_is_alone(site: Site, path: str) -> None:
    tree = tree_of(page_of(site, path, "en"))
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    labelled = set(tree.xpath("//label/@for"))
    fields = tree.xpath("//input[not(@type='hidden')]/@id | //select/@id | //textarea/@id")
    assert set(fields) <= labelled
    for described in tree.xpath("//@aria-describedby | //@aria-labelledby"):
        assert set(described.split()) <= set(ids)


@pytest.mark.parametrize("path", PAGES)
def test_table_headers_say_what_they_head(site: Site, path: str) -> None:
    tree = tree_of(page_of(site, path, "en"))
    assert all(cell.get("scope") in ("col", "row") for cell in tree.xpath("//th"))
    assert all(table.find("caption") is not None for table in tree.xpath("//table"))


@pytest.mark.parametrize("path", PAGES)
def test_no_page_needs_script_or_style_of_its_own(site: Site, path: str) -> None:
    answer = page_of(site, path, "en")
    tree = tree_of(answer)
    assert tree.xpath("//script | //style | //@style | //@onclick | //@onload") == []
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", ["/audit", "/audit/search", "/audit/exports", "/audit/completeness", "/audit/help"])
def test_navigation_says_where_one_is(site: Site, path: str) -> None:
    tree = tree_of(page_of(site, path, "en"))
    assert tree.xpath("//nav//a[@aria-current='page']/@href") == [path]


class _Balance(HTMLParser):
    """Counts what was opened and not closed."""

    VOID = frozenset({"meta", "link", "input", "br", "wbr", "img", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize("path", PAGES)
def test_markup_is_closed_in_its_order(site: Site, path: str) -> None:
    balance = _Balance()
    balance.feed(page_of(site, path, "en").text)
    assert (balance.wrong, balance.open) == ([], [])
