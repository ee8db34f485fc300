"""Writes past calls and their results into the prompt, in the grammar that the model is instructed in.

What is written here, the parser reads back as the same call. A result can hold anything; our markers in it are made
inert by a backslash, `<\\tool_call>`, so that neither the model nor the parser takes them for one.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from lingma_gateway.conversation import Text, Tool, ToolCall, ToolResult
from lingma_gateway.grammars import Grammar
from lingma_gateway.tools.schema import schema_of
from lingma_gateway.tools.serialise import json_text
from lingma_gateway.tools.toolset import ToolSet

_MARKERS = re.compile(
    r"<(?=/?(?:tool_calls?|tool_response|tools|functions?|function_calls?|invoke|parameter|minimax:tool_call|arg_key"
    r"|arg_value|antml:\w+)\b|[|｜](?:im_start|im_end|endoftext|tool|open|close|DSML|end))"
    r"|\[(?=TOOL_CALLS\])|✿(?=FUNCTION✿|ARGS✿|RESULT✿|RETURN✿)"
    r"|(?<![\w.])f(?=unctions\.[\w.-]+:\d)|^(?=[ \t]*(?:Action|Observation)[ \t]*:)|```(?=[ \t]*json action)",
    re.IGNORECASE | re.MULTILINE,
)
_ATTRIBUTE = str.maketrans({'"': "'", "<": "", ">": "", "|": "", "\n": " ", "\r": " "})
"""Characters that an id or a name could break its tag with. Real ids hold none of them."""
_TAGS_INSIDE = re.compile(r"[<＜]\s?/?\s?(?:parameter|function|invoke|tool_call)", re.IGNORECASE)
_TAG_NAME = re.compile(r"[^\W\d][\w.\-]{0,127}")


def neutral(text: str) -> str:
    """`text` with every marker of a call or a result made inert."""
    return _MARKERS.sub(lambda found: f"{found.group()}\\", text)


def calls_text(calls: Sequence[ToolCall], grammar: Grammar, toolset: ToolSet) -> str:
    """The calls of one answer, as the model would have written them, each with its id."""
    return "\n".join(_call(call, grammar, toolset.find(call.name)) for call in calls)


def results_text(results: Sequence[ToolResult], names: dict[str, str]) -> str:
    """Several results of one turn. `names`: by call id, the tool's name, where the result does not say it.

    Media must have become text or references before; a placeholder stands for what is left.
    """
    return "\n".join(_result(result, result.name or names.get(result.id, "")) for result in results)


def _result(result: ToolResult, name: str) -> str:
    said = "\n".join(part.text if isinstance(part, Text) else f"[{part.kind}]" for part in result.content)
    attributes = f' id="{_attribute(result.id)}"' + (f' name="{_attribute(name)}"' if name else "")
    error = ' status="error"' if result.is_error else ""
    return f"<tool_response{attributes}{error}>\n{neutral(said)}\n</tool_response>"


def _call(call: ToolCall, grammar: Grammar, tool: Tool | None) -> str:
    arguments = {"input": call.arguments} if call.custom else _object(call.arguments)
    opening = f'<tool_call id="{_attribute(call.id)}">'
    if grammar is Grammar.CODER and isinstance(arguments, dict) and _fits_tags(call, arguments, tool):
        parameters = "".join(f"<parameter={key}>\n{_raw(value)}\n</parameter>\n" for key, value in arguments.items())
        return f"{opening}\n<function={call.name}>\n{parameters}</function>\n</tool_call>"
    told = json_text({"name": call.name, "arguments": arguments})
    return f"{opening}\n{told}\n</tool_call>"


def _object(arguments: str) -> Any:
    """A client's arguments; as text where they are no JSON, which is shown as it is."""
    if not arguments.strip():
        return {}
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _fits_tags(call: ToolCall, arguments: dict[str, Any], tool: Tool | None) -> bool:
    """Whether tags say exactly this: what they could not, is written as JSON, which is read as well."""
    if not _TAG_NAME.fullmatch(call.name) or not all(_TAG_NAME.fullmatch(key) for key in arguments):
        return False
    if any(isinstance(value, str) and _TAGS_INSIDE.search(value) for value in arguments.values()):
        return False
    if call.custom or tool is None:
        return True
    schema = schema_of(tool.schema)
    return all(schema.from_text(key, _raw(value)) == value for key, value in arguments.items())


def _raw(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)


def _attribute(text: str) -> str:
    return text.translate(_ATTRIBUTE)
