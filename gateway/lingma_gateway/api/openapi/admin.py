"""Admin and metrics: docs/admin.md."""

from typing import Any

from lingma_gateway.api.openapi.common import (
    ADMIN_KEY,
    BOOLEAN,
    CLIENT_KEY,
    INTEGER,
    STRING,
    Schema,
    answer,
    errors,
    json_answer,
    list_of,
    nullable,
    object_of,
    query,
)

_OBJECT: Schema = {"type": "object"}
_INSTANCE = query("instance", "Name of the instance; it may be left out where there is only one.", STRING)
_FAILURES = (400, 401, 404, 405, 409, 500, 502, 503, 504)


def _operation(method: str, id: str, summary: str, schema: Schema, *, of_an_instance: bool = True) -> Schema:
    return {
        method: {
            "operationId": id,
            "summary": summary,
            "security": ADMIN_KEY,
            "parameters": [_INSTANCE] if of_an_instance else [],
            "responses": {"200": json_answer("Done.", schema), **errors(*_FAILURES)},
        }
    }


SCHEMAS: dict[str, Any] = {}

PATHS: dict[str, Any] = {
    "/metrics": {
        "get": {
            "operationId": "metrics",
            "summary": "Metrics of Prometheus; open by setting",
            "security": [*CLIENT_KEY, {}],
            "responses": {
                "200": answer("The metrics.", {"text/plain; version=0.0.4; charset=utf-8": STRING}),
                **errors(401, 405, 503),
            },
        }
    },
    "/internal/stats": _operation(
        "get",
        "stats",
        "Slots, queue, accounts and usage",
        object_of({"ok": BOOLEAN, "stats": _OBJECT, "concurrency": _OBJECT, "pool": _OBJECT, "usage": _OBJECT}),
        of_an_instance=False,
    ),
    "/internal/auto-login/start": _operation(
        "post",
        "startLogin",
        "Begin a login where one may begin now",
        object_of({"ok": BOOLEAN, "state": STRING, "instance": STRING}),
    ),
    "/internal/auto-login/status": _operation(
        "get", "loginStatus", "How the logins stand", object_of({"ok": BOOLEAN, "instances": list_of(_OBJECT)})
    ),
    "/internal/session/export": _operation(
        "post",
        "exportSession",
        "The login as a bundle; holds tokens",
        object_of({"instance": STRING, "account": nullable(STRING), "raw_bytes": INTEGER, "bundle_b64": STRING}),
    ),
    "/internal/session/captured": _operation(
        "get", "capturedSession", "The login as it was kept last; holds tokens", _OBJECT
    ),
    "/internal/models/raw": _operation(
        "get",
        "rawModels",
        "What Lingma says about its models",
        object_of({"instance": STRING, "raw": {}, "extracted_name_map": _OBJECT, "exposed_keys": list_of(STRING)}),
    ),
    "/internal/smoke": _operation(
        "post", "smoke", "Check that this Lingma does what the gateway expects", object_of({"instance": STRING})
    ),
}
