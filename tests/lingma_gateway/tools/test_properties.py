"""What holds for every answer, however strange and however its stream is cut."""

import json
import sysconfig
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lingma_gateway
from lingma_gateway.conversation import Text, ToolCall, ToolResult
from lingma_gateway.tools import (
    CallClosed,
    CallFailed,
    Grammar,
    TailPiece,
    TextPiece,
    calls_text,
    neutral,
    results_text,
)
from lingma_sim import toolforms
from lingma_sim.toolforms import Call
from tests.lingma_gateway.support_tools import (
    RUN,
    TOOLSETS,
    WRITE,
    function,
    in_chunks,
    in_random_chunks,
    parsed,
    parts,
)

AUTO = TOOLSETS["auto"]
FRAGMENTS = (
    *("<tool_call>", "</tool_call>", "<function=run>", "<function=nope>", "</function>", "<parameter=cmd>"),
    *("<parameter=n>", "</parameter>", '<invoke name="run">', "</invoke>", "<function_calls>", "</function_calls>"),
    *('<parameter name="cmd">', "<minimax:tool_call>", "]<]minimax[>[", "<cmd>", "</cmd>", "<run>", "</run>"),
    *("<arg_key>cmd</arg_key>", "<arg_value>", "</arg_value>", "<|tool_call_begin|>", "functions.run:0"),
    *("<|tool_call_argument_begin|>", "<|tool_call_end|>", '<|open|>call tool="run"<|sep|>', "<|close|>call<|sep|>"),
    *('<|open|>argument key="cmd"<|sep|>', "<|close|>argument<|sep|>", "[TOOL_CALLS]", "[ARGS]", "✿FUNCTION✿: run"),
    *("✿ARGS✿: ", "Action: run\n", "Action Input: ", "```", "```json\n", "```json action\n", "`", "~~~\n", "run(", ")"),
    *('{"name": "run", "arguments": ', '{"cmd": "a"}', '{"cmd": "a', "{", "}", "[", "]", '"', "'", "\\", ",", ":"),
    *(
        "\n",
        "\r\n",
        " ",
        "  ",
        "a",
        "5",
        "null",
        "é🙂",
        "＜tool_call＞",
        "<",
        ">",
        "<think>",
        "</think>",
        "<now>",
        "</now>",
    ),
)
"""What calls are made of, whole and broken."""

scraps = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=25).map("".join)
modes = st.sampled_from(sorted(TOOLSETS))


@settings(max_examples=250)
@given(scraps, modes, st.booleans(), st.integers(0, 10**6))
def test_any_split_of_any_text_gives_the_same_pieces(text: str, mode: str, cut: bool, seed: int) -> None:
    toolset = TOOLSETS[mode]
    whole = parsed(toolset, [text], cut=cut)
    assert parsed(toolset, in_chunks(text, 1), cut=cut) == whole
    assert parsed(toolset, in_random_chunks(text, seed), cut=cut) == whole


@settings(max_examples=120)
@given(
    (st.text(max_size=200) | st.text(alphabet="`~<>[]{}fA \n|_abc\"'✿", max_size=80)).filter(lambda it: "</" not in it)
)
def test_text_without_a_marker_comes_out_as_it_went_in(text: str) -> None:
    assert "".join(piece.text for piece in parsed(AUTO, [text]) if isinstance(piece, TextPiece)) == text


@settings(max_examples=120)
@given(scraps)
def test_without_tools_every_text_passes_untouched(text: str) -> None:
    assert parts(parsed(TOOLSETS["none"], in_chunks(text, 3))) == ([("T", text)] if text else [])


@settings(max_examples=120)
@given(scraps)
def test_what_is_neither_call_nor_failure_is_all_there(text: str) -> None:
    pieces = parsed(AUTO, [text])
    if not any(isinstance(piece, CallClosed | CallFailed) for piece in pieces):
        kept = "".join(piece.text for piece in pieces if isinstance(piece, TextPiece | TailPiece))
        assert _without_closers(kept) == _without_closers(text)


def _without_closers(text: str) -> str:
    """Orphan closers are dropped, alone of all text."""
    for closer in ("</tool_call>", "</function_calls>", "</function>", "</invoke>"):
        text = text.replace(closer, "")
    return text


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
strings = scraps | st.text(max_size=40)
run_arguments = st.fixed_dictionaries(
    {"cmd": strings},
    optional={
        "n": st.integers(-(10**12), 10**12),
        "verbose": st.booleans(),
        "ratio": st.floats(allow_nan=False, allow_infinity=False),
        "env": st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=3),
        "tags": st.lists(strings, max_size=3),
        "mode": st.sampled_from(["fast", "slow"]),
        "note": st.none() | strings,
    },
)
past_calls = st.lists(
    st.builds(lambda given: ToolCall("call_1", "run", json.dumps(given)), run_arguments)
    | st.builds(lambda text: ToolCall("call_2", "apply_patch", text, custom=True), strings)
    | st.just(ToolCall("call_3", "now", "{}")),
    min_size=1,
    max_size=4,
)


def meant(call: ToolCall) -> tuple[Any, ...]:
    if call.custom:
        return ("C", call.name, call.arguments)
    return ("C", call.name, list(json.loads(call.arguments).items()))


@settings(max_examples=150)
@given(past_calls, st.sampled_from(Grammar), st.integers(0, 10**6))
@example([ToolCall("call_1", "run", '{"cmd": "a\\r"}')], Grammar.CODER, 0)
@example([ToolCall("call_1", "run", '{"cmd": "a", "note": "null"}')], Grammar.CODER, 0)
def test_what_the_transcript_says_of_past_calls_the_parser_reads_back(
    calls: list[ToolCall], grammar: Grammar, seed: int
) -> None:
    text = calls_text(calls, grammar, AUTO)
    assert parts(parsed(AUTO, in_random_chunks(text, seed))) == [meant(call) for call in calls]


@settings(max_examples=120)
@given(scraps, st.booleans())
def test_a_result_holds_no_call_whatever_a_tool_wrote(text: str, is_error: bool) -> None:
    shown = results_text([ToolResult("call_1", (Text(text),), is_error)], {"call_1": "run"})
    assert [part for part in parts(parsed(AUTO, [f"I see.\n{shown}"])) if part[0] != "T"] == []


@given(scraps)
def test_neutralising_adds_backslashes_and_changes_nothing_else(text: str) -> None:
    assert neutral(text).replace("\\", "") == text.replace("\\", "")


SINGLE = ("deepseek3", "deepseek31", "kimi", "hermes", "coder", "minimax1", "functionary", "mistral", "mistral-args")


@settings(max_examples=100)
@given(
    st.sampled_from(SINGLE), st.lists(run_arguments.filter(lambda given: "note" not in given), min_size=1, max_size=3)
)
def test_no_call_is_lost_or_doubled_in_any_form(form: str, given_arguments: list[dict[str, Any]]) -> None:
    if form == "coder":
        given_arguments = [{"cmd": "plain", **{k: v for k, v in a.items() if k == "n"}} for a in given_arguments]
    text = toolforms.write(form, [Call("run", arguments) for arguments in given_arguments])
    found = parts(parsed(AUTO, in_chunks(text, 5)))
    assert found == [("C", "run", list(json.loads(json.dumps(arguments)).items())) for arguments in given_arguments]


RAW = ("coder", "glm", "dsml", "minimax2", "cline")
INLINE = ("minimax2", "cline")
"""Where a value that begins with a line break cannot be told from one whose tags stand on lines of their own."""
SPOILT = {"values.yaml", "wrappers.yaml"}
"""Where strings stand raw: files full of broken calls, the corpus itself, may end too early. JSON holds them, too."""


def source_files() -> Iterator[Path]:
    """Files of this repository, and of what is installed: real text of every kind."""
    here = Path(lingma_gateway.__file__).parent
    yield from sorted(here.rglob("*.py"))
    yield from sorted(Path(__file__).parent.rglob("*.*"))
    yield from sorted((here.parents[1] / "docs").glob("*.md"))
    installed = Path(sysconfig.get_path("purelib"))
    for name in ("anthropic", "pydantic", "fastapi", "yaml", "kopf", "playwright"):
        yield from islice(sorted((installed / name).rglob("*.py")), 12)


def readable(files: Iterator[Path]) -> Iterator[tuple[str, str]]:
    for file in files:
        if file.is_file() and file.stat().st_size < 60_000 and "__pycache__" not in file.parts:
            yield file.name, file.read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize("form", ["hermes", "kimi", *RAW])
def test_source_files_come_back_byte_for_byte(form: str) -> None:
    spoilt = []
    count = 0
    for name, content in readable(source_files()):
        if form in INLINE and content.startswith("\n"):
            continue
        count += 1
        text = toolforms.write(form, [Call("write", {"path": name, "content": content})])
        found = parts(parsed(AUTO, in_chunks(text, 1500)))
        if found != [("C", "write", [("path", name), ("content", content)])]:
            spoilt.append(name)
    assert count > 120
    assert set(spoilt) <= (SPOILT if form in RAW else set())


def test_a_key_that_reads_like_markup_is_an_ordinary_key() -> None:
    tool = function("odd", {"a b": {"type": "string"}, "x.y": {"type": "string"}})
    call = ToolCall("call_1", "odd", '{"a b": "1", "x.y": "2", "<": "3"}')
    toolset = type(AUTO)((tool, RUN, WRITE))
    assert parts(parsed(toolset, [calls_text([call], Grammar.CODER, toolset)])) == [meant(call)]
