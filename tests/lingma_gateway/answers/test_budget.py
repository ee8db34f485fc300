import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.answers.budget import TokenBudget
from lingma_gateway.events import PartKind
from lingma_gateway.tokens import estimate
from tests.lingma_gateway.support_events import Pieces, cut_pieces, joined

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
spoken: st.SearchStrategy[Pieces] = st.lists(
    st.tuples(st.sampled_from([PartKind.TEXT, PartKind.REASONING]), st.text("abC1 、中", min_size=1, max_size=60)),
    max_size=4,
)


def through(pieces: Pieces, limit: int | None) -> tuple[Pieces, TokenBudget]:
    """What came through, joined."""
    budget = TokenBudget(limit)
    fitting = Pieces()
    for kind, text in pieces:
        fitting.append((kind, budget.take(kind, text)))
        if budget.exceeded:
            break
    return joined(fitting), budget


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
def test_without_a_limit_everything_goes_through_and_is_counted(pieces: Pieces) -> None:
    budget = TokenBudget(None)
    assert [(kind, budget.take(kind, text)) for kind, text in pieces] == pieces
    assert not budget.exceeded
    by_kind = {kind: "".join(text for each, text in pieces if each is kind) for kind in PartKind}
    assert budget.reasoning_tokens == estimate(by_kind[PartKind.REASONING])
    assert budget.tokens == sum(estimate(text) for text in by_kind.values())


@pytest.mark.parametrize("limit", [1, 3, 9, 14])
def test_an_answer_is_cut_before_a_word(limit: int) -> None:
    kept = text_through(WORDS, limit)
    assert WORDS.startswith(kept)
    assert kept.endswith(" ")
    assert limit - 1 <= estimate(kept) <= limit


def test_reasoning_uses_up_the_budget_too() -> None:
    pieces, budget = through([(PartKind.REASONING, "so it is "), (PartKind.TEXT, "one two three four")], 5)
    assert pieces == [(PartKind.REASONING, "so it is "), (PartKind.TEXT, "one two ")]
    assert budget.exceeded
    assert budget.reasoning_tokens == 3


def test_a_limit_of_nothing_leaves_nothing() -> None:
    assert text_through("a", 0) == ""
