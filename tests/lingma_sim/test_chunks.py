import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_sim import chunks
from lingma_sim.chunks import DRAFT, Chunk, Told, tell
from lingma_sim.faults import KINDS, Values


def joined(told: Told) -> str:
    """What a client that follows the protocol makes of it."""
    text = ""
    for chunk in told.chunks:
        text = chunk.text if chunk.overwrite else text + chunk.text
    return text or told.full_answer


CASES: dict[str, tuple[Values, int, list[Chunk], str]] = {
    "plain": (Values(), 2, [Chunk("ab"), Chunk("cd")], ""),
    "extend": (Values(overwrite="extend"), 2, [Chunk("ab"), Chunk("abcd", True)], ""),
    "replace": (Values(overwrite="replace"), 2, [Chunk(DRAFT), Chunk("ab", True), Chunk("cd")], ""),
    "each": (Values(overwrite="each"), 2, [Chunk("ab", True), Chunk("abcd", True)], ""),
    "empty": (Values({"empty-chunks": "1"}), 1, [Chunk(""), Chunk("abcd"), Chunk("")], ""),
    "same": (Values({"full-answer": "same"}), 1, [Chunk("abcd")], "abcd"),
    "only": (Values({"full-answer": "only"}), 3, [], "abcd"),
    "longer": (Values({"full-answer": "longer"}), 1, [Chunk("abcd")], "abcd" + chunks.REST),
    "different": (Values({"full-answer": "different"}), 1, [Chunk("abcd")], "not this: abcd"),
    "something in the middle": (Values(disconnect="abort"), 1, [Chunk("ab"), Chunk("cd")], ""),
}


@pytest.mark.parametrize("name", CASES)
def test_an_answer_is_told_as_the_faults_say(name: str) -> None:
    faults, parts, wanted, full_answer = CASES[name]
    assert tell("abcd", parts, faults) == Told("abcd", tuple(wanted), full_answer)


def test_no_answer_is_told_by_nothing() -> None:
    assert tell("abcd", 3, Values({"no-answer": "", "full-answer": "same"})) == Told("", ())


@given(st.text(min_size=1), st.integers(1, 9), st.sampled_from(["", *KINDS["overwrite"].choices]), st.booleans())
def test_whatever_the_faults_a_client_can_join_the_answer(text: str, parts: int, overwrite: str, empty: bool) -> None:
    faults = Values(overwrite=overwrite)
    if empty:
        faults["empty-chunks"] = "2"
    assert joined(tell(text, parts, faults)) == text


def test_reasoning_and_tools_may_be_fenced_in_the_text() -> None:
    assert chunks.fenced_thought("hm", 12) == "````think::12\nhm\n````\n"
    assert chunks.fenced_tool("list_dir", "call_1") == "```toolCall::list_dir::call_1::INIT\n```\n"
