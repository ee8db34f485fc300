"""The two applications: one for clients, one for probes, admin and metrics."""

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from lingma_contract import errors as contract
from lingma_gateway.api import admin, chat, health, messages, models, responses
from lingma_gateway.api.access import AccessLog, access_of
from lingma_gateway.errors import GatewayError
from lingma_gateway.services import Services

_FAULTS = {404: contract.NOT_FOUND, 405: contract.METHOD_NOT_ALLOWED}


def client_app(services: Services, *, with_admin: bool) -> ASGIApp:
    """What clients call. `with_admin` where there is no second port for admin and metrics."""
    routers = [module.router(services) for module in (chat, messages, responses, models, health)]
    if with_admin:
        routers += [health.metrics_router(services), admin.router(services)]
    return _app(services, routers)


def admin_app(services: Services) -> ASGIApp:
    """What the kubelet, the operator and Prometheus call."""
    return _app(services, [health.router(services), health.metrics_router(services), admin.router(services)])


def _app(services: Services, routers: list[APIRouter]) -> ASGIApp:
    app = FastAPI(title="lingma-gateway", docs_url=None, redoc_url=None)
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(GatewayError, _gateway_error)
    app.add_exception_handler(HTTPException, _http_error)
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


async def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own errors (no such path, wrong method) in the caller's form."""
    assert isinstance(error, HTTPException)
    access = access_of(request)
    fault = _FAULTS.get(error.status_code, contract.INVALID_REQUEST)
    message = {
        404: f"no such path: {request.method} {request.url.path}",
        405: f"{request.url.path} does not take {request.method}",
    }.get(error.status_code, str(error.detail))
    rendered = contract.render(fault, access.dialect, message, access.request_id)
    return Response(rendered.body, rendered.status, {**(error.headers or {}), **rendered.headers})
