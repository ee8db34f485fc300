import json

import pytest

from lingma_sim import script, toolmodel
from lingma_sim.script import Facts

TOOLS = 'You have these tools:\n{"name": "Read"}\n{"name": "Edit"}\nWrite <function=NAME> to call one.'
TASK = "\n".join(
    (
        TOOLS,
        "Please do it.",
        '@sim call Read {"path": "a.txt"}',
        "@sim then",
        '@sim call Edit {"path": "a.txt", "text": "{{result}}!", "tags": ["{{result:1:n(.)}}", 7]}',
        '@sim call Read {"path": "b.txt"}',
        "@sim then",
        "@sim say done: {{result:3}}",
    )
)


def result(*texts: str) -> str:
    return "\n".join(f"<tool_response>\n{text}\n</tool_response>" for text in texts)


def answer(*questions: str) -> str:
    *earlier, last = questions
    written = script.write(last, earlier)
    return script.answer(written, Facts("alice", earlier, "org_auto", None))


READ_A = "<tool_call>\n<function=Read>\n<parameter=path>\na.txt\n</parameter>\n</function>\n</tool_call>"


def test_the_first_step_calls_in_the_form_that_was_instructed() -> None:
    assert answer(TASK) == READ_A


@pytest.mark.parametrize("questions", [(TASK, result("one")), (f"{TASK}\n{READ_A}\n{result('one')}",)])
def test_a_result_leads_to_the_next_step_in_a_session_or_in_a_transcript(questions: tuple[str, ...]) -> None:
    assert "<parameter=text>\none!\n" in answer(*questions)
    assert '<parameter=tags>\n["e", 7]\n' in answer(*questions)
    assert answer(*questions).count("<tool_call>") == 2


@pytest.mark.parametrize(
    "questions",
    [
        (TASK, result("one"), result("two", "three")),
        (TASK, result("one"), result("two"), result("three")),
        (f"{TASK}\n{result('one')}\n{result('two', 'three')}",),
        (f"{TASK}\n{result('one')}", result("two", "three")),
    ],
)
def test_the_last_step_comes_when_all_results_are_in(questions: tuple[str, ...]) -> None:
    assert answer(*questions) == "done: three"


def test_one_of_two_results_is_not_enough() -> None:
    assert answer(TASK, result("one"), result("two")).count("<tool_call>") == 2


def test_asked_again_without_a_result_it_calls_again() -> None:
    assert answer(TASK, "Your call was malformed.") == READ_A


def test_after_its_script_the_model_echoes_again() -> None:
    assert answer(TASK, result("one"), result("two", "three"), "And now?") == "echo: And now?"


def test_a_script_without_calls_goes_on_with_each_question() -> None:
    block = "@sim say bad\n@sim then\n@sim say good"
    assert answer(block) == "bad"
    assert answer(block, "Again, please.") == "good"
    assert answer(block, "Again, please.", "Once more.") == "echo: Once more."


def test_more_results_than_calls_end_the_script() -> None:
    assert answer(TASK, result("one", "two", "three", "four")).startswith("echo: ")


def test_new_directives_begin_a_new_script() -> None:
    assert answer(TASK, "@sim say never mind") == "never mind"


def test_directives_in_a_result_are_not_obeyed() -> None:
    assert "<function=Edit>" in answer(TASK, result("@sim say gotcha"))


def test_a_sloppy_call_is_clean_when_asked_again_unless_it_is_stubborn() -> None:
    sloppy = TASK.replace("@sim then", "@sim sloppy wrong-name\n@sim then", 1)
    assert "no_such_tool" in answer(sloppy)
    assert answer(sloppy, "There is no such tool.") == READ_A
    stubborn = sloppy.replace("@sim sloppy", "@sim stubborn\n@sim sloppy")
    assert "no_such_tool" in answer(stubborn, "There is no such tool.")


def test_the_form_may_be_any_of_the_native_ones() -> None:
    kimi = TASK.replace("@sim then", "@sim form kimi\n@sim then", 1)
    assert answer(kimi).startswith("<|tool_calls_section_begin|>")


def test_json_is_written_where_json_was_instructed() -> None:
    hermes = TASK.replace("<function=NAME>", '{"name": NAME}')
    assert json.loads(answer(hermes).splitlines()[1]) == {"name": "Read", "arguments": {"path": "a.txt"}}


def test_a_tool_that_was_not_described_is_not_called() -> None:
    assert answer('@sim call Grep {"a": 1}') == "I know of no tool Grep."
    assert answer(f"{TOOLS}\n@sim call Rea {{}}") == "I know of no tool Rea."


def test_text_comes_before_calls() -> None:
    assert answer(f"{TOOLS}\n@sim say Let me see.\n@sim call Read").startswith("Let me see.\n<tool_call>")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{result}}", "two 22"),
        ("{{result:1}}", "one"),
        ("{{result:2:\\d+}}", "22"),
        ("{{result:2:(t)w}}", "t"),
        ("{{result:2:nope}}", ""),
        ("{{result:*}}", "one\ntwo 22"),
        ("{{result:*:[0-9]+}}", "22"),
        ("{{result:3}}", ""),
        ("{{result:2:(}}", "bad pattern: ("),
        ("a {{result:1}} b", "a one b"),
        ({"a": ["{{result:1}}", None]}, {"a": ["one", None]}),
    ],
)
def test_results_fill_the_places_that_name_them(text: object, filled: object) -> None:
    assert toolmodel.filled(text, ["one", "two 22"]) == filled


def test_without_a_result_a_place_is_empty() -> None:
    assert toolmodel.filled("<{{result}}>", []) == "<>"


@pytest.mark.parametrize("line", ["@sim form klingon", "@sim sloppy perfectly", "@sim call", "@sim call Read [1]"])
def test_a_malformed_directive_is_named_in_the_answer(line: str) -> None:
    assert answer(line) == f"unknown directive: {line.removeprefix('@sim ')}"
