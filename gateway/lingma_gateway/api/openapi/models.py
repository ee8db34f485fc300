"""`GET /v1/models` and `GET /v1/models/{id}`, in OpenAI's form and in Anthropic's."""

from typing import Any

from lingma_gateway.api.openapi.common import (
    BOOLEAN,
    CLIENT_KEY,
    INTEGER,
    STRING,
    errors,
    json_answer,
    list_of,
    nullable,
    object_of,
    path,
    ref,
)

_FAILURES = (400, 401, 404, 405, 500, 503, 529)

SCHEMAS: dict[str, Any] = {
    "Model": object_of(
        {"id": STRING, "object": {"const": "model"}, "created": INTEGER, "owned_by": STRING, "name": nullable(STRING)}
    ),
    "ModelList": object_of({"object": {"const": "list"}, "data": list_of(ref("Model"))}),
    "AnthropicModel": object_of(
        {
            "type": {"const": "model"},
            "id": STRING,
            "display_name": STRING,
            "created_at": STRING,
            "lifecycle": {"const": "active"},
        }
    ),
    "AnthropicModelList": object_of(
        {
            "data": list_of(ref("AnthropicModel")),
            "has_more": BOOLEAN,
            "first_id": nullable(STRING),
            "last_id": nullable(STRING),
        }
    ),
}

PATHS: dict[str, Any] = {
    "/v1/models": {
        "get": {
            "operationId": "listModels",
            "summary": "The models of every ready account together; with `anthropic-version`, by page",
            "security": CLIENT_KEY,
            "responses": {
                "200": json_answer("The models.", {"anyOf": [ref("ModelList"), ref("AnthropicModelList")]}),
                **errors(*_FAILURES),
            },
        }
    },
    "/v1/models/{id}": {
        "get": {
            "operationId": "retrieveModel",
            "summary": "One model, by its key, its display name or an alias",
            "security": CLIENT_KEY,
            "parameters": [path("id", "The model.")],
            "responses": {
                "200": json_answer("The model.", {"anyOf": [ref("Model"), ref("AnthropicModel")]}),
                **errors(*_FAILURES),
            },
        }
    },
}
