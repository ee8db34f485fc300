from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.answers.answer import Answer, Wanted
from lingma_gateway.answers.asking_again import Why
from lingma_gateway.answers.structured import StructuredOutput
from lingma_gateway.conversation import ChoiceMode, Tool, ToolChoice, Turn
from lingma_gateway.errors import OutputInvalid
from lingma_gateway.events import Call, Finished, FinishReason, PartKind, Result, Started, StreamEvent, Usage
from lingma_gateway.tokens import estimate
from tests.lingma_gateway.support_events import (
    Pieces,
    answer,
    check_ordering,
    cut_pieces,
    joined,
    parts_of,
    pieces,
    text_of,
)

ANYTHING = Wanted()


def new_id() -> str:
    raise AssertionError("there is no call in these answers")


wanted = st.builds(
    Wanted,
    st.none() | st.integers(0, 20),
    st.lists(st.text("ab ", min_size=1, max_size=3), max_size=3).map(tuple),
)
spoken: st.SearchStrategy[Pieces] = st.lists(
    st.tuples(st.sampled_from([PartKind.TEXT, PartKind.REASONING]), st.text("abc ", min_size=1, max_size=20)),
    max_size=6,
)


def told(given_pieces: Pieces, wanted: Wanted = ANYTHING) -> list[StreamEvent]:
    """A whole answer, which must obey the ordering law."""
    one = Answer("org_auto", 3, wanted, new_id)
    events = [event for piece in given_pieces for event in one.read([piece])]
    events += [*one.end(may_ask=False).events, one.finish(one.usage, "session-1")]
    check_ordering(events)
    return events


def finished(events: list[StreamEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


@given(pieces)
def test_any_mix_of_text_and_reasoning_becomes_ordered_parts_without_loss(given_pieces: Pieces) -> None:
    events = told(given_pieces)
    assert isinstance(events[0], Started)
    assert [event for event in events[1:] if not isinstance(event, Finished)] == answer(given_pieces)[1:-1]


@given(spoken, wanted, st.data())
def test_however_it_is_cut_the_answer_is_the_same(given_pieces: Pieces, wanted: Wanted, data: st.DataObject) -> None:
    whole, chunked = told(joined(given_pieces), wanted), told(data.draw(cut_pieces(given_pieces)), wanted)
    assert parts_of(chunked) == parts_of(whole)
    assert finished(chunked).reason is finished(whole).reason
    assert finished(chunked).stop_sequence == finished(whole).stop_sequence


def test_the_first_piece_starts_the_answer() -> None:
    one = Answer("org_auto", 7, Wanted(), new_id)
    assert one.read([]) == one.read([(PartKind.TEXT, "")]) == []
    assert one.read([(PartKind.TEXT, "a")])[0] == Started("org_auto", 7)
    assert not any(isinstance(event, Started) for event in one.end(may_ask=False).events)


def test_an_answer_of_nothing_has_a_beginning_and_an_end() -> None:
    assert [type(event) for event in told([])] == [Started, Finished]


def test_a_stop_sequence_ends_the_answer_before_itself_and_is_named() -> None:
    events = told(
        [(PartKind.TEXT, "one EN"), (PartKind.TEXT, "D two"), (PartKind.TEXT, "three")], Wanted(stop=("END",))
    )
    assert text_of(events, PartKind.TEXT) == "one "
    assert finished(events).reason is FinishReason.STOP_SEQUENCE
    assert finished(events).stop_sequence == "END"


def test_reasoning_is_not_searched_for_stop_sequences() -> None:
    given_pieces = [(PartKind.TEXT, "EN"), (PartKind.REASONING, "END"), (PartKind.TEXT, "D")]
    events = told(given_pieces, Wanted(stop=("END",)))
    assert parts_of(events) == given_pieces
    assert finished(events).reason is FinishReason.STOP


def test_an_answer_that_exceeds_max_tokens_is_cut_and_says_length() -> None:
    events = told([(PartKind.TEXT, "word " * 50)], Wanted(max_tokens=5))
    assert finished(events).reason is FinishReason.LENGTH
    assert 1 < estimate(text_of(events, PartKind.TEXT)) <= 5
    assert finished(events).usage.output_tokens <= 5


def test_a_stop_sequence_that_comes_before_the_limit_counts() -> None:
    wanted = Wanted(max_tokens=5, stop=("word",))
    events = told([(PartKind.REASONING, "hm "), (PartKind.TEXT, "a word " * 50)], wanted)
    assert finished(events).reason is FinishReason.STOP_SEQUENCE
    assert text_of(events, PartKind.TEXT) == "a "


def test_what_may_begin_a_stop_sequence_is_told_when_the_limit_ends_the_answer() -> None:
    events = told([(PartKind.TEXT, "one two three four")], Wanted(max_tokens=2, stop=(" three",)))
    assert text_of(events, PartKind.TEXT) == "one two "
    assert finished(events).reason is FinishReason.LENGTH


def test_usage_counts_text_and_reasoning_and_is_an_estimate() -> None:
    usage = finished(told([(PartKind.REASONING, "so"), (PartKind.TEXT, "Hello "), (PartKind.TEXT, "world")])).usage
    assert usage == Usage(3, estimate("Hello world") + estimate("so"), True, reasoning_tokens=estimate("so"))


@pytest.mark.parametrize("stop", [(), ("x",)])
def test_the_wanted_are_those_of_the_turn(stop: tuple[str, ...]) -> None:
    assert Wanted.of(Turn(None, (), stream=False, stop=stop, max_tokens=7)) == Wanted(7, stop)


def formed(*texts: str, **wanted: Any) -> tuple[Answer, list[StreamEvent]]:
    """An answer that must be an object with a number `n`, and its events before the end."""
    form = StructuredOutput('{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}')
    one = Answer("org_auto", 3, Wanted(form=form, **wanted), new_id)
    return one, [event for text in texts for event in one.read([(PartKind.TEXT, text)])]


def test_text_that_must_have_a_form_is_held_until_it_is_known_to_have_it() -> None:
    one, events = formed('So: {"n"', ": 1}")
    assert events == []
    assert text_of(one.end(may_ask=True).events, PartKind.TEXT) == '{"n": 1}'


def test_reasoning_is_not_held() -> None:
    one, _ = formed('{"n": 1}')
    assert text_of(one.read([(PartKind.REASONING, "hm")]), PartKind.REASONING) == "hm"


def test_without_its_form_the_model_is_asked_again_and_its_next_answer_counts_alone() -> None:
    one, _ = formed("none")
    again = one.end(may_ask=True).again
    assert again is not None
    assert again.why is Why.OUTPUT
    one.read([(PartKind.TEXT, '{"n": 2}')])
    assert text_of(one.end(may_ask=False).events, PartKind.TEXT) == '{"n": 2}'


def test_where_the_model_may_not_be_asked_again_it_is_an_error_that_does_not_quote_the_answer() -> None:
    one, _ = formed('{"n": "secret"}')
    with pytest.raises(OutputInvalid, match="rule #/properties/n/type") as caught:
        one.end(may_ask=False)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("wanted", [{"max_tokens": 3}, {"stop": (": 1",)}])
def test_an_answer_that_was_cut_is_told_without_its_form(wanted: dict[str, Any]) -> None:
    one, _ = formed('{"n": 1, "m": "one two three"}', **wanted)
    assert one.cut
    assert text_of(one.end(may_ask=True).events, PartKind.TEXT).startswith('{"n"')


LISTS = Call("c1", "list_dir", executed=True)


def test_a_tool_that_lingma_executed_is_a_part_of_its_own_between_those_of_the_text() -> None:
    one = Answer("org_auto", 3, Wanted(stop=("END",)), new_id)
    events = [
        *one.read([(PartKind.TEXT, "before E")]),
        *one.show_call(LISTS, "{}"),
        *one.read([(PartKind.TEXT, "after")]),
        *one.show_result(Result("c1"), "a.txt"),
        *one.end(may_ask=False).events,
        one.finish(one.usage, "s"),
    ]
    check_ordering(events)
    assert parts_of(events) == [
        (PartKind.TEXT, "before E"),
        (PartKind.TOOL_CALL, "{}"),
        (PartKind.TEXT, "after"),
        (PartKind.TOOL_RESULT, "a.txt"),
    ]
    assert finished(events).reason is FinishReason.STOP


def test_one_without_a_result_ends_the_answer_with_a_call() -> None:
    one = Answer("org_auto", 3, ANYTHING, new_id)
    events = [*one.show_call(LISTS, ""), *one.end(may_ask=False).events, one.finish(one.usage, "s")]
    check_ordering(events)
    assert isinstance(events[0], Started)
    assert finished(events).reason is FinishReason.TOOL_CALLS


def test_what_comes_in_the_middle_of_a_clients_call_waits_for_its_end() -> None:
    schema = '{"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}'
    asked = Turn(None, (), stream=True, tools=(Tool("Read", schema=schema),), tool_choice=ToolChoice())
    one = Answer("org_auto", 3, Wanted.of(asked), lambda: "call_1")
    events = one.read([(PartKind.TEXT, "<tool_call>\n<function=Read>\n<parameter=path>\nsome of it")])
    assert one.show_call(LISTS, "{}") == []
    events += one.read([(PartKind.TEXT, "\n</parameter>\n</function>\n</tool_call>")])
    events += [*one.end(may_ask=False).events, one.finish(one.usage, "s")]
    check_ordering(events)
    assert [kind for kind, _ in parts_of(events)] == [PartKind.TOOL_CALL, PartKind.TOOL_CALL]
    assert finished(events).reason is FinishReason.TOOL_CALLS


def test_text_that_waited_for_a_call_keeps_its_order_when_the_rest_of_it_comes_with_the_call() -> None:
    schema = '{"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}'
    demanded = ToolChoice(ChoiceMode.REQUIRED)
    asked = Turn(None, (), stream=True, tools=(Tool("Read", schema=schema),), tool_choice=demanded)
    one = Answer("org_auto", 3, Wanted.of(asked), lambda: "call_1")
    call = "\n<tool_call>\n<function=Read>\n<parameter=path>\na.txt\n</parameter>\n</function>\n</tool_call>"
    events = [*one.read([(PartKind.TEXT, "I")]), *one.read([(PartKind.TEXT, f" read it.{call}")])]
    events += [*one.end(may_ask=False).events, one.finish(one.usage, "s")]
    check_ordering(events)
    assert parts_of(events)[0] == (PartKind.TEXT, "I read it.")
