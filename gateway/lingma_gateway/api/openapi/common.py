"""What the operations of all dialects have alike: errors in both envelopes, headers, keys."""

from collections.abc import Mapping
from typing import Any

from lingma_gateway.dialects.treatment import Fields

Schema = Mapping[str, Any]

JSON = "application/json"
SSE = "text/event-stream"

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
ANYTHING: Schema = {}


def ref(name: str) -> Schema:
    """A schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """The same or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(*values: str) -> Schema:
    """One of these strings."""
    return {"type": "string", "enum": list(values)}


def list_of(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def object_of(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, **more: Any) -> Schema:
    """An object with at least these fields; it may have others."""
    properties = {**required, **(optional or {})}
    made: dict[str, Any] = {"type": "object", "properties": properties, **more}
    return {**made, "required": list(required)} if required else made


EVENT: Schema = object_of({"data": STRING}, {"event": STRING})
"""One server-sent event; comments may stand between two."""


def _header(description: str, schema: Schema = STRING) -> Schema:
    return {"description": description, "schema": schema}


_EVERY_ANSWER = {
    "x-request-id": {**_header("Yours where it is safe to log, else a new one."), "required": True},
    "server-timing": {
        **_header("Milliseconds until the head of the answer: `queue`, `upstream` (to the first event), `total`."),
        "required": True,
    },
    "x-lingma-account": _header("The account that served the request, where it is known."),
}
_OF_A_TURN = {
    "x-lingma-model": _header("The upstream model that served it."),
    "x-lingma-ignored": _header("Request fields and kinds of tools without effect."),
    "x-lingma-degraded": _header("Parts of the request that the model could not see."),
    "idempotent-replayed": _header("`true`: the answer to an earlier request with the same `Idempotency-Key`."),
}
_RETRY = {
    "retry-after": _header("Seconds, 1 to 60.", {"type": "string", "pattern": "^([1-9]|[1-5][0-9]|60)$"}),
    "retry-after-ms": _header("The same in milliseconds.", {"type": "string", "pattern": "^[0-9]{1,5}$"}),
    "x-should-retry": _header("`false`: the same request cannot succeed.", {"const": "false"}),
}

_ERRORS = {
    400: "The request is malformed, or asks for what would silently change the answer; `param` names the field.",
    401: "The caller's own key is missing or wrong.",
    404: "There is no such thing.",
    405: "The path does not take this method; `allow` names those that it takes.",
    409: "Not in this state.",
    413: "The body is too long.",
    415: "The body is compressed.",
    422: "The `Idempotency-Key` was used for another request.",
    429: "Every slot and the queue are full (`backpressure`), or Lingma's own limits.",
    500: "The gateway failed.",
    502: "Lingma failed.",
    503: "No Lingma account is ready.",
    504: "Lingma took too long.",
    529: "No Lingma account is ready, in Anthropic's form.",
}

OF_A_TURN = (400, 401, 404, 405, 413, 415, 422, 429, 500, 502, 503, 504, 529)
"""What a request that is answered by a model can end with. 529: with the header `anthropic-version`."""


def answer(description: str, content: Mapping[str, Schema], *, of_a_turn: bool = False) -> Schema:
    """A response with a body of these media types."""
    headers = {**_EVERY_ANSWER, **(_OF_A_TURN if of_a_turn else {})}
    return {
        "description": description,
        "headers": headers,
        "content": {media_type: {"schema": schema} for media_type, schema in content.items()},
    }


def json_answer(description: str, schema: Schema, *, of_a_turn: bool = False) -> Schema:
    return answer(description, {JSON: schema}, of_a_turn=of_a_turn)


def errors(*statuses: int) -> dict[str, Any]:
    """Responses for these failures, in whichever form the caller reads."""
    headers = {**_EVERY_ANSWER, **_RETRY}
    content = {JSON: {"schema": ref("Error")}}
    made: dict[str, Any] = {}
    for status in statuses:
        allow = {"allow": _header("The methods that the path takes.")} if status == 405 else {}
        made[str(status)] = {"description": _ERRORS[status], "headers": {**headers, **allow}, "content": content}
    return made


def body(schema: Schema) -> Schema:
    """A JSON body that must be there."""
    return {"required": True, "content": {JSON: {"schema": schema}}}


def query(name: str, description: str, schema: Schema, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "description": description, "required": required, "schema": schema}


def path(name: str, description: str) -> Schema:
    return {
        "name": name,
        "in": "path",
        "description": description,
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    }


def treated(fields: Fields, schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """The schemas of a request's fields, each with what becomes of the field as its description."""
    return {
        name: {**schema, "description": f"{fields[name].value}."} if name in fields else schema
        for name, schema in schemas.items()
    }


IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body join the running answer or repeat it; see docs/api.md.",
    "schema": {"type": "string", "maxLength": 255},
}

CLIENT_KEY: list[Mapping[str, list[str]]] = [{"bearer": []}, {"x-api-key": []}]
ADMIN_KEY: list[Mapping[str, list[str]]] = [{"admin": []}, {"x-api-key": []}]
NO_KEY: list[Mapping[str, list[str]]] = []

COMPONENTS: dict[str, Any] = {
    "securitySchemes": {
        "bearer": {"type": "http", "scheme": "bearer"},
        "admin": {"type": "http", "scheme": "bearer", "description": "The admin token."},
        "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    },
    "schemas": {
        "Error": {"anyOf": [ref("OpenAIError"), ref("AnthropicError")]},
        "OpenAIError": object_of(
            {
                "error": object_of(
                    {
                        "message": STRING,
                        "type": STRING,
                        "param": nullable(STRING),
                        "code": nullable(STRING),
                    },
                    additionalProperties=False,
                ),
                "request_id": STRING,
            },
            additionalProperties=False,
        ),
        "AnthropicError": object_of(
            {
                "type": {"const": "error"},
                "error": object_of({"type": STRING, "message": STRING}),
                "request_id": STRING,
            },
            additionalProperties=False,
        ),
    },
}
