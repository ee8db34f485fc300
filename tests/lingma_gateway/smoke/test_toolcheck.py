import json

import pytest

from lingma_gateway.smoke.report import Outcome
from lingma_gateway.smoke.toolcheck import TASKS, TOOLS, Again, Finding, Task, judgement, question
from lingma_gateway.tools import Grammar
from lingma_sim import sloppy, toolforms
from lingma_sim.toolforms import Call

CALLING = [task for task in TASKS if task.calls]
TALKING = [task for task in TASKS if not task.calls]


def calls(task: Task) -> list[Call]:
    return [Call(name, arguments) for name, arguments in task.calls]


def test_there_are_ten_tasks_and_22_tools() -> None:
    assert len(TASKS) == 10
    assert len({tool.name for tool in TOOLS}) == len(TOOLS) == 22
    assert {name for task in TASKS for name, _ in task.calls} <= {tool.name for tool in TOOLS}


@pytest.mark.parametrize("form", [grammar.value for grammar in Grammar])
@pytest.mark.parametrize("task", CALLING, ids=lambda task: task.prompt[:20])
def test_the_right_calls_are_valid_in_each_grammar(task: Task, form: str) -> None:
    assert task.judge(toolforms.write(form, calls(task))) is Finding.VALID


@pytest.mark.parametrize("task", CALLING, ids=lambda task: task.prompt[:20])
def test_words_instead_of_a_call_are_a_call_lost(task: Task) -> None:
    assert task.judge("I have done so.") is Finding.LOST
    assert task.judge(toolforms.write("coder", calls(task))[:-30], cut=True) is Finding.LOST


@pytest.mark.parametrize("task", TALKING, ids=lambda task: task.prompt[:20])
def test_a_call_where_words_were_asked_for_is_false(task: Task) -> None:
    assert task.judge("Four.") is Finding.VALID
    assert task.judge(toolforms.write("coder", [Call("delete_file", {"path": "a"})])) is Finding.FALSE


def test_a_call_of_another_tool_is_false_and_one_with_other_arguments_lost() -> None:
    read = CALLING[0]
    assert read.judge(toolforms.write("coder", [Call("list_directory", {"path": "src"})])) is Finding.FALSE
    assert read.judge(toolforms.write("coder", [Call("read_file", {"path": "src/other.py"})])) is Finding.LOST
    assert read.judge(toolforms.write("coder", [*calls(read), *calls(read)])) is Finding.LOST


def test_what_no_prompt_can_fix_is_left_to_the_model() -> None:
    assert CALLING[0].judge(toolforms.write("coder", [Call("read_file", {"path": "src/main.py", "limit": 100})])) is (
        Finding.VALID
    )


def test_a_call_that_had_to_be_mended_is_counted_as_such() -> None:
    assert CALLING[0].judge(sloppy.write("trailing-comma", "hermes", calls(CALLING[0]))) is Finding.REPAIRED


def test_a_call_that_cannot_be_read_is_asked_for_again_in_words_that_name_what_is_wrong() -> None:
    verdict = CALLING[0].judge(sloppy.write("missing-field", "coder", calls(CALLING[0])))
    assert isinstance(verdict, Again)
    assert "path" in verdict.question


@pytest.mark.parametrize("grammar", Grammar)
def test_the_model_is_told_the_grammar_the_tools_and_the_task(grammar: Grammar) -> None:
    asked = question(grammar, TASKS[0])
    assert asked.endswith(TASKS[0].prompt)
    assert all(tool.name in asked for tool in TOOLS)
    assert ("<function=" in asked) is (grammar is Grammar.CODER)


def test_a_simulated_model_is_told_what_to_do() -> None:
    name, _, arguments = CALLING[2].directives()[0].removeprefix("call ").partition(" ")
    assert (name, json.loads(arguments)) == CALLING[2].calls[0]
    assert TALKING[0].directives() == ["say As you wish."]


def test_the_judgement_counts_by_grammar() -> None:
    good = judgement("m", [(Grammar.CODER, Finding.VALID), (Grammar.HERMES, Finding.REPAIRED)])
    assert good.outcome is Outcome.AS_DOCUMENTED
    assert good.finding == "m: coder: 1 valid; hermes: 1 repaired"
    assert good.facts["toolCalls"]["hermes"] == {"valid": 0, "repaired": 1, "askedAgain": 0, "lost": 0, "false": 0}
    bad = judgement("m", [(Grammar.CODER, Finding.LOST)])
    assert (bad.outcome, bad.finding) == (Outcome.DIFFERS, "m: coder: 1 lost")
    mixed = judgement("m", [(Grammar.CODER, Finding.LOST), (Grammar.HERMES, Finding.VALID)])
    assert mixed.outcome is Outcome.AS_DOCUMENTED, "one grammar suits the model"
