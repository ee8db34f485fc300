"""Probes and this document: they need no key."""

from typing import Any

from lingma_gateway.api.openapi.common import (
    BOOLEAN,
    INTEGER,
    NO_KEY,
    STRING,
    Schema,
    answer,
    errors,
    json_answer,
    list_of,
    object_of,
    ref,
)

_TEXT = {"text/plain; charset=utf-8": STRING}


def _probe(id: str, summary: str, *, may_fail: bool) -> Schema:
    responses = {"200": answer("Yes.", _TEXT), **errors(405)}
    if may_fail:
        responses["503"] = answer("No.", _TEXT)
    return {"get": {"operationId": id, "summary": summary, "security": NO_KEY, "responses": responses}}


SCHEMAS: dict[str, Any] = {
    "Instance": object_of(
        {
            "name": STRING,
            "state": STRING,
            "in_flight": INTEGER,
            "logged_in": BOOLEAN,
            "reason": STRING,
            "message": STRING,
        }
    ),
    "Health": object_of(
        {
            "ok": BOOLEAN,
            "time": STRING,
            "pool_size": INTEGER,
            "pool_ready": INTEGER,
            "instances": list_of(ref("Instance")),
        }
    ),
}

PATHS: dict[str, Any] = {
    "/livez": _probe("live", "Whether the gateway lives", may_fail=False),
    "/livez/lingma": _probe("lingmaLive", "Whether Lingma should be left running", may_fail=True),
    "/readyz": _probe("ready", "Whether a Lingma is connected and logged in", may_fail=True),
    "/healthz": {
        "get": {
            "operationId": "health",
            "summary": "The pool, and of each account why it is ready or not; always 200",
            "security": NO_KEY,
            "responses": {"200": json_answer("The report.", ref("Health")), **errors(405)},
        }
    },
    "/openapi.json": {
        "get": {
            "operationId": "document",
            "summary": "This document",
            "security": NO_KEY,
            "responses": {"200": json_answer("The document.", {"type": "object"}), **errors(405)},
        }
    },
}
