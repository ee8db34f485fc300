"""How many tokens a whole request is, by the one estimator. Pure."""

from collections.abc import Iterator
from typing import assert_never

from lingma_gateway.conversation import Media, Part, Reasoning, Text, ToolCall, ToolResult, Turn
from lingma_gateway.tokens import estimate


def input_tokens(turn: Turn) -> int:
    """Tokens of all that the model is shown: system prompt, messages, tools and the format of the answer.

    Media count as their placeholders: what Lingma counts for an image is not known.
    """
    return estimate("\n".join(_texts(turn)))


def _texts(turn: Turn) -> Iterator[str]:
    for message in turn.messages:
        yield message.role.value
        for part in message.parts:
            yield from _part(part)
    for tool in turn.tools:
        yield from (tool.name, tool.description, tool.schema, tool.grammar)
    if turn.output is not None and turn.output.schema is not None:
        yield turn.output.schema


def _part(part: Part) -> Iterator[str]:
    match part:
        case Text(text):
            yield text
        case Reasoning():
            return  # never shown to the model again
        case Media(kind):
            yield f"[{kind.value}]"
        case ToolCall(id, name, arguments):
            yield from (id, name, arguments)
        case ToolResult(id, content):
            yield id
            for each in content:
                yield from _part(each)
        case _:
            assert_never(part)
