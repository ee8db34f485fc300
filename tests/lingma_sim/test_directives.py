import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_sim.directives import (
    Chunks,
    Crash,
    Delay,
    Directive,
    Fail,
    Fault,
    Hang,
    Images,
    Logout,
    Model,
    Recall,
    Say,
    Think,
    Tool,
    ToolResult,
    Unknown,
    WhoAmI,
    parse,
)
from lingma_sim.faults import Chosen

CASES: dict[str, Directive] = {
    "say hello  world": Say("hello  world"),
    "say": Say(""),
    "whoami": WhoAmI(),
    "recall": Recall(),
    "images": Images(),
    "model": Model(),
    "toolresult": ToolResult(),
    "chunks 3": Chunks(3),
    "delay 0": Delay(0),
    "think let me see": Think("let me see"),
    "tool read_file": Tool("read_file"),
    'tool read_file {"path": "a b"}': Tool("read_file", {"path": "a b"}),
    "fail 500 it broke": Fail(500, "it broke"),
    "fail 500": Fail(500, ""),
    "hang": Hang(),
    "crash": Crash(),
    "logout": Logout(),
    "fault overwrite=each": Fault(Chosen("overwrite", "each")),
    "fault status=6": Unknown("fault status=6"),
    "fault nonsense": Unknown("fault nonsense"),
    "": Unknown(""),
    "dance": Unknown("dance"),
    "whoami now": Unknown("whoami now"),
    "chunks": Unknown("chunks"),
    "chunks 0": Unknown("chunks 0"),
    "chunks 10001": Unknown("chunks 10001"),
    "chunks ²": Unknown("chunks ²"),
    "delay soon": Unknown("delay soon"),
    "delay 9999999": Unknown("delay 9999999"),
    "fail now": Unknown("fail now"),
    "tool": Unknown("tool"),
    "tool x {": Unknown("tool x {"),
    "tool x []": Unknown("tool x []"),
}


@pytest.mark.parametrize("text", CASES)
def test_a_line_is_read_as_its_directive(text: str) -> None:
    assert parse(f"@sim {text}") == (CASES[text],)


def test_deeply_nested_parameters_are_no_crash() -> None:
    nested = "tool x " + "[" * 100_000
    assert parse(f"@sim {nested}") == (Unknown(nested),)


def test_the_last_contiguous_block_counts() -> None:
    history = "@sim say one\nuser: and now?\n  @sim chunks 2\r\n@sim say two\nthank you\n"
    assert parse(history) == (Chunks(2), Say("two"))


def test_a_blank_line_ends_a_block() -> None:
    assert parse("@sim say one\n\n@sim say two") == (Say("two"),)


@pytest.mark.parametrize("text", ["", "hello", "@simulate this", "say @sim hang", "@ sim hang"])
def test_a_question_without_such_lines_has_no_directives(text: str) -> None:
    assert parse(text) == ()


@given(st.text())
def test_no_question_breaks_the_parser(question: str) -> None:
    parse(question)


@given(st.text().map(lambda text: f"@sim {text}"))
def test_no_directive_breaks_the_parser(question: str) -> None:
    parse(question)


words = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1)


@given(st.lists(words, min_size=1), st.lists(st.sampled_from(["hello", "", "@sim hang\nbut"])))
def test_what_comes_before_the_last_block_changes_nothing(said: list[str], before: list[str]) -> None:
    block = "\n".join(f"@sim say {text}" for text in said)
    assert parse("\n".join([*before, "question:", block])) == tuple(Say(text) for text in said)
