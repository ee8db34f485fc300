"""`POST /v1/chat/completions`."""

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
    list_of,
    nullable,
    object_of,
    one_of,
    ref,
    treated,
)
from lingma_gateway.dialects.openai_chat import FIELDS
from lingma_gateway.dialects.treatment import Treatment

_NAME: Schema = {"type": "string", "minLength": 1}
_OBJECT: Schema = {"type": "object"}
_LIMIT: Schema = nullable({"type": "integer", "minimum": 1})


def _named(kind: str) -> Schema:
    return object_of({"type": {"const": kind}, kind: object_of({"name": _NAME})})


_KINDS_OF_PARTS = ("text", "refusal", "image_url", "input_audio", "file")
_PART: Schema = {
    "description": "A part of content; one of another type becomes the text `[type]`.",
    "anyOf": [
        object_of({"type": {"const": "text"}, "text": STRING}),
        object_of({"type": {"const": "refusal"}, "refusal": STRING}),
        object_of({"type": {"const": "image_url"}, "image_url": object_of({"url": ref("ChatImageUrl")})}),
        object_of(
            {
                "type": {"const": "input_audio"},
                "input_audio": object_of({"data": ref("ChatBase64")}, {"format": one_of("wav", "mp3")}),
            }
        ),
        object_of(
            {"type": {"const": "file"}, "file": object_of({"file_data": ref("ChatBase64")}, {"filename": STRING})}
        ),
        object_of({"type": {"const": "file"}, "file": object_of({"file_id": _NAME})}),
        object_of({"type": {"type": "string", "not": {"enum": list(_KINDS_OF_PARTS)}}}),
    ],
}
_FUNCTION: Schema = object_of(
    {"name": _NAME},
    {"description": nullable(STRING), "parameters": nullable(_OBJECT), "strict": nullable(BOOLEAN)},
)
_CUSTOM: Schema = object_of(
    {"name": _NAME},
    {
        "description": nullable(STRING),
        "format": nullable(
            {
                "anyOf": [
                    object_of({"type": {"const": "text"}}),
                    object_of(
                        {
                            "type": {"const": "grammar"},
                            "grammar": object_of({"definition": STRING}, {"syntax": one_of("lark", "regex")}),
                        }
                    ),
                ]
            }
        ),
    },
)
_CALLED: Schema = object_of({"name": STRING}, {"arguments": STRING})
_CALL: Schema = {
    "anyOf": [
        object_of({"type": {"const": "function"}, "id": STRING, "function": _CALLED}),
        object_of(
            {"type": {"const": "custom"}, "id": STRING, "custom": object_of({"name": STRING}, {"input": STRING})}
        ),
    ]
}
_USAGE: Schema = object_of(
    {
        "prompt_tokens": INTEGER,
        "completion_tokens": INTEGER,
        "total_tokens": INTEGER,
        "prompt_tokens_details": object_of({"cached_tokens": INTEGER}),
        "completion_tokens_details": object_of({"reasoning_tokens": INTEGER}),
    }
)
_FINISH = one_of("stop", "length", "tool_calls", "function_call")
_CHOICE: Schema = object_of(
    {
        "index": {"const": 0},
        "message": object_of(
            {"role": {"const": "assistant"}, "content": nullable(STRING), "refusal": {"type": "null"}},
            {"reasoning_content": STRING, "tool_calls": list_of(_CALL, minItems=1), "function_call": _CALLED},
        ),
        "logprobs": {"type": "null"},
        "finish_reason": _FINISH,
    }
)
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")

_READ: dict[str, Schema] = {
    "messages": list_of(ref("ChatMessage"), minItems=1),
    "model": nullable(STRING),
    "stream": nullable(BOOLEAN),
    "stream_options": nullable(object_of({}, {"include_usage": nullable(BOOLEAN)})),
    "user": nullable(STRING),
    "tools": nullable(list_of(ref("ChatTool"))),
    "tool_choice": nullable(ref("ChatToolChoice")),
    "parallel_tool_calls": nullable(BOOLEAN),
    "functions": nullable(list_of(_FUNCTION)),
    "function_call": nullable({"anyOf": [one_of("auto", "none"), object_of({"name": _NAME})]}),
    "stop": nullable({"anyOf": [STRING, list_of(STRING)]}),
    "max_tokens": _LIMIT,
    "max_completion_tokens": _LIMIT,
    "response_format": nullable(ref("ChatResponseFormat")),
    "n": nullable({"const": 1}),
    "modalities": nullable(list_of({"const": "text"}, maxItems=1)),
    "audio": {"type": "null"},
}
"""What is read, and so must be as it says; anything else may be anything."""


_NAMES = list(dict.fromkeys(name.partition(".")[0] for name in FIELDS))

SCHEMAS: dict[str, Any] = {
    "ChatRequest": {
        "type": "object",
        "required": ["messages"],
        "properties": treated(FIELDS, {name: _READ.get(name, ANYTHING) for name in _NAMES}),
        "description": f"Fields that are not listed are {Treatment.IGNORED.value} and named in `x-lingma-ignored`.",
    },
    "ChatMessage": object_of(
        {"role": one_of(*_ROLES)},
        {
            "content": nullable({"anyOf": [STRING, list_of({"anyOf": [STRING, ref("ChatPart")]})]}),
            "name": STRING,
            "refusal": nullable(STRING),
            "reasoning_content": STRING,
            "tool_calls": nullable(list_of(_CALL)),
            "function_call": nullable(_CALLED),
            "tool_call_id": nullable(STRING),
        },
    ),
    "ChatPart": _PART,
    "ChatImageUrl": {"type": "string", "pattern": "^(https?://.+|data:[^,]*,[A-Za-z0-9]*)$"},
    "ChatBase64": {"type": "string", "pattern": "^([A-Za-z0-9+/]{4})+$"},
    "ChatTool": {
        "description": "A tool of another type is ignored and named in `x-lingma-ignored`.",
        "anyOf": [
            object_of({"type": {"const": "function"}, "function": _FUNCTION}),
            object_of({"type": {"const": "custom"}, "custom": _CUSTOM}),
            object_of({"type": {"type": "string", "minLength": 1, "not": {"enum": ["function", "custom"]}}}),
        ],
    },
    "ChatToolChoice": {
        "description": "A tool that is named must be one of `tools`.",
        "anyOf": [
            one_of("auto", "none", "required"),
            _named("function"),
            _named("custom"),
            object_of(
                {
                    "type": {"const": "allowed_tools"},
                    "allowed_tools": object_of(
                        {"tools": list_of({"anyOf": [_named("function"), _named("custom")]})},
                        {"mode": one_of("auto", "required")},
                    ),
                }
            ),
        ],
    },
    "ChatResponseFormat": {
        "anyOf": [
            object_of({"type": one_of("text", "json_object")}),
            object_of(
                {
                    "type": {"const": "json_schema"},
                    "json_schema": object_of(
                        {"name": _NAME}, {"schema": nullable(_OBJECT), "strict": nullable(BOOLEAN)}
                    ),
                }
            ),
        ]
    },
    "ChatCompletion": object_of(
        {
            "id": STRING,
            "object": {"const": "chat.completion"},
            "created": INTEGER,
            "model": STRING,
            "choices": list_of(_CHOICE, minItems=1, maxItems=1),
            "usage": _USAGE,
        },
        {
            "served_by": STRING,
            "latency": object_of({"first_token_ms": {"type": "number"}, "total_ms": {"type": "number"}}),
        },
    ),
}

PATHS: dict[str, Any] = {
    "/v1/chat/completions": {
        "post": {
            "operationId": "createChatCompletion",
            "summary": "An answer to a conversation",
            "security": CLIENT_KEY,
            "parameters": [IDEMPOTENCY_KEY],
            "requestBody": body(ref("ChatRequest")),
            "responses": {
                "200": answer(
                    "The answer. As a stream where `stream` is true: chunks as `data:` lines, then `data: [DONE]`; one "
                    "that breaks off ends with its connection.",
                    {JSON: ref("ChatCompletion"), SSE: EVENT},
                    of_a_turn=True,
                ),
                **errors(*OF_A_TURN),
            },
        }
    }
}
