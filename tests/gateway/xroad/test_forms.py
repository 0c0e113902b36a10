"""Texts are found where they stood in the last document of the form, and nowhere else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.forms import MAX_LENGTHS, MAX_PER_LENGTH, Forms

PIECES = st.lists(st.binary(max_size=6), min_size=1, max_size=5)


def assembled(around: list[bytes], texts: list[bytes]) -> tuple[bytes, list[tuple[int, int]]]:
    document, spans = b"", []
    for piece, text in zip(around, [*texts, None], strict=True):
        document += piece
        if text is not None:
            spans.append((len(document), len(document) + len(text)))
            document += text
    return document, spans


@given(st.data(), st.binary(max_size=8))
def test_texts_of_the_same_lengths_are_found_in_the_same_form(data: st.DataObject, behind: bytes) -> None:
    around = data.draw(PIECES)
    first = data.draw(st.lists(st.binary(max_size=5), min_size=len(around) - 1, max_size=len(around) - 1))
    second = [data.draw(st.binary(min_size=len(text), max_size=len(text))) for text in first]
    forms = Forms[str]()
    document, spans = assembled(around, first)
    forms.remember(document, len(document), spans, "kept")

    other, _ = assembled(around, second)
    assert forms.find(other + behind, len(other)) == (tuple(second), "kept")


@given(st.binary(min_size=4, max_size=12), st.data())
def test_any_other_byte_around_a_text_is_another_form(document: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(document) - 1))
    end = data.draw(st.integers(start, len(document) - 1))
    forms = Forms[str]()
    forms.remember(document, len(document), [(start, end)], "kept")
    place = data.draw(st.sampled_from([n for n in range(len(document)) if not start <= n < end]))
    changed = document[:place] + bytes([document[place] ^ 1]) + document[place + 1 :]

    assert forms.find(changed, len(changed)) is None
    assert forms.find(document[:-1], len(document) - 1) is None


def test_senders_whose_documents_have_one_length_are_told_apart() -> None:
    forms = Forms[int]()
    for sender in range(MAX_PER_LENGTH):
        forms.remember(b"%d<text>" % sender, 7, [(2, 6)], sender)

    assert [forms.find(b"%d<TEXT>" % sender, 7) for sender in range(MAX_PER_LENGTH)] == [
        ((b"TEXT",), sender) for sender in range(MAX_PER_LENGTH)
    ]
    forms.remember(b"9<text>", 7, [(2, 6)], 9)
    assert forms.find(b"0<text>", 7) is None


def test_only_so_many_lengths_are_kept() -> None:
    forms = Forms[int]()
    for length in range(1, MAX_LENGTHS + 2):
        forms.remember(b"x" * length, length, [(0, 1)], length)

    assert forms.find(b"x", 1) is None
    assert forms.find(b"x" * (MAX_LENGTHS + 1), MAX_LENGTHS + 1) is not None
