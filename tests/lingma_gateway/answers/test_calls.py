"""Answers with calls: what the client is given of them, and when the model is asked again."""

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.answers.answer import Answer, Wanted
from lingma_gateway.answers.asking_again import Again, Why
from lingma_gateway.answers.calls import Made
from lingma_gateway.answers.structured import StructuredOutput
from lingma_gateway.conversation import ChoiceMode, OutputFormat, Text, Tool, ToolCall, ToolChoice, ToolKind, Turn
from lingma_gateway.errors import OutputInvalid, ToolCallInvalid, ToolCallMissing
from lingma_gateway.events import Call, Finished, FinishReason, PartKind, PartStarted, StreamEvent
from lingma_gateway.tools.toolset import ToolSet
from tests.lingma_gateway.support_events import Pieces, check_ordering, cuts, parts_of, text_of

READ = Tool("Read", schema='{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}')
WRITE = Tool(
    "Write",
    schema='{"type":"object","properties":{"path":{"type":"string"},"mode":{"type":"integer"}},'
    '"required":["path","mode"]}',
)
PATCH = Tool("patch", kind=ToolKind.CUSTOM)
SPACED = Tool("fs.Read", schema=READ.schema, namespace="fs")
TOOLS = (READ, WRITE, PATCH, SPACED)


def call(name: str, **arguments: str) -> str:
    """A call as Qwen3-Coder writes it."""
    given = "".join(f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in arguments.items())
    return f"<tool_call>\n<function={name}>\n{given}</function>\n</tool_call>"


READS = call("Read", path="a.txt")
WRONG = call("Reed", path="a.txt")
HALF = call("Write", path="b.txt", mode="often")
"""Its path has been handed on when its mode turns out to be no number."""
MENDED = call("Write", path="b.txt", mode="7")


class Told:
    """One answer, question by question."""

    def __init__(self, *, required: bool = False, parallel: bool = True, **wanted: Any) -> None:
        toolset = ToolSet(TOOLS, required, parallel)
        ids = (f"call_{number}" for number in itertools.count(1))
        self.answer = Answer("org_auto", 3, Wanted(toolset=toolset, **wanted), lambda: next(ids))
        self.events: list[StreamEvent] = []

    def hear(self, *texts: str, kind: PartKind = PartKind.TEXT) -> "Told":
        for text in texts:
            if not self.answer.cut:
                self.events += self.answer.read([(kind, text)])
        return self

    def think(self, text: str) -> "Told":
        return self.hear(text, kind=PartKind.REASONING)

    def again(self) -> Again:
        """The model is asked again."""
        ended = self.answer.end(may_ask=True)
        self.events += ended.events
        assert ended.again is not None
        return ended.again

    def end(self, *, may_ask: bool = False) -> "Told":
        ended = self.answer.end(may_ask=may_ask)
        assert ended.again is None
        self.events += [*ended.events, self.answer.finish(self.answer.usage, "session-1")]
        check_ordering(self.events)
        return self

    @property
    def parts(self) -> Pieces:
        return parts_of(self.events)

    @property
    def heads(self) -> list[Call]:
        return [event.head for event in self.events if isinstance(event, PartStarted) and isinstance(event.head, Call)]

    @property
    def reason(self) -> FinishReason:
        assert isinstance(self.events[-1], Finished)
        return self.events[-1].reason


def test_text_and_calls_become_parts_and_the_client_is_to_execute_the_calls() -> None:
    told = Told().hear(f"I read it.\n\n{READS}\n{MENDED}").end(may_ask=True)
    assert told.parts == [
        (PartKind.TEXT, "I read it."),
        (PartKind.TOOL_CALL, '{"path": "a.txt"}'),
        (PartKind.TOOL_CALL, '{"path": "b.txt", "mode": 7}'),
    ]
    assert told.heads == [Call("call_1", "Read"), Call("call_2", "Write")]
    assert told.reason is FinishReason.TOOL_CALLS
    assert [made.arguments for made in told.answer.made] == ['{"path": "a.txt"}', '{"path": "b.txt", "mode": 7}']


def test_the_head_of_a_call_says_what_the_client_called_the_tool() -> None:
    told = Told().hear(call("patch", input="*** Begin"), call("fs.Read", path="x")).end()
    assert told.heads == [Call("call_1", "patch", custom=True), Call("call_2", "fs.Read", namespace="fs")]
    assert told.parts[0] == (PartKind.TOOL_CALL, "*** Begin")


def test_arguments_are_told_while_they_come() -> None:
    told = Told().hear("<tool_call>\n<function=Read>\n<parameter=path>\na/long/pa")
    assert text_of(told.events, PartKind.TOOL_CALL) == '{"path": "a/long/pa'


def test_an_answer_without_a_call_is_text_exactly_as_it_came() -> None:
    told = Told().hear("Use <tool_call> ", "with care.", " \n").end(may_ask=True)
    assert told.parts == [(PartKind.TEXT, "Use <tool_call> with care. \n")]
    assert told.reason is FinishReason.STOP


def test_what_follows_the_last_call_is_dropped_and_the_model_stopped() -> None:
    told = Told().hear(READS, "\nThe result is: ", "made up")
    assert told.answer.cut
    assert told.end(may_ask=True).parts == [(PartKind.TOOL_CALL, '{"path": "a.txt"}')]
    assert told.reason is FinishReason.TOOL_CALLS


def test_without_parallel_calls_the_first_call_is_the_last() -> None:
    told = Told(parallel=False).hear(READS + "\n" + MENDED)
    assert told.answer.cut
    assert [head.name for head in told.end().heads] == ["Read"]


def test_a_call_in_reasoning_is_no_call() -> None:
    told = Told().think(READS).hear("Hello").end(may_ask=True)
    assert told.parts == [(PartKind.REASONING, READS), (PartKind.TEXT, "Hello")]


def test_reasoning_in_the_middle_of_a_call_is_told_after_it() -> None:
    told = Told().hear(READS[:50]).think("hm").hear(READS[50:]).end()
    assert told.parts == [(PartKind.TOOL_CALL, '{"path": "a.txt"}'), (PartKind.REASONING, "hm")]


def test_reasoning_in_the_middle_of_a_call_that_is_cut_is_told_after_it() -> None:
    told = Told().hear("<tool_call>\n<function=Read>\n<parameter=path>\na.t").think("hm").end()
    assert told.parts == [(PartKind.TOOL_CALL, '{"path": "a.t'), (PartKind.REASONING, "hm")]
    assert told.reason is FinishReason.LENGTH


# --- a call that cannot be executed


def test_a_call_that_cannot_be_executed_is_asked_for_again_and_the_client_sees_the_right_one_alone() -> None:
    told = Told().hear(f"I read it.\n{WRONG}")
    again = told.again()
    assert again.why is Why.CALL
    assert "no tool `Reed`" in again.question
    told.hear(f"Sorry, here it is:\n{READS}").end()
    assert told.parts == [(PartKind.TEXT, "I read it."), (PartKind.TOOL_CALL, '{"path": "a.txt"}')]
    assert told.answer.made == [Made(Call("call_1", "Read"), '{"path": "a.txt"}', retried=True)]
    assert told.reason is FinishReason.TOOL_CALLS


def test_the_reason_for_asking_again_quotes_nothing_of_the_answer() -> None:
    assert Told().hear(call("secret-tool", path="secret")).again().reason == (
        "its call of a tool cannot be executed (unknown_tool)"
    )


def test_calls_beside_the_one_that_failed_are_given_and_not_given_twice() -> None:
    told = Told().hear(f"{WRONG}\n{MENDED}")
    told.again()
    told.hear(f"{READS}\n{MENDED}").end()
    assert [head.name for head in told.heads] == ["Write", "Read"]


def test_a_call_of_which_the_client_has_a_part_stops_the_model_and_is_completed() -> None:
    told = Told().hear(HALF + "\n" + READS)
    assert told.answer.cut
    assert told.again().why is Why.CALL
    told.hear(call("Write", mode="7", path="b.txt")).end()
    assert told.parts == [(PartKind.TOOL_CALL, '{"path": "b.txt", "mode": 7}')]
    assert len(told.heads) == 1


@pytest.mark.parametrize(
    "second", ["I give up.", READS, call("Write", path="c.txt", mode="7"), HALF], ids=["none", "other", "path", "same"]
)
def test_a_call_of_which_the_client_has_a_part_and_that_is_not_completed_is_an_error(second: str) -> None:
    told = Told().hear(HALF)
    told.again()
    told.hear(second)
    with pytest.raises(ToolCallInvalid, match="asked twice"):
        told.answer.end(may_ask=False)


def test_input_of_a_custom_tool_is_completed_by_the_text_that_goes_on() -> None:
    twice = (
        "<tool_call>\n<function=patch>\n<parameter=input>\none\n</parameter>\n<parameter=input>\ntwo\n</parameter>\n"
    )
    for second, completed in ((call("patch", input="one and two"), True), (call("patch", input="two"), False)):
        told = Told().hear(twice + "</function>\n</tool_call>")
        told.again()
        told.hear(second)
        if completed:
            assert told.end().parts == [(PartKind.TOOL_CALL, "one and two")]
        else:
            with pytest.raises(ToolCallInvalid):
                told.answer.end(may_ask=False)


def test_a_call_that_stays_wrong_is_shown_as_the_text_that_it_is() -> None:
    told = Told().hear(f"I read it.\n{WRONG}")
    told.again()
    told.hear(f"Once more: {WRONG}").end()
    as_text = WRONG.removesuffix("\n</tool_call>")
    assert told.parts == [(PartKind.TEXT, f"I read it.\nOnce more: {as_text}")]
    assert told.reason is FinishReason.STOP
    assert told.answer.calls is not None
    assert [failed.name for failed in told.answer.calls.failed] == ["Reed"]


def test_what_the_model_says_instead_of_the_call_it_was_asked_for_is_told() -> None:
    told = Told().hear(WRONG)
    told.again()
    assert told.hear("There is no such tool.").end().parts == [(PartKind.TEXT, "There is no such tool.")]


def test_a_call_that_the_limit_cuts_off_is_none() -> None:
    told = Told(max_tokens=12).hear(f"Look: {HALF}").end(may_ask=True)
    assert told.reason is FinishReason.LENGTH
    assert told.answer.made == []


def test_calls_before_the_limit_are_given() -> None:
    told = Told(max_tokens=60).hear(f"{READS}\n{call('Write', path='word ' * 90, mode='7')}").end(may_ask=True)
    assert told.parts[0] == (PartKind.TOOL_CALL, '{"path": "a.txt"}')
    assert told.reason is FinishReason.LENGTH


def test_a_stop_sequence_in_the_text_ends_the_answer_and_one_in_arguments_does_not() -> None:
    assert Told(stop=("a.txt",)).hear(READS).end().reason is FinishReason.TOOL_CALLS
    told = Told(stop=("END",)).hear("one EN").hear(f"D {READS}").end(may_ask=True)
    assert told.parts == [(PartKind.TEXT, "one ")]
    assert told.reason is FinishReason.STOP_SEQUENCE


def test_a_stop_sequence_that_the_end_completes_ends_the_answer() -> None:
    told = Told(stop=("\n\n",)).hear("one\n\n").end(may_ask=True)
    assert told.parts == [(PartKind.TEXT, "one")]
    assert told.reason is FinishReason.STOP_SEQUENCE


def test_what_may_begin_a_stop_sequence_is_told_before_a_call_and_before_asking_again() -> None:
    assert Told(stop=("END",)).hear(f"one EN{READS}").end().parts[0] == (PartKind.TEXT, "one EN")
    told = Told(stop=("END",)).hear(f"one EN{WRONG}")
    told.again()
    assert told.hear(READS).end().parts[0] == (PartKind.TEXT, "one EN")


# --- a call that is demanded


def test_where_a_call_is_demanded_text_waits_for_it() -> None:
    told = Told(required=True).hear("I read it. ")
    assert told.events == []
    assert told.hear(READS).end().parts == [(PartKind.TEXT, "I read it."), (PartKind.TOOL_CALL, '{"path": "a.txt"}')]


def test_a_demanded_call_that_does_not_come_is_asked_for_and_the_claim_forgotten() -> None:
    told = Told(required=True).hear("I have read it.")
    again = told.again()
    assert (again.why, "at least one of the tools" in again.question) == (Why.NO_CALL, True)
    assert told.hear(f"Oh. {READS}").end().parts == [(PartKind.TOOL_CALL, '{"path": "a.txt"}')]


def test_the_one_tool_that_is_demanded_is_named() -> None:
    only = Answer("org_auto", 3, Wanted(toolset=ToolSet((READ,), required=True)), lambda: "call_1")
    only.read([(PartKind.TEXT, "Done.")])
    again = only.end(may_ask=True).again
    assert again is not None
    assert "call the tool `Read`" in again.question


@pytest.mark.parametrize("second", ["I have read it.", WRONG])
def test_a_demanded_call_that_never_comes_is_an_error(second: str) -> None:
    told = Told(required=True).hear("I have read it.")
    told.again()
    told.hear(second)
    with pytest.raises(ToolCallMissing, match="the request demands a call"):
        told.answer.end(may_ask=False)


def test_a_demanded_call_that_is_cut_off_is_not_asked_for() -> None:
    told = Told(required=True).hear("Yes. <tool_call>\n<function=Write>\n<parameter=mode>\n7").end(may_ask=True)
    assert told.reason is FinishReason.LENGTH


# --- a form beside tools


FORM = StructuredOutput('{"type": "object", "required": ["n"]}')


def test_a_call_wins_over_the_form() -> None:
    told = Told(form=FORM).hear(f"I read it.{READS}").end(may_ask=True)
    assert told.parts == [(PartKind.TEXT, "I read it."), (PartKind.TOOL_CALL, '{"path": "a.txt"}')]


def test_without_a_call_the_text_must_have_its_form() -> None:
    assert Told(form=FORM).hear('So: {"n": 1}').end(may_ask=True).parts == [(PartKind.TEXT, '{"n": 1}')]
    told = Told(form=FORM).hear("No.")
    assert told.again().why is Why.OUTPUT
    assert told.hear('{"n": 2}').end().parts == [(PartKind.TEXT, '{"n": 2}')]


def test_a_call_that_stays_wrong_has_no_form_either() -> None:
    told = Told(form=FORM).hear(WRONG)
    told.again()
    told.hear(WRONG)
    with pytest.raises(OutputInvalid):
        told.answer.end(may_ask=False)


def test_text_that_waited_comes_before_what_comes_with_its_call() -> None:
    told = Told(required=True).hear("I", f" read it.{READS}").end()
    assert told.parts == [(PartKind.TEXT, "I read it."), (PartKind.TOOL_CALL, '{"path": "a.txt"}')]


ANSWERS = st.sampled_from(
    [
        f"I read it.\n\n{READS}\n{MENDED}\nThe result is made up",
        f"one {WRONG} two {READS}",
        HALF,
        "one two three END four",
        f"```\n{READS}\n```\nlike this",
        f"{READS} END {MENDED}",
    ]
)


@given(ANSWERS, st.none() | st.integers(0, 40), st.booleans(), st.data())
def test_however_it_is_cut_the_answer_is_the_same(
    text: str, max_tokens: int | None, required: bool, data: st.DataObject
) -> None:
    def outcome(chunks: list[str]) -> object:
        told = Told(required=required, max_tokens=max_tokens, stop=("END",)).hear(*chunks)
        ended = told.answer.end(may_ask=True)
        return parts_of([*told.events, *ended.events]), ended.again, told.answer.made, told.answer.reason

    assert outcome(data.draw(cuts(text))) == outcome([text])


def test_an_answer_is_what_its_client_sends_back() -> None:
    told = Told().hear(f"I read it.\n{READS}{call('patch', input='*** Begin')}").end()
    assert told.answer.parts == (
        Text("I read it."),
        ToolCall("call_1", "Read", '{"path": "a.txt"}'),
        ToolCall("call_2", "patch", "*** Begin", custom=True),
    )
    assert Told().hear(READS).end().answer.parts == (ToolCall("call_1", "Read", '{"path": "a.txt"}'),)


TURN = Turn(None, (), stream=True, tools=TOOLS, stop=("x",), max_tokens=7)


def test_what_is_wanted_is_what_the_turn_says() -> None:
    required = replace(TURN, tool_choice=ToolChoice(ChoiceMode.REQUIRED, ("Read",)), parallel_tool_calls=False)
    assert Wanted.of(required) == Wanted(7, ("x",), None, ToolSet((READ,), required=True, parallel=False))
    assert Wanted.of(replace(TURN, tool_choice=ToolChoice(ChoiceMode.NONE))).toolset.tools == ()


def test_the_prompt_ends_with_what_is_demanded_and_the_form_of_what_is_no_call() -> None:
    assert Wanted.of(TURN).reminder == ""
    assert Wanted.of(Turn(None, (), stream=False, output=OutputFormat())).reminder.startswith("Your answer must be")
    both = replace(TURN, tool_choice=ToolChoice(ChoiceMode.REQUIRED), output=OutputFormat())
    assert re.match("You must call .*\nIf you call no tool: Your answer must be", Wanted.of(both).reminder)


def test_without_tools_nothing_is_parsed() -> None:
    plain = Answer("org_auto", 3, Wanted(), lambda: "call_1")
    assert parts_of([*plain.read([(PartKind.TEXT, READS)]), *plain.end(may_ask=True).events]) == [
        (PartKind.TEXT, READS)
    ]
    assert plain.made == []
