import pytest

from lingma_sim import sloppy
from lingma_sim.sloppy import VARIANTS
from lingma_sim.toolforms import Call

EDIT = Call("Edit", {"path": "a.py", "text": "x\ny", "count": 2})
IN_TAGS = "<tool_call>\n{}\n</tool_call>"
EXPECTED = {
    "fenced": ("coder", "```\n<tool_call>\n<function=Edit>"),
    "example": ("coder", "One would write it so:\n\n```\n<tool_call>"),
    "prose": ("coder", "I will look at that now.\n\n<tool_call>"),
    "talk-after": ("coder", "</tool_call>\n\nLet me see what it says."),
    "imagined": ("coder", "</tool_call>\n<tool_response>\nimagined result\n</tool_response>"),
    "user-turn": ("coder", "</tool_call>\n\n[user]\nThanks"),
    "mimicry": ("coder", '[tool_calls] [{"id": "call_0", "type": "function", "function": {"name": "Edit"'),
    "single-quotes": ("hermes", IN_TAGS.format(str({"name": "Edit", "arguments": EDIT.arguments}))),
    "trailing-comma": ("hermes", '"count": 2},}'),
    "raw-newlines": ("hermes", '"text": "x\ny"'),
    "arguments-as-text": ("hermes", '"arguments": "{\\"path\\"'),
    "cut-json": ("hermes", '"count": 2}\n</tool_call>'),
    "wrong-name": ("coder", "<function=no_such_tool>"),
    "name-by-case": ("coder", "<function=eDIT>"),
    "missing-field": ("coder", "<function=Edit>\n<parameter=text>"),
    "extra-field": ("coder", "<parameter=because>\nI like it"),
    "numbers-as-text": ("hermes", '"count": "2"'),
    "no-opener": ("coder", "<function=Edit>\n<parameter=path>\na.py"),
    "unclosed": ("coder", "2\n</parameter>\n</function>"),
    "cut": ("coder", "<tool_call>\n<function=Edit>"),
    "claim": ("coder", "I have called Edit and everything went well."),
    "refusal": ("coder", "I cannot use tools"),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_is_what_its_name_says(variant: str) -> None:
    form, expected = EXPECTED[variant]
    assert expected in sloppy.write(variant, form, [EDIT])


@pytest.mark.parametrize(
    ("variant", "form", "gone"),
    [
        ("no-opener", "coder", "<tool_call>"),
        ("no-opener", "kimi", "<|tool_calls_section_begin|>"),
        ("unclosed", "coder", "</tool_call>"),
        ("unclosed", "claude", "</function_calls>"),
        ("missing-field", "hermes", "path"),
        ("cut", "hermes", "</tool_call>"),
    ],
)
def test_what_a_variant_leaves_out_is_gone(variant: str, form: str, gone: str) -> None:
    assert gone not in sloppy.write(variant, form, [EDIT])
