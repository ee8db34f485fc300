"""The forms in which families of models write calls of tools into their text. Pure.

Each is as the family's chat template or its maker's parser has it; docs/simulator.md names the sources. Lingma serves
several families, and what it passes on of their markers is not known (protocol page: no evidence), so a gateway has to
read all of them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the simulated model means it."""

    name: str
    arguments: dict[str, Any]


def write(form: str, calls: Sequence[Call]) -> str:
    """The text of these calls in one answer. `form` is a key of `FORMS`."""
    return FORMS[form](calls)


def value(argument: Any) -> str:
    """An argument in tags: text as it is, everything else as JSON."""
    return argument if isinstance(argument, str) else to_json(argument)


def to_json(found: Any) -> str:
    """JSON with the spaces that models write."""
    return json.dumps(found, ensure_ascii=False)


def _coder(calls: Sequence[Call]) -> str:
    return "\n".join(f"<tool_call>\n{_function(call)}\n</tool_call>" for call in calls)


def _function(call: Call) -> str:
    parameters = "".join(f"<parameter={key}>\n{value(given)}\n</parameter>\n" for key, given in call.arguments.items())
    return f"<function={call.name}>\n{parameters}</function>"


def _named(call: Call, key: str = "arguments") -> str:
    return to_json({"name": call.name, key: call.arguments})


def _hermes(calls: Sequence[Call]) -> str:
    return "\n".join(f"<tool_call>\n{_named(call)}\n</tool_call>" for call in calls)


def _kimi(calls: Sequence[Call]) -> str:
    inner = "".join(
        f"<|tool_call_begin|>functions.{call.name}:{number}<|tool_call_argument_begin|>{to_json(call.arguments)}"
        "<|tool_call_end|>"
        for number, call in enumerate(calls)
    )
    return f"<|tool_calls_section_begin|>{inner}<|tool_calls_section_end|>"


def _kimi3(calls: Sequence[Call]) -> str:
    return "".join(
        f'<|open|>call tool="{call.name}" index="{number}"<|sep|>'
        + "".join(
            f'<|open|>argument key="{key}" type="{_type(given)}"<|sep|>{value(given)}<|close|>argument<|sep|>'
            for key, given in call.arguments.items()
        )
        + "<|close|>call<|sep|>"
        for number, call in enumerate(calls, 1)
    )


def _type(given: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(given), "null")


def _minimax1(calls: Sequence[Call]) -> str:
    return "\n".join(("<tool_calls>", *(_named(call) for call in calls), "</tool_calls>"))


def _invokes(calls: Sequence[Call]) -> str:
    return "\n".join(
        f'<invoke name="{call.name}">\n'
        + "".join(f'<parameter name="{key}">{value(given)}</parameter>\n' for key, given in call.arguments.items())
        + "</invoke>"
        for call in calls
    )


def _minimax2(calls: Sequence[Call]) -> str:
    return f"<minimax:tool_call>\n{_invokes(calls)}\n</minimax:tool_call>"


def _claude(calls: Sequence[Call]) -> str:
    return f"<function_calls>\n{_invokes(calls)}\n</function_calls>"


def _deepseek3(calls: Sequence[Call]) -> str:
    inner = "".join(
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{call.name}\n```json\n{to_json(call.arguments)}\n```<｜tool▁call▁end｜>"
        for call in calls
    )
    return f"<｜tool▁calls▁begin｜>{inner}<｜tool▁calls▁end｜>"


def _deepseek31(calls: Sequence[Call]) -> str:
    inner = "".join(
        f"<｜tool▁call▁begin｜>{call.name}<｜tool▁sep｜>{to_json(call.arguments)}<｜tool▁call▁end｜>" for call in calls
    )
    return f"<｜tool▁calls▁begin｜>{inner}<｜tool▁calls▁end｜>"


def _dsml(wrapper: str) -> Callable[[Sequence[Call]], str]:
    def form(calls: Sequence[Call]) -> str:
        inner = "\n".join(
            f'<｜DSML｜invoke name="{call.name}">\n'
            + "".join(
                f'<｜DSML｜parameter name="{key}" string="{"true" if isinstance(given, str) else "false"}">'
                f"{value(given)}</｜DSML｜parameter>\n"
                for key, given in call.arguments.items()
            )
            + "</｜DSML｜invoke>"
            for call in calls
        )
        return f"<｜DSML｜{wrapper}>\n{inner}\n</｜DSML｜{wrapper}>"

    return form


def _glm(calls: Sequence[Call]) -> str:
    return "\n".join(
        f"<tool_call>{call.name}"
        + "".join(
            f"\n<arg_key>{key}</arg_key>\n<arg_value>{value(given)}</arg_value>"
            for key, given in call.arguments.items()
        )
        + ("\n</tool_call>" if call.arguments else "</tool_call>")
        for call in calls
    )


def _cline(calls: Sequence[Call]) -> str:
    return "\n".join(
        f"<{call.name}>\n"
        + "".join(f"<{key}>{value(given)}</{key}>\n" for key, given in call.arguments.items())
        + f"</{call.name}>"
        for call in calls
    )


def _llama3(calls: Sequence[Call]) -> str:
    return "\n".join(_named(call, "parameters") for call in calls)


def _functionary(calls: Sequence[Call]) -> str:
    return "".join(f"<function={call.name}>{to_json(call.arguments)}</function>" for call in calls)


def _mistral(calls: Sequence[Call]) -> str:
    listed = [
        {"name": call.name, "arguments": call.arguments, "id": f"c{number:08d}"} for number, call in enumerate(calls)
    ]
    return f"[TOOL_CALLS]{to_json(listed)}"


def _mistral_args(calls: Sequence[Call]) -> str:
    return "".join(f"[TOOL_CALLS]{call.name}[ARGS]{to_json(call.arguments)}" for call in calls)


def _pythonic(calls: Sequence[Call]) -> str:
    written = (
        f"{call.name}({', '.join(f'{key}={given!r}' for key, given in call.arguments.items())})" for call in calls
    )
    return f"[{', '.join(written)}]"


def _qwen_agent(calls: Sequence[Call]) -> str:
    return "\n".join(f"✿FUNCTION✿: {call.name}\n✿ARGS✿: {to_json(call.arguments)}\n✿RESULT✿: " for call in calls)


def _react(calls: Sequence[Call]) -> str:
    return "\n".join(f"Action: {call.name}\nAction Input: {to_json(call.arguments)}\nObservation:" for call in calls)


def _action_fence(calls: Sequence[Call]) -> str:
    return "\n".join(
        f"```json action\n{to_json({'tool': call.name, 'parameters': call.arguments})}\n```" for call in calls
    )


FORMS: dict[str, Callable[[Sequence[Call]], str]] = {
    "coder": _coder,
    "hermes": _hermes,
    "kimi": _kimi,
    "kimi3": _kimi3,
    "minimax1": _minimax1,
    "minimax2": _minimax2,
    "deepseek3": _deepseek3,
    "deepseek31": _deepseek31,
    "dsml": _dsml("function_calls"),
    "dsml4": _dsml("tool_calls"),
    "glm": _glm,
    "claude": _claude,
    "cline": _cline,
    "llama3": _llama3,
    "functionary": _functionary,
    "mistral": _mistral,
    "mistral-args": _mistral_args,
    "pythonic": _pythonic,
    "qwen-agent": _qwen_agent,
    "react": _react,
    "action-fence": _action_fence,
}
"""Every form by its name in directives."""
