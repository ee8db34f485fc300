"""`POST /v1/messages` and `POST /v1/messages/count_tokens`."""

from typing import Any

from lingma_gateway.api.openapi.common import (
    ANYTHING,
    BOOLEAN,
    CLIENT_KEY,
    EVENT,
    IDEMPOTENCY_KEY,
    INTEGER,
    JSON,
    OF_A_TURN,
    SSE,
    STRING,
    Schema,
    answer,
    body,
    errors,
    json_answer,
    list_of,
    nullable,
    object_of,
    one_of,
    ref,
    treated,
)
from lingma_gateway.dialects.anthropic.fields import FIELDS
from lingma_gateway.dialects.treatment import Treatment

_NAME: Schema = {"type": "string", "minLength": 1}
_OBJECT: Schema = {"type": "object"}
_KNOWN_BLOCKS = (
    *("text", "thinking", "tool_use", "tool_result", "image", "document", "search_result", "tool_reference"),
)
_FILE_SOURCES: list[Schema] = [
    object_of({"type": {"const": "base64"}, "data": ref("ChatBase64")}, {"media_type": STRING}),
    object_of({"type": {"const": "url"}, "url": ref("ChatImageUrl")}),
]


def _source(**others: Schema) -> Schema:
    """Where a file is: in what is read, in the block itself, or elsewhere, for which there is a placeholder."""
    inside = [object_of({"type": {"const": kind}, **fields}) for kind, fields in others.items()]
    elsewhere = object_of({"type": {"type": "string", "not": {"enum": ["base64", "url", *others]}}})
    return {"anyOf": [*_FILE_SOURCES, *inside, elsewhere]}


_SHOWN: list[Schema] = [
    object_of({"type": {"const": "text"}, "text": STRING}),
    object_of({"type": {"const": "image"}, "source": _source()}),
    object_of({"type": {"const": "tool_reference"}, "tool_name": STRING}),
    object_of(
        {
            "type": {"const": "document"},
            "source": _source(text={"data": STRING}, content={"content": {"anyOf": [STRING, list_of(_OBJECT)]}}),
        },
        {"title": nullable(STRING), "context": nullable(STRING)},
    ),
    object_of(
        {
            "type": {"const": "search_result"},
            "content": list_of(object_of({"type": {"const": "text"}, "text": STRING})),
        },
        {"title": STRING, "source": STRING},
    ),
    object_of({"type": {"type": "string", "not": {"enum": list(_KNOWN_BLOCKS)}}}),
]
_CONTENT: Schema = nullable({"anyOf": [STRING, list_of({"anyOf": [STRING, ref("MessageBlock")]})]})
_FORMAT: Schema = nullable(object_of({"type": {"const": "json_schema"}, "schema": _OBJECT}))

_READ: dict[str, Schema] = {
    "model": nullable(STRING),
    "messages": list_of(object_of({"role": one_of("user", "assistant", "system")}, {"content": _CONTENT}), minItems=1),
    "system": nullable({"anyOf": [STRING, list_of(object_of({"text": STRING}))]}),
    "stream": nullable(BOOLEAN),
    "max_tokens": {"type": "integer", "minimum": 1},
    "stop_sequences": nullable(list_of(STRING)),
    "tools": nullable(list_of(ref("MessageTool"))),
    "tool_choice": nullable(
        {
            "description": "A tool that is named must be one of `tools`.",
            "anyOf": [
                object_of({"type": one_of("auto", "any", "none")}, {"disable_parallel_tool_use": BOOLEAN}),
                object_of({"type": {"const": "tool"}, "name": STRING}, {"disable_parallel_tool_use": BOOLEAN}),
            ],
        }
    ),
    "thinking": nullable(object_of({"type": STRING})),
    "output_config": nullable(object_of({}, {"format": _FORMAT})),
    "output_format": _FORMAT,
    "metadata": nullable(object_of({}, {"user_id": nullable(STRING)})),
    "thread": {"type": "null"},
}
_USAGE: Schema = object_of({"input_tokens": INTEGER, "output_tokens": INTEGER})


def _request(required: list[str], names: list[str]) -> Schema:
    return {
        "type": "object",
        "required": required,
        "properties": treated(FIELDS, {name: _READ.get(name, ANYTHING) for name in names}),
        "description": f"Fields that are not listed are {Treatment.IGNORED.value} and named in `x-lingma-ignored`.",
    }


_NAMES = list(dict.fromkeys(name.partition(".")[0] for name in FIELDS if "[]" not in name))

SCHEMAS: dict[str, Any] = {
    "MessageRequest": _request(["messages", "max_tokens"], _NAMES),
    "MessageCountRequest": _request(["messages"], [name for name in _NAMES if name not in ("max_tokens", "thread")]),
    "MessageBlock": {
        "description": "A block of another type becomes the text `[type]`.",
        "anyOf": [
            *_SHOWN,
            object_of({"type": {"const": "thinking"}, "thinking": STRING}),
            object_of({"type": {"const": "tool_use"}, "id": STRING, "name": STRING, "input": _OBJECT}),
            object_of(
                {"type": {"const": "tool_result"}, "tool_use_id": STRING},
                {"content": nullable({"anyOf": [STRING, list_of({"anyOf": _SHOWN})]}), "is_error": BOOLEAN},
            ),
        ],
    },
    "MessageTool": {
        "description": "A tool of another type is ignored and named in `x-lingma-ignored`.",
        "anyOf": [
            object_of(
                {"name": _NAME},
                {
                    "type": nullable({"const": "custom"}),
                    "description": nullable(STRING),
                    "input_schema": nullable(_OBJECT),
                    "strict": nullable(BOOLEAN),
                },
            ),
            object_of({"type": {"type": "string", "minLength": 1, "not": {"const": "custom"}}}),
        ],
    },
    "Message": object_of(
        {
            "id": STRING,
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "model": STRING,
            "content": list_of(object_of({"type": one_of("text", "thinking", "tool_use", "tool_result")})),
            "stop_reason": one_of("end_turn", "max_tokens", "stop_sequence", "tool_use"),
            "stop_sequence": nullable(STRING),
            "usage": _USAGE,
        }
    ),
}

PATHS: dict[str, Any] = {
    "/v1/messages": {
        "post": {
            "operationId": "createMessage",
            "summary": "An answer to a conversation, in Anthropic's form",
            "security": CLIENT_KEY,
            "parameters": [IDEMPOTENCY_KEY],
            "requestBody": body(ref("MessageRequest")),
            "responses": {
                "200": answer(
                    "The answer. As a stream where `stream` is true: the events from `message_start` to "
                    "`message_stop`; one that breaks off ends with the event `error`.",
                    {JSON: ref("Message"), SSE: EVENT},
                    of_a_turn=True,
                ),
                **errors(*OF_A_TURN),
            },
        }
    },
    "/v1/messages/count_tokens": {
        "post": {
            "operationId": "countMessageTokens",
            "summary": "How many tokens a request has, estimated",
            "security": CLIENT_KEY,
            "requestBody": body(ref("MessageCountRequest")),
            "responses": {
                "200": json_answer("The estimate.", object_of({"input_tokens": INTEGER})),
                **errors(400, 401, 404, 405, 413, 415, 500),
            },
        }
    },
}
