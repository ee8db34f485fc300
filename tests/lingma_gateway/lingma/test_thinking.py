"""Reasoning in a fence inside the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.events import PartKind
from lingma_gateway.lingma.thinking import ThinkingSplitter

TEXT, REASONING = PartKind.TEXT, PartKind.REASONING


def split(chunks: list[str]) -> list[tuple[PartKind, str]]:
    """The pieces, neighbours of one kind joined."""
    splitter = ThinkingSplitter()
    joined: list[tuple[PartKind, str]] = []
    for kind, text in [piece for chunk in chunks for piece in splitter.feed(chunk)] + splitter.finish():
        assert text
        if joined and joined[-1][0] is kind:
            joined[-1] = (kind, joined[-1][1] + text)
        else:
            joined.append((kind, text))
    return joined


CASES = {
    "plain text": ("Hello\nworld", [(TEXT, "Hello\nworld")]),
    "a fence, then the answer": (
        "````think::12\nbecause\nso\n````\nAnswer",
        [(REASONING, "because\nso\n"), (TEXT, "Answer")],
    ),
    "a fence after text": ("One\n````think::1\nx\n````\nTwo", [(TEXT, "One\n"), (REASONING, "x\n"), (TEXT, "Two")]),
    "a fence without milliseconds": ("````think::\nx\n````\n", [(REASONING, "x\n")]),
    "lines that end as on Windows": ("````think::1\r\nx\r\n````\r\nA", [(REASONING, "x\r\n"), (TEXT, "A")]),
    "a fence that the end closes": ("````think::1\nx\n````", [(REASONING, "x\n")]),
    "a fence that is never closed": ("````think::1\nx", [(REASONING, "x")]),
    "a fence in the middle of a line": ("see ````think::1\nx", [(TEXT, "see ````think::1\nx")]),
    "a fence with words in its head": ("````think::soon\nx", [(TEXT, "````think::soon\nx")]),
    "another block of four ticks": ("````md\n```\ncode\n```\n````\n", [(TEXT, "````md\n```\ncode\n```\n````\n")]),
    "three ticks inside reasoning": ("````think::1\n```\ny\n```\n````\nA", [(REASONING, "```\ny\n```\n"), (TEXT, "A")]),
    "a head that the end cuts": ("````think::1", [(TEXT, "````think::1")]),
    "the beginning of a head at the end": ("Hi\n````th", [(TEXT, "Hi\n````th")]),
    "four ticks and a word inside reasoning": ("````think::1\n````x\n", [(REASONING, "````x\n")]),
    "nothing": ("", []),
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("case", CASES)
def test_reasoning_is_told_from_text_however_it_is_cut(case: str, size: int) -> None:
    text, expected = CASES[case]
    assert split([text[start : start + size] for start in range(0, len(text), size)]) == expected


@given(st.lists(st.sampled_from(["````think::", "````", "`", "7", "\n", "a", "\r", "x y"])), st.data())
def test_any_cut_gives_the_same_pieces(tokens: list[str], data: st.DataObject) -> None:
    text = "".join(tokens)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert split(chunks) == split([text])


def test_plain_text_is_never_held_back() -> None:
    splitter = ThinkingSplitter()
    assert splitter.feed("no ticks") == [(TEXT, "no ticks")]
    assert splitter.feed(" and `one`, too") == [(TEXT, " and `one`, too")]
