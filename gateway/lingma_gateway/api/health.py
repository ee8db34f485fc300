"""Probes and metrics."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from prometheus_client import generate_latest
from starlette.responses import PlainTextResponse, Response

from lingma_contract import apikeys
from lingma_gateway.errors import NotConfigured, Unauthenticated
from lingma_gateway.identity import ANONYMOUS
from lingma_gateway.services import Services

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def router(services: Services) -> APIRouter:
    """`/livez`, `/livez/lingma`, `/readyz`, `/healthz`."""
    routes = APIRouter()

    @routes.get("/livez")
    async def livez() -> Response:
        return PlainTextResponse("ok")

    @routes.get("/livez/lingma")
    async def livez_lingma() -> Response:
        """Whether Lingma should be left running: 503 makes the kubelet restart its container."""
        dead = [instance.name for instance in services.pool.instances if not instance.alive]
        return PlainTextResponse(f"restart {', '.join(dead)}" if dead else "ok", 503 if dead else 200)

    @routes.get("/readyz")
    async def readyz() -> Response:
        ready = services.pool.ready() and not services.drain.draining
        return PlainTextResponse("ok" if ready else "not ready", 200 if ready else 503)

    @routes.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse(services.pool.health(services.drain.draining).as_json())

    return routes


def metrics_router(services: Services) -> APIRouter:
    """`/metrics`: open by setting, else by token; 503 while nobody could be allowed."""
    routes = APIRouter()

    @routes.get("/metrics")
    async def metrics(request: Request) -> Response:
        _allow(services, request)
        return Response(generate_latest(services.metrics.registry), media_type=METRICS_TYPE)

    return routes


def _allow(services: Services, request: Request) -> None:
    settings = services.settings
    if settings.metrics_public:
        return
    token = settings.metrics_token.get_secret_value()
    if token:
        presented = apikeys.presented(request.headers.get("authorization"), request.headers.get("x-api-key"))
        if apikeys.ApiKeys.from_setting(token).identify(presented) is None:
            raise Unauthenticated("the metrics token is missing or wrong")
        return
    if not settings.api_keys.get_secret_value():
        raise NotConfigured("metrics have no token: set METRICS_TOKEN or METRICS_PUBLIC")
    # Where clients need no key, metrics still do.
    if services.identity.key_id(request.headers) == ANONYMOUS:
        raise Unauthenticated("metrics take METRICS_TOKEN or an API key")
