"""OpenAI's Responses API; each path is served without `/v1` as well."""

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
    path,
    query,
    ref,
    treated,
)
from lingma_gateway.dialects.openai_responses.fields import FIELDS
from lingma_gateway.dialects.treatment import Treatment

_OBJECT: Schema = {"type": "object"}
_NAMES = list(dict.fromkeys(name.partition(".")[0] for name in FIELDS))
_READ: dict[str, Schema] = {
    "input": nullable({"anyOf": [STRING, list_of(_OBJECT)]}),
    "instructions": nullable(STRING),
    "model": nullable(STRING),
    "stream": nullable(BOOLEAN),
    "user": nullable(STRING),
    "store": nullable(BOOLEAN),
    "previous_response_id": nullable(STRING),
    "tools": nullable(list_of(_OBJECT)),
    "tool_choice": nullable({"anyOf": [STRING, _OBJECT]}),
    "parallel_tool_calls": nullable(BOOLEAN),
    "max_output_tokens": nullable({"type": "integer", "minimum": 1}),
    "metadata": nullable(_OBJECT),
}
"""The shapes of items and tools are those of OpenAI's published API: docs/api.md says which are read."""

_ITEM = object_of({"type": STRING})
_FAILURES = (400, 401, 404, 405, 500)
_ID = path("response_id", "The id of a stored response.")

SCHEMAS: dict[str, Any] = {
    "ResponseRequest": {
        "type": "object",
        "properties": treated(FIELDS, {name: _READ.get(name, ANYTHING) for name in _NAMES}),
        "description": f"Fields that are not listed are {Treatment.IGNORED.value} and named in `x-lingma-ignored`.",
    },
    "Response": object_of(
        {
            "id": STRING,
            "object": {"const": "response"},
            "created_at": {"type": "number"},
            "status": one_of("completed", "incomplete"),
            "model": STRING,
            "output": list_of(_ITEM),
            "usage": object_of(
                {
                    "input_tokens": INTEGER,
                    "input_tokens_details": _OBJECT,
                    "output_tokens": INTEGER,
                    "output_tokens_details": _OBJECT,
                    "total_tokens": INTEGER,
                }
            ),
        }
    ),
    "DeletedResponse": object_of({"id": STRING, "deleted": {"const": True}}),
    "ResponseItems": object_of(
        {
            "object": {"const": "list"},
            "data": list_of(_OBJECT),
            "has_more": BOOLEAN,
            "first_id": nullable(STRING),
            "last_id": nullable(STRING),
        }
    ),
}


def _of_stored(method: str, id: str, summary: str, schema: Schema, parameters: list[Schema] | None = None) -> Schema:
    return {
        method: {
            "operationId": id,
            "summary": summary,
            "security": CLIENT_KEY,
            "parameters": [_ID, *(parameters or [])],
            "responses": {"200": json_answer("Done.", schema), **errors(*_FAILURES)},
        }
    }


PATHS: dict[str, Any] = {
    "/v1/responses": {
        "post": {
            "operationId": "createResponse",
            "summary": "An answer to items, continued from a stored one where the request says so",
            "security": CLIENT_KEY,
            "parameters": [IDEMPOTENCY_KEY],
            "requestBody": body(ref("ResponseRequest")),
            "responses": {
                "200": answer(
                    "The answer. As a stream where `stream` is true: the events from `response.created` to "
                    "`response.completed`; one that breaks off ends with `response.failed`.",
                    {JSON: ref("Response"), SSE: EVENT},
                    of_a_turn=True,
                ),
                **errors(*OF_A_TURN),
            },
        }
    },
    "/v1/responses/{response_id}": {
        **_of_stored(
            "get",
            "retrieveResponse",
            "A stored response",
            ref("Response"),
            [query("stream", "Only false is served.", one_of("false"))],
        ),
        **_of_stored("delete", "deleteResponse", "Remove a stored response", ref("DeletedResponse")),
    },
    "/v1/responses/{response_id}/input_items": _of_stored(
        "get",
        "listInputItems",
        "The items that a stored response was asked with",
        ref("ResponseItems"),
        [
            query("limit", "1 to 100.", {"type": "integer", "minimum": 1, "maximum": 100}),
            query("order", "The newest first, or the oldest.", one_of("asc", "desc")),
            query("after", "The id of the item before the first one.", STRING),
        ],
    ),
    "/v1/responses/{response_id}/cancel": {
        "post": {
            "operationId": "cancelResponse",
            "summary": "Always refused: nothing runs in the background",
            "security": CLIENT_KEY,
            "parameters": [_ID],
            "responses": errors(*_FAILURES),
        }
    },
}
