import ast
import json

import pytest

from lingma_sim import toolforms
from lingma_sim.toolforms import FORMS, Call

RUN = Call("run", {"cmd": 'ls "a"', "n": 2})
JSON = '{"cmd": "ls \\"a\\"", "n": 2}'
EXPECTED = {
    "coder": (
        '<tool_call>\n<function=run>\n<parameter=cmd>\nls "a"\n</parameter>\n<parameter=n>\n2\n</parameter>\n'
        "</function>\n</tool_call>"
    ),
    "hermes": f'<tool_call>\n{{"name": "run", "arguments": {JSON}}}\n</tool_call>',
    "kimi": (
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.run:0<|tool_call_argument_begin|>"
        f"{JSON}<|tool_call_end|><|tool_calls_section_end|>"
    ),
    "kimi3": (
        '<|open|>call tool="run" index="1"<|sep|><|open|>argument key="cmd" type="string"<|sep|>ls "a"<|close|>argument'
        '<|sep|><|open|>argument key="n" type="integer"<|sep|>2<|close|>argument<|sep|><|close|>call<|sep|>'
    ),
    "minimax1": f'<tool_calls>\n{{"name": "run", "arguments": {JSON}}}\n</tool_calls>',
    "minimax2": (
        '<minimax:tool_call>\n<invoke name="run">\n<parameter name="cmd">ls "a"</parameter>\n'
        '<parameter name="n">2</parameter>\n</invoke>\n</minimax:tool_call>'
    ),
    "deepseek3": (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>run\n"
        f"```json\n{JSON}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
    ),
    "deepseek31": (
        f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>run<｜tool▁sep｜>{JSON}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
    ),
    "dsml": (
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="run">\n'
        '<｜DSML｜parameter name="cmd" string="true">ls "a"</｜DSML｜parameter>\n'
        '<｜DSML｜parameter name="n" string="false">2</｜DSML｜parameter>\n'
        "</｜DSML｜invoke>\n</｜DSML｜function_calls>"
    ),
    "glm": (
        '<tool_call>run\n<arg_key>cmd</arg_key>\n<arg_value>ls "a"</arg_value>\n<arg_key>n</arg_key>\n'
        "<arg_value>2</arg_value>\n</tool_call>"
    ),
    "claude": (
        '<function_calls>\n<invoke name="run">\n<parameter name="cmd">ls "a"</parameter>\n'
        '<parameter name="n">2</parameter>\n</invoke>\n</function_calls>'
    ),
    "cline": '<run>\n<cmd>ls "a"</cmd>\n<n>2</n>\n</run>',
    "llama3": f'{{"name": "run", "parameters": {JSON}}}',
    "functionary": f"<function=run>{JSON}</function>",
    "mistral": f'[TOOL_CALLS][{{"name": "run", "arguments": {JSON}, "id": "c00000000"}}]',
    "mistral-args": f"[TOOL_CALLS]run[ARGS]{JSON}",
    "pythonic": "[run(cmd='ls \"a\"', n=2)]",
    "qwen-agent": f"✿FUNCTION✿: run\n✿ARGS✿: {JSON}\n✿RESULT✿: ",
    "react": f"Action: run\nAction Input: {JSON}\nObservation:",
    "action-fence": f'```json action\n{{"tool": "run", "parameters": {JSON}}}\n```',
}
EXPECTED["dsml4"] = EXPECTED["dsml"].replace("function_calls", "tool_calls")


@pytest.mark.parametrize("form", FORMS)
def test_a_call_is_written_as_the_family_of_models_writes_it(form: str) -> None:
    assert toolforms.write(form, [RUN]) == EXPECTED[form]


@pytest.mark.parametrize("form", FORMS)
def test_two_calls_are_both_there(form: str) -> None:
    text = toolforms.write(form, [RUN, Call("stop", {})])
    assert "run" in text
    assert text.index("run") < text.index("stop")


def test_a_call_without_arguments_is_a_bare_name_for_glm() -> None:
    assert toolforms.write("glm", [Call("run", {})]) == "<tool_call>run</tool_call>"


def test_kimi_names_the_type_of_each_argument() -> None:
    given: dict[str, object] = {"a": None, "b": True, "c": 1.5, "d": [], "e": {}}
    text = toolforms.write("kimi3", [Call("run", given)])
    assert [part.split('"')[0] for part in text.split('type="')[1:]] == ["null", "boolean", "number", "array", "object"]


def test_what_is_meant_as_json_or_python_is_that() -> None:
    hermes = toolforms.write("hermes", [RUN]).splitlines()[1]
    assert json.loads(hermes) == {"name": "run", "arguments": RUN.arguments}
    assert isinstance(ast.parse(toolforms.write("pythonic", [RUN]), mode="eval").body, ast.List)
