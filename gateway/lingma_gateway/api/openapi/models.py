"""`GET /v1/models`."""

from typing import Any

from lingma_gateway.api.openapi.common import (
    CLIENT_KEY,
    INTEGER,
    STRING,
    errors,
    json_answer,
    list_of,
    nullable,
    object_of,
    ref,
)

SCHEMAS: dict[str, Any] = {
    "Model": object_of(
        {"id": STRING, "object": {"const": "model"}, "created": INTEGER, "owned_by": STRING, "name": nullable(STRING)}
    ),
    "ModelList": object_of({"object": {"const": "list"}, "data": list_of(ref("Model"))}),
}

PATHS: dict[str, Any] = {
    "/v1/models": {
        "get": {
            "operationId": "listModels",
            "summary": "The models of every ready account together",
            "security": CLIENT_KEY,
            "responses": {"200": json_answer("The models.", ref("ModelList")), **errors(401, 405, 500)},
        }
    }
}
