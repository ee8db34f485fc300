"""What the gateway speaks, as an OpenAPI document: data, because bodies are parsed by the dialects themselves.

A dialect is one module here with its PATHS and SCHEMAS; tests hold them against the routes and against the answers.
"""

from collections.abc import Mapping
from typing import Any

from lingma_gateway.api.openapi import admin, chat, health, messages, models, responses
from lingma_gateway.api.openapi.common import COMPONENTS

_DIALECTS = (chat, messages, responses, models, health)


def document(version: str, *, with_admin: bool) -> dict[str, Any]:
    """The document of the application. `with_admin`: it serves admin and metrics as well."""
    parts = (*_DIALECTS, admin) if with_admin else _DIALECTS
    return _document(version, {path: item for part in parts for path, item in part.PATHS.items()})


def admin_document(version: str) -> dict[str, Any]:
    """The document of the second port: probes, metrics, admin."""
    return _document(version, {**health.PATHS, **admin.PATHS})


def _document(version: str, paths: Mapping[str, Any]) -> dict[str, Any]:
    schemas = {name: schema for part in (*_DIALECTS, admin) for name, schema in part.SCHEMAS.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "lingma-gateway", "version": version},
        "paths": dict(sorted(paths.items())),
        "components": {**COMPONENTS, "schemas": {**COMPONENTS["schemas"], **schemas}},
    }
