"""A request body as a Turn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from lingma_gateway.conversation import OutputFormat, Turn
from lingma_gateway.dialects import treatment
from lingma_gateway.dialects.openai_chat import tools
from lingma_gateway.dialects.openai_chat.fields import (
    FIELDS,
    boolean,
    items,
    mapping,
    name,
    optional_string,
    refuse_unsupported,
)
from lingma_gateway.dialects.openai_chat.messages import read_messages
from lingma_gateway.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class ChatRequest:
    turn: Turn
    include_usage: bool
    """`stream_options.include_usage`: a last chunk with usage and without choices."""
    as_function_call: bool = False
    """The client speaks the form before `tools`: a call is the message's `function_call`, and there is at most one."""


def parse(body: bytes) -> ChatRequest:
    """The request in a body.

    Raises:
        InvalidRequest: it is malformed, or asks for what would silently change the answer; `param` names the field.
    """
    fields = _object(body)
    refuse_unsupported(fields)
    stream = boolean(fields.get("stream"), "stream")
    history = read_messages(fields.get("messages"))
    offer = tools.read(fields)
    turn = Turn(
        model=optional_string(fields.get("model"), "model") or None,
        messages=history.messages,
        stream=stream,
        tools=offer.tools,
        tool_choice=offer.choice,
        parallel_tool_calls=offer.parallel,
        stop=_stop(fields.get("stop")),
        max_tokens=_max_tokens(fields),
        output=_output(fields.get("response_format")),
        user=optional_string(fields.get("user"), "user"),
        ignored=tuple(sorted({*treatment.ignored(fields, FIELDS), *history.ignored, *offer.ignored})),
        degraded=history.degraded,
    )
    return ChatRequest(turn, stream and _include_usage(fields.get("stream_options")), offer.as_function_call)


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRequest("the body must be a JSON object")
    return fields


def _include_usage(options: Any) -> bool:
    if options is None:
        return False
    where = "stream_options"
    return boolean(mapping(options, where).get("include_usage"), f"{where}.include_usage")


def _stop(value: Any) -> tuple[str, ...]:
    """OpenAI takes four; there is no reason to count here. An empty one would end every answer at once."""
    if isinstance(value, str):
        value = [value]
    sequences = items(value, "stop")
    if not all(isinstance(sequence, str) for sequence in sequences):
        raise InvalidRequest("stop must be a string or a list of strings", param="stop")
    return tuple(dict.fromkeys(sequence for sequence in sequences if sequence))


def _max_tokens(fields: Mapping[str, Any]) -> int | None:
    """`max_tokens` is the older name; where both stand the newer one counts."""
    limits = [_limit(fields.get(field), field) for field in ("max_completion_tokens", "max_tokens")]
    return next((limit for limit in limits if limit is not None), None)


def _limit(value: Any, where: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidRequest(f"{where} must be a whole number of at least 1", param=where)
    return value


def _output(value: Any) -> OutputFormat | None:
    if value is None:
        return None
    where = "response_format"
    wanted = mapping(value, where)
    match wanted.get("type"):
        case "text":
            return None
        case "json_object":
            return OutputFormat()
        case "json_schema":
            return _json_schema(mapping(wanted.get("json_schema"), f"{where}.json_schema"), f"{where}.json_schema")
        case _:
            raise InvalidRequest(f"{where}.type must be one of text, json_object, json_schema", param=f"{where}.type")


def _json_schema(wanted: Mapping[str, Any], where: str) -> OutputFormat:
    schema = wanted.get("schema")
    return OutputFormat(
        schema=None if schema is None else orjson.dumps(mapping(schema, f"{where}.schema")).decode(),
        name=name(wanted.get("name"), f"{where}.name"),
        strict=boolean(wanted.get("strict"), f"{where}.strict"),
    )
