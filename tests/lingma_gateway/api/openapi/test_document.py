"""The OpenAPI document says what there is, and all of it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from lingma_gateway.api.access import AccessLog
from lingma_gateway.api.app import admin_app, client_app
from lingma_gateway.dialects.openai_chat import FIELDS
from tests.lingma_gateway.support_app import client_of, services_of

SERVICES, _ = services_of()
APPS = {
    "alone": client_app(SERVICES, with_admin=True),
    "for clients": client_app(SERVICES, with_admin=False),
    "for admin": admin_app(SERVICES),
}


def routes_of(app: ASGIApp) -> set[tuple[str, str]]:
    """Paths and methods; those that are the same as others, or for handshakes alone, say so themselves."""
    assert isinstance(app, AccessLog)
    assert isinstance(app._app, FastAPI)
    routes = [route for route in app._app.state.routes if route.include_in_schema]
    return {(re.sub(r":\w+}", "}", route.path), method.lower()) for route in routes for method in route.methods}


async def document_of(app: ASGIApp) -> dict[str, Any]:
    async with client_of(SERVICES, app) as client:
        document: dict[str, Any] = (await client.get("/openapi.json")).json()
    return document


def nodes(value: Any) -> Iterator[Any]:
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)


@pytest.mark.parametrize("app", APPS)
async def test_the_document_has_every_route_and_no_other(app: str) -> None:
    paths = (await document_of(APPS[app]))["paths"]
    assert {(path, method) for path, item in paths.items() for method in item} == routes_of(APPS[app])


async def test_every_reference_leads_somewhere() -> None:
    document = await document_of(APPS["alone"])
    found = {node["$ref"] for node in nodes(document) if isinstance(node, dict) and "$ref" in node}
    assert found
    for reference in found:
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        assert target


async def test_every_operation_says_who_may_call_it_and_how_it_fails() -> None:
    document = await document_of(APPS["alone"])
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert ("401" in operation["responses"]) is bool(operation["security"])
        for response in operation["responses"].values():
            assert response["headers"].keys() >= {"x-request-id", "server-timing"}
            assert response["content"]


async def test_the_request_of_chat_has_the_fields_that_its_parser_knows() -> None:
    schemas = (await document_of(APPS["alone"]))["components"]["schemas"]
    assert schemas["ChatRequest"]["properties"].keys() == {name.partition(".")[0] for name in FIELDS}
