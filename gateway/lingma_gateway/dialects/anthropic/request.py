"""A request for a message: a body in, a Turn out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingma_gateway.conversation import Message, OutputFormat, Turn
from lingma_gateway.dialects.anthropic import content, reading
from lingma_gateway.dialects.anthropic import tools as offered
from lingma_gateway.dialects.anthropic.answer import Thinking
from lingma_gateway.dialects.anthropic.fields import FIELDS
from lingma_gateway.dialects.anthropic.reading import MISSING, boolean, obj, refusal, string
from lingma_gateway.dialects.treatment import ignored
from lingma_gateway.errors import ThreadNotKept


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    turn: Turn
    thinking: Thinking


def parse(body: bytes) -> MessagesRequest:
    """The request in a body.

    Raises:
        InvalidRequest: it is malformed, or asks for what would silently change the answer; `param` names the field.
        ThreadNotKept: it asks for a thread.
    """
    fields = reading.body(body)
    if fields.get("thread") is not None:
        raise ThreadNotKept("thread: Threads are not kept here. Send the whole conversation without `thread`.")
    return MessagesRequest(_turn(fields, _max_tokens(fields)), _thinking(fields))


def parse_count(body: bytes) -> Turn:
    """The request of `count_tokens`, which has no answer to be limited.

    Raises:
        InvalidRequest: it is malformed; `param` names the field.
    """
    return _turn(reading.body(body), None)


def _turn(fields: Mapping[str, Any], max_tokens: int | None) -> Turn:
    reader = content.Reader()
    messages = (*content.system(fields.get("system")), *_messages(fields, reader))
    tools, unknown_tools = offered.tools(fields.get("tools"))
    tool_choice, parallel = offered.choice(fields.get("tool_choice"), tools)
    return Turn(
        reading.optional_string(fields, "model", "") or None,
        messages,
        boolean(fields, "stream"),
        tools,
        tool_choice,
        parallel,
        _stop_sequences(fields),
        max_tokens,
        _output(fields),
        _user(fields),
        ignored=(*sorted(ignored(fields, FIELDS)), *unknown_tools),
        degraded=tuple(reader.degraded),
    )


def _messages(fields: Mapping[str, Any], reader: content.Reader) -> tuple[Message, ...]:
    if "messages" not in fields:
        raise refusal("messages", MISSING)
    messages = tuple(reader.messages(fields["messages"]))
    if not messages:
        raise refusal("messages", "at least one message with content is required")
    return messages


def _max_tokens(fields: Mapping[str, Any]) -> int:
    value = fields.get("max_tokens")
    if value is None:
        raise refusal("max_tokens", MISSING)
    if not isinstance(value, int) or isinstance(value, bool):
        raise refusal("max_tokens", "Input should be a valid integer")
    if value < 1:
        raise refusal("max_tokens", "Input should be greater than or equal to 1")
    return value


def _stop_sequences(fields: Mapping[str, Any]) -> tuple[str, ...]:
    found = reading.items(fields.get("stop_sequences"), "stop_sequences")
    for position, text in enumerate(found):
        if not isinstance(text, str):
            raise refusal(f"stop_sequences.{position}", "Input should be a valid string")
    return tuple(filter(None, found))


def _thinking(fields: Mapping[str, Any]) -> Thinking:
    """How much of the model's reasoning is shown: none unless it is asked for, since much code takes the first block
    for the text."""
    value = fields.get("thinking")
    if value is None:
        return Thinking.HIDDEN
    asked = obj(value, "thinking")
    if string(asked, "type", "thinking") == "disabled":
        return Thinking.HIDDEN
    return Thinking.OMITTED if asked.get("display") == "omitted" else Thinking.SHOWN


def _output(fields: Mapping[str, Any]) -> OutputFormat | None:
    """`output_config.format`, or `output_format`, as it was called at first."""
    config = fields.get("output_config")
    value, where = fields.get("output_format"), "output_format"
    if config is not None and (formatted := obj(config, "output_config").get("format")) is not None:
        value, where = formatted, "output_config.format"
    if value is None:
        return None
    asked = obj(value, where)
    if string(asked, "type", where) != "json_schema":
        raise refusal(f"{where}.type", "Input should be 'json_schema'")
    place = f"{where}.schema"
    return OutputFormat(reading.json_text(obj(asked.get("schema"), place), place), strict=True, where=place)


def _user(fields: Mapping[str, Any]) -> str | None:
    metadata = fields.get("metadata")
    if metadata is None:
        return None
    return reading.optional_string(obj(metadata, "metadata"), "user_id", "metadata") or None
