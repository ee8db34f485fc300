"""The two applications: one for clients, one for probes, admin and metrics."""

import importlib.metadata
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp

from lingma_contract import errors as contract
from lingma_gateway.api import admin, chat, health, messages, models, openapi, responses
from lingma_gateway.api.access import AccessLog, access_of
from lingma_gateway.errors import GatewayError, InvalidRequest
from lingma_gateway.services import Services

_VERSION = importlib.metadata.version("lingma-operator")
_FAULTS = {404: contract.NOT_FOUND, 405: contract.METHOD_NOT_ALLOWED}


def client_app(services: Services, *, with_admin: bool) -> ASGIApp:
    """What clients call. `with_admin` where there is no second port for admin and metrics."""
    routers = [module.router(services) for module in (chat, messages, responses, models, health)]
    if with_admin:
        routers += [health.metrics_router(services), admin.router(services)]
    return _app(services, routers, openapi.document(_VERSION, with_admin=with_admin))


def admin_app(services: Services) -> ASGIApp:
    """What the kubelet, the operator and Prometheus call."""
    routers = [health.router(services), health.metrics_router(services), admin.router(services)]
    return _app(services, routers, openapi.admin_document(_VERSION))


def _described(document: dict[str, Any]) -> APIRouter:
    """`/openapi.json`: it says nothing about this gateway in particular, so it needs no key."""
    routes = APIRouter()

    @routes.get("/openapi.json")
    async def describe() -> JSONResponse:
        return JSONResponse(document)

    return routes


def _app(services: Services, routers: list[APIRouter], document: dict[str, Any]) -> ASGIApp:
    routers = [*routers, _described(document)]
    # No redirects for a slash at the end: behind the router they would name the address of a pod.
    app = FastAPI(title="lingma-gateway", openapi_url=None, redirect_slashes=False)
    for router in routers:
        app.include_router(router)
    app.state.routes = [route for router in routers for route in router.routes]
    app.add_exception_handler(GatewayError, _gateway_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_parameter)
    app.add_exception_handler(Exception, _unhandled)
    return AccessLog(app, services)


async def _gateway_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    access = access_of(request)
    access.error = error.fault.code
    rendered = error.render(access.dialect, access.request_id)
    return Response(rendered.body, rendered.status, dict(rendered.headers))


async def _unhandled(request: Request, error: Exception) -> Response:
    """A defect of ours; the access log has its traceback."""
    return await _gateway_error(request, GatewayError("the gateway failed: its log says more under this request id"))


async def _invalid_parameter(request: Request, error: Exception) -> Response:
    """A parameter of the path or the query that is not what the route takes."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return await _gateway_error(request, InvalidRequest(f"{name}: {first['msg']}", param=name))


async def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own errors (no such path, wrong method) in the caller's form."""
    assert isinstance(error, HTTPException)
    access = access_of(request)
    fault = _FAULTS.get(error.status_code, contract.INVALID_REQUEST)
    access.error = fault.code
    message = {
        404: f"no such path: {request.method} {request.url.path}",
        405: f"{request.url.path} does not take {request.method}",
    }.get(error.status_code, str(error.detail))
    rendered = contract.render(fault, access.dialect, message, access.request_id)
    headers = dict(rendered.headers)
    if error.status_code == 405:
        headers["allow"] = ", ".join(_allowed(request))
    return Response(rendered.body, rendered.status, headers)


def _allowed(request: Request) -> list[str]:
    """The methods that the path takes: each is a route of its own."""
    return sorted(
        {
            method
            for route in request.app.state.routes
            if route.matches(request.scope)[0] is not Match.NONE
            for method in getattr(route, "methods", None) or ()
        }
    )
