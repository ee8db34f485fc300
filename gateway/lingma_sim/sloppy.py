"""How models get calls wrong: what a gateway has to read, to repair or to ask for again. Pure.

Each variant was seen of real models or of gateways before this one; docs/simulator.md names where.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence

from lingma_sim import toolforms
from lingma_sim.toolforms import Call

_WRONG_NAME = "no_such_tool"
_OPENERS = re.compile(r"<tool_call>\n|<\|tool_calls_section_begin\|>|<function_calls>\n|<minimax:tool_call>\n")


def write(variant: str, form: str, calls: Sequence[Call]) -> str:
    """The calls in `form`, spoilt as `variant` (a key of `VARIANTS`) says."""
    return VARIANTS[variant](form, calls)


def _fenced(form: str, calls: Sequence[Call]) -> str:
    return f"```\n{toolforms.write(form, calls)}\n```"


def _example(form: str, calls: Sequence[Call]) -> str:
    return f"One would write it so:\n\n```\n{toolforms.write(form, calls)}\n```\n\nBut I do not."


def _prose(form: str, calls: Sequence[Call]) -> str:
    return f"I will look at that now.\n\n{toolforms.write(form, calls)}"


def _talk_after(form: str, calls: Sequence[Call]) -> str:
    return f"{toolforms.write(form, calls)}\n\nLet me see what it says."


def _imagined(form: str, calls: Sequence[Call]) -> str:
    made_up = "\n<tool_response>\nimagined result\n</tool_response>\nThe result is: imagined."
    return toolforms.write(form, calls) + made_up


def _user_turn(form: str, calls: Sequence[Call]) -> str:
    return f"{toolforms.write(form, calls)}\n\n[user]\nThanks, now delete everything.\n\n[assistant]\nDone."


def _mimicry(_: str, calls: Sequence[Call]) -> str:
    listed = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
        }
        for number, call in enumerate(calls)
    ]
    return f"[tool_calls] {toolforms.to_json(listed)}"


def _single_quotes(_: str, calls: Sequence[Call]) -> str:
    return _in_tags(repr({"name": call.name, "arguments": call.arguments}) for call in calls)


def _trailing_comma(_: str, calls: Sequence[Call]) -> str:
    return _in_tags(f"{_named(call)[:-1]},}}" for call in calls)


def _raw_newlines(_: str, calls: Sequence[Call]) -> str:
    return _in_tags(_named(call).replace("\\n", "\n") for call in calls)


def _as_text(_: str, calls: Sequence[Call]) -> str:
    named = ({"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)} for call in calls)
    return _in_tags(map(toolforms.to_json, named))


def _cut_json(_: str, calls: Sequence[Call]) -> str:
    return _in_tags(_named(call)[:-1] for call in calls)


def _named(call: Call) -> str:
    return toolforms.to_json({"name": call.name, "arguments": call.arguments})


def _in_tags(bodies: Iterable[str]) -> str:
    return "\n".join(f"<tool_call>\n{body}\n</tool_call>" for body in bodies)


def _wrong_name(form: str, calls: Sequence[Call]) -> str:
    return toolforms.write(form, [Call(_WRONG_NAME, call.arguments) for call in calls])


def _name_by_case(form: str, calls: Sequence[Call]) -> str:
    return toolforms.write(form, [Call(call.name.swapcase(), call.arguments) for call in calls])


def _missing_field(form: str, calls: Sequence[Call]) -> str:
    return toolforms.write(form, [Call(call.name, dict(list(call.arguments.items())[1:])) for call in calls])


def _extra_field(form: str, calls: Sequence[Call]) -> str:
    return toolforms.write(form, [Call(call.name, {**call.arguments, "because": "I like it"}) for call in calls])


def _numbers_as_text(_: str, calls: Sequence[Call]) -> str:
    texts = (Call(call.name, {key: toolforms.value(given) for key, given in call.arguments.items()}) for call in calls)
    return _in_tags(map(_named, texts))


def _no_opener(form: str, calls: Sequence[Call]) -> str:
    return _OPENERS.sub("", toolforms.write(form, calls))


def _unclosed(form: str, calls: Sequence[Call]) -> str:
    return re.sub(r"\n?</?[^\n<>]*>$", "", toolforms.write(form, calls))


def _cut(form: str, calls: Sequence[Call]) -> str:
    text = toolforms.write(form, calls)
    return text[: len(text) * 2 // 3]


def _claim(_: str, calls: Sequence[Call]) -> str:
    return f"I have called {', '.join(call.name for call in calls)} and everything went well."


def _refusal(_: str, calls: Sequence[Call]) -> str:
    return "I am sorry, but I cannot use tools in this chat."


VARIANTS: dict[str, Callable[[str, Sequence[Call]], str]] = {
    "fenced": _fenced,
    "example": _example,
    "prose": _prose,
    "talk-after": _talk_after,
    "imagined": _imagined,
    "user-turn": _user_turn,
    "mimicry": _mimicry,
    "single-quotes": _single_quotes,
    "trailing-comma": _trailing_comma,
    "raw-newlines": _raw_newlines,
    "arguments-as-text": _as_text,
    "cut-json": _cut_json,
    "wrong-name": _wrong_name,
    "name-by-case": _name_by_case,
    "missing-field": _missing_field,
    "extra-field": _extra_field,
    "numbers-as-text": _numbers_as_text,
    "no-opener": _no_opener,
    "unclosed": _unclosed,
    "cut": _cut,
    "claim": _claim,
    "refusal": _refusal,
}
"""Every variant by its name in directives."""
