import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.answers.budget import TokenBudget
from lingma_gateway.events import PartKind
from lingma_gateway.tokens import estimate
from tests.lingma_gateway.support_events import Pieces, cut_pieces, joined

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
spoken: st.SearchStrategy[Pieces] = st.lists(
    st.tuples(st.sampled_from([PartKind.TEXT, PartKind.REASONING]), st.text("abcd 、中", min_size=1, max_size=60)),
    max_size=4,
)


def through(pieces: Pieces, limit: int | None) -> tuple[Pieces, TokenBudget]:
    """What came through, joined."""
    budget = TokenBudget(limit)
    out = [each for kind, text in pieces for each in budget.take(kind, text)]
    return joined([*out, *budget.release()]), budget


def text_through(text: str, limit: int) -> str:
    return "".join(text for _, text in through([(PartKind.TEXT, text)], limit)[0])


@given(spoken, st.integers(0, 60), st.data())
def test_however_an_answer_is_cut_the_same_fits(pieces: Pieces, limit: int, data: st.DataObject) -> None:
    whole, budget = through(pieces, limit)
    chunked, other = through(data.draw(cut_pieces(pieces)), limit)
    assert chunked == whole
    assert (other.exceeded, other.tokens, other.reasoning_tokens) == (
        budget.exceeded,
        budget.tokens,
        budget.reasoning_tokens,
    )


@given(spoken, st.integers(0, 60))
def test_what_fits_is_a_beginning_within_the_limit(pieces: Pieces, limit: int) -> None:
    whole, budget = through(pieces, limit)
    everything = joined(pieces)
    assert budget.tokens <= limit
    if budget.exceeded:
        assert "".join(text for _, text in everything).startswith("".join(text for _, text in whole))
    else:
        assert whole == everything


@given(spoken)
def test_without_a_limit_everything_goes_through_at_once_and_is_counted(pieces: Pieces) -> None:
    budget = TokenBudget(None)
    assert [each for kind, text in pieces for each in budget.take(kind, text)] == pieces
    assert budget.release() == []
    by_kind = {kind: "".join(text for each, text in pieces if each is kind) for kind in PartKind}
    assert budget.reasoning_tokens == estimate(by_kind[PartKind.REASONING])
    assert budget.tokens == sum(estimate(text) for text in by_kind.values())


@pytest.mark.parametrize("limit", [3, 9, 14, 20])
def test_an_answer_is_cut_at_the_end_of_a_word(limit: int) -> None:
    kept = text_through(WORDS, limit)
    assert WORDS.startswith(kept)
    assert kept.rstrip().split() == WORDS.split()[: len(kept.split())]
    assert limit - 3 <= estimate(kept) <= limit


def test_a_word_that_is_complete_where_the_limit_is_stays() -> None:
    assert text_through("four words next", 2) == "four words"


@pytest.mark.parametrize("text", ["x" * 1000, "x" * 7 + " y"])
def test_a_lone_long_word_is_cut_inside(text: str) -> None:
    assert text_through(text, 1) == "xxxxx"


def test_a_word_longer_than_the_last_few_tokens_is_cut_where_these_begin() -> None:
    kept = text_through("say " + "x" * 1000, 50)
    assert 40 <= estimate(kept) <= 43


def test_reasoning_uses_up_the_budget_too() -> None:
    pieces, budget = through([(PartKind.REASONING, "a b c d e f "), (PartKind.TEXT, "g h i j k l")], 4)
    assert [kind for kind, _ in pieces] == [PartKind.REASONING, PartKind.TEXT]
    assert budget.exceeded
    assert budget.tokens == 4


def test_chinese_is_cut_between_any_two_characters() -> None:
    assert text_through("这是一个很长的句子", 4) == "这是一个很长"


def test_far_from_the_limit_nothing_is_held_back() -> None:
    assert TokenBudget(100).take(PartKind.TEXT, "half a wor") == [(PartKind.TEXT, "half a wor")]


def test_near_the_limit_an_unfinished_word_is_held_back_until_it_is_complete() -> None:
    budget = TokenBudget(8)
    assert budget.take(PartKind.TEXT, "half a wor") == [(PartKind.TEXT, "half a ")]
    assert budget.take(PartKind.TEXT, "d of") == [(PartKind.TEXT, "word ")]
    assert budget.take(PartKind.REASONING, "hm.") == [(PartKind.TEXT, "of"), (PartKind.REASONING, "hm.")]
