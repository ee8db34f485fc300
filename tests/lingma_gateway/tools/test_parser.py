"""What an engine relies on: what is held back and how long, where an answer ends, what is asked."""

import json

import pytest

from lingma_gateway.conversation import ChoiceMode, Media, MediaKind, Text, Tool, ToolCall, ToolChoice, ToolResult
from lingma_gateway.tools import (
    ArgumentDelta,
    CallClosed,
    CallFailed,
    CallOpened,
    CallParser,
    Grammar,
    Reason,
    TailPiece,
    TextPiece,
    ToolSet,
    calls_text,
    continuation,
    prepare,
    results_text,
)
from lingma_gateway.tools.fences import Fences
from lingma_gateway.tools.openings import openings
from lingma_gateway.tools.shapes import LONGEST
from tests.lingma_gateway.support_tools import NOW, RUN, TOOLSETS, WRITE, function, in_chunks, parsed, parts

AUTO = TOOLSETS["auto"]
CALL = "<tool_call>\n<function=run>\n<parameter=cmd>\nls\n</parameter>\n</function>\n</tool_call>"


def coder(name: str, **arguments: str) -> str:
    values = "".join(f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in arguments.items())
    return f"<tool_call>\n<function={name}>\n{values}</function>\n</tool_call>"


def failure(text: str, toolset: ToolSet = AUTO) -> CallFailed:
    (failed,) = [piece for piece in parsed(toolset, in_chunks(text, 3)) if isinstance(piece, CallFailed)]
    return failed


def test_text_is_handed_on_at_once() -> None:
    parser = CallParser(AUTO)
    assert parser.feed("Hello, ") == [TextPiece("Hello, ")]
    assert parser.feed("world") == [TextPiece("world")]
    assert parser.feed("") == []
    assert (parser.held, parser.ended) == (0, False)
    assert parser.finish() == []


def test_only_what_may_become_a_marker_is_held_and_never_for_long() -> None:
    parser = CallParser(AUTO)
    assert parser.feed("a <tool") == [TextPiece("a ")]
    assert parser.held == 5
    assert parser.feed("box>") == [TextPiece("<toolbox>")]
    parser.feed("<tool_call>\n<function=" + "x" * 127)
    assert 0 < parser.held < LONGEST
    parser.feed("x" * LONGEST)
    assert parser.held == 0


def test_a_string_is_streamed_while_it_comes_and_its_call_opens_with_it() -> None:
    parser = CallParser(AUTO)
    assert parser.feed("<tool_call>\n<function=run>\n") == []
    assert parser.feed("<parameter=cmd>\nec") == [CallOpened(RUN), ArgumentDelta('{"cmd": "'), ArgumentDelta("ec")]
    assert parser.feed('ho "') == [ArgumentDelta('ho \\"')]
    assert parser.feed('"\n</param') == [ArgumentDelta('\\"')]
    assert parser.feed("eter>\n</function>") == [
        ArgumentDelta('"'),
        ArgumentDelta("}"),
        CallClosed(RUN, '{"cmd": "echo \\"\\""}'),
    ]


def test_after_a_wrong_value_nothing_more_is_streamed() -> None:
    text = coder("run", n="many", cmd="ls")
    failed = failure(text)
    assert (failed.field, failed.sent, failed.raw) == ("n", None, text.removesuffix("\n</tool_call>"))


def test_a_call_that_fails_behind_sent_deltas_tells_what_was_sent_so_that_it_can_be_completed() -> None:
    failed = failure(coder("write", path="a.txt"))
    assert (failed.reason, failed.field, failed.sent) == (Reason.INVALID, "content", '{"path": "a.txt"')
    closed = parsed(AUTO, [coder("write", content="x", path="a.txt")])[-1]
    assert isinstance(closed, CallClosed)
    assert continuation(failed.sent or "", closed.arguments) == ', "content": "x"}'


def test_what_is_asked_names_the_tool_the_field_and_the_reason() -> None:
    assert "`run`" in failure(coder("run", cmd="a", mode="medium")).ask
    assert '`mode`: "medium" is not one of' in failure(coder("run", cmd="a", mode="medium")).ask
    assert "There is no tool `rm`. The tools are: `run`, `write`" in failure(coder("rm", path="/")).ask
    assert "which tool" in failure('<tool_call>{"arguments": {}}</tool_call>').ask
    assert "`cmd`: it is given twice, differently" in failure(coder("run", cmd="a", CMD="b")).ask
    assert "cannot be read without guessing" in failure("<tool_call>{'name': 'run', 'x': 'it's'}</tool_call>").ask
    assert failure("<tool_call>\n<function=run>\n").ask == ""


def test_an_answer_ends_where_no_call_follows_a_call() -> None:
    parser = CallParser(AUTO)
    parser.feed(CALL)
    assert not parser.ended
    parser.feed("\n<tool")
    assert not parser.ended
    assert parser.feed("_response>made up") == [TailPiece("<tool_response>made up")]
    assert parser.ended
    assert parser.feed(CALL) == [TailPiece(CALL)]
    assert parser.finish() == []


def test_with_parallel_off_it_ends_with_the_first_call() -> None:
    parser = CallParser(TOOLSETS["serial"])
    parser.feed(CALL.removesuffix("</tool_call>").rstrip())
    assert parser.ended


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ('[TOOL_CALLS] [{"name": "run"}, 5]', Reason.NO_NAME),
        ('<tool_call>{"name": "apply_patch", "arguments": {"a": "x", "b": "y"}}</tool_call>', Reason.INVALID),
        ("<tool_call>\n<function=run>\n{'cmd': 'it's'}\n</function>\n</tool_call>", Reason.UNREADABLE),
        ("<tool_call>\n<function=run>\nthe command ls\n</function>\n</tool_call>", Reason.UNREADABLE),
        ("<tool_call>\n<function=run>\nthe command ls", Reason.CUT),
        ("<tool_call>\n<function=run>\n{'cmd': 'a", Reason.CUT),
        ("<tool_call>\n<function=run>\n<param", Reason.CUT),
        ("<tool_call>\n<function=run>\n<parameter=cmd>\nls\n</parameter>\n<parameter=n", Reason.CUT),
        ("<tool_call>\n<function=apply_patch>\n*** Begin", Reason.CUT),
        ('<tool_call>{"name": "run", "arguments": {"cmd": "5" disk"}}</tool_call>', Reason.UNREADABLE),
        ('<tool_call>{"name": "run", "cmd": "a", "cmd": "b </tool_call>"}</tool_call>', Reason.REPEATED),
    ],
)
def test_a_broken_call_fails_for_its_own_reason(output: str, reason: Reason) -> None:
    assert failure(output).reason is reason


def test_a_call_with_an_odd_quote_ends_at_its_marker_if_it_can_be_read_up_to_there() -> None:
    text = '<tool_call>{"name": "now", "arguments": {}, \'id\': "x}</tool_call>'
    assert failure(text).reason is Reason.UNREADABLE
    mended = '<tool_call>{"name": "now", "arguments": {}} \'</tool_call>\n' + CALL
    assert [part[:2] for part in parts(parsed(AUTO, in_chunks(mended, 4)))][:1] == [("C", "now")]


def test_a_call_in_a_string_that_never_ends_is_read_up_to_its_marker() -> None:
    text = '<tool_call>\n{"name": "run", "arguments": {"cmd": "a"}, \'\n</tool_call>\n' + CALL
    found = parts(parsed(AUTO, in_chunks(text, 5)))
    assert [part[0] for part in found] == ["A", "C"]


def test_a_call_whose_last_brace_is_missing_is_no_reason_to_swallow_the_next_one() -> None:
    text = '<tool_call>{"name": "run", "arguments": {"cmd": "it\\\'s"}</tool_call>' + CALL
    assert [part[0] for part in parts(parsed(AUTO, [text]))] == ["C", "C"]


@pytest.mark.parametrize("text", ["run(cmd=f(x))", "run(cmd='a'"])
def test_where_a_call_is_required_python_that_is_none_is_text(text: str) -> None:
    assert parts(parsed(TOOLSETS["required"], in_chunks(text, 2))) == [("T", text)]


def test_a_tool_whose_name_or_argument_is_no_tag_is_called_in_other_forms() -> None:
    toolset = ToolSet((function("1st tool", {"a key": {"type": "string"}}), NOW))
    text = '<tool_call>{"name": "1st tool", "arguments": {"a key": "x"}}</tool_call>'
    assert parts(parsed(toolset, [text])) == [("C", "1st tool", [("a key", "x")])]


def test_an_inline_closer_at_the_very_end_closes_a_value_of_several_lines() -> None:
    text = "<tool_call>\n<function=run>\n<parameter=cmd>\nls\npwd</parameter>"
    assert parts(parsed(AUTO, in_chunks(text, 3))) == [("C", "run", [("cmd", "ls\npwd")])]


def test_inline_code_is_looked_for_on_its_line_only_so_far() -> None:
    text = "the ` key: <tool_call>" + '{"name": "now", "arguments": {}, "id": "' + "x" * 600 + '"}</tool_call>'
    assert parts(parsed(AUTO, in_chunks(text, 7)))[-1] == ("C", "now", [])


def test_lines_of_any_length_keep_their_fences() -> None:
    fences = Fences()
    for text in ("x" * 300, "y" * 300, "\n```", "python\n", "code\n", "``", "`\n"):
        fences.saw(text)
    assert fences.fence == ""
    fences.saw("``` not a fence ```\n")
    assert fences.fence == ""
    fences.saw("~~~\ncode `x`\n")
    assert fences.fence == "~~~"
    fences.saw("a\n~~~\nb")
    assert (fences.fence, fences.inline, fences.at_line_start) == ("", 0, False)


def test_the_transcript_marks_errors_names_and_ids_and_shows_what_is_no_text() -> None:
    picture = Media(MediaKind.IMAGE, "messages[0]")
    shown = results_text(
        [
            ToolResult("call_1", (Text("no such file"),), is_error=True),
            ToolResult('x"><y', (Text("a"), picture), name="b"),
        ],
        {"call_1": "read"},
    )
    assert shown == (
        '<tool_response id="call_1" name="read" status="error">\nno such file\n</tool_response>\n'
        '<tool_response id="x\'y" name="b">\na\n[image]\n</tool_response>'
    )


def test_past_calls_without_sound_arguments_are_shown_as_they_are() -> None:
    calls = [ToolCall("c1", "now", " "), ToolCall("c2", "run", '{"cmd": "cut'), ToolCall("c3", "gone", '{"a": "x"}')]
    shown = calls_text(calls, Grammar.CODER, AUTO)
    assert '<tool_call id="c1">\n<function=now>\n</function>\n</tool_call>' in shown
    assert json.dumps('{"cmd": "cut') in shown
    assert '<tool_call id="c3">\n<function=gone>\n<parameter=a>\nx\n' in shown
    assert '{"name": "now", "arguments": {}}' in calls_text(calls, Grammar.HERMES, AUTO)


def test_with_the_choice_none_there_is_nothing_to_parse() -> None:
    toolset = ToolSet.of((RUN, WRITE), ToolChoice(ChoiceMode.NONE))
    assert parts(parsed(toolset, in_chunks(CALL, 4))) == [("T", CALL)]


def test_a_tool_may_have_an_argument_that_is_called_like_a_part_of_a_call() -> None:
    person = function("person", {"name": {"type": "string"}, "input": {"type": "integer"}}, ["name"])
    named = ToolSet((person,), required=True)
    assert parts(parsed(named, ['{"name": "Alice"}'])) == [("C", "person", [("name", "Alice")])]
    free = ToolSet((person, Tool("other")))
    text = '<tool_call>{"name": "person", "input": 5, "arguments": {"name": "Bob", "input": 5}}</tool_call>'
    assert parts(parsed(free, [text])) == [("C", "person", [("name", "Bob"), ("input", 5)])]


def test_a_run_of_backticks_is_counted_whole_before_it_closes_inline_code() -> None:
    text = "the ` key: " + '<tool_call>{"name": "now", "arguments": {}}</tool_call> ```\nand more'
    whole = parsed(AUTO, [text])
    assert parts(whole)[:2] == [("T", "the ` key: "), ("C", "now", [])]
    assert parsed(AUTO, in_chunks(text, 1)) == whole


def test_tags_of_other_languages_are_not_held_beyond_their_name() -> None:
    parser = CallParser(AUTO)
    assert parser.feed("<r") == []
    assert parser.feed("ub>") == [TextPiece("<rub>")]
    assert parser.feed("\n<run>") == [TextPiece("\n")]
    assert parser.held == 5
    assert parser.feed(" text") == [TextPiece("<run> text")]


def test_a_process_can_prepare_for_its_first_parser() -> None:
    openings.cache_clear()
    prepare()
    before = openings.cache_info().misses
    for choice in (ToolChoice(), ToolChoice(ChoiceMode.REQUIRED)):
        CallParser(ToolSet.of((Tool("run"),), choice))
    assert openings.cache_info().misses == before == 2
