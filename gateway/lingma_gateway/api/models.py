"""`GET /v1/models`."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from lingma_gateway.api.asking import identify
from lingma_gateway.lingma.models import union
from lingma_gateway.services import Services


def router(services: Services) -> APIRouter:
    """The routes, bound to `services`."""
    routes = APIRouter()

    @routes.get("/v1/models")
    async def models(request: Request) -> JSONResponse:
        identify(request, services)
        return JSONResponse({"object": "list", "data": _models(services)})

    return routes


def _models(services: Services) -> list[dict[str, object]]:
    """What every ready account together offers, then the aliases where the setting says so."""
    models = union(instance.models for instance in services.pool.ready_instances())
    listed = [_model(model.key, model.display_name) for model in models]
    if services.settings.model_aliases_listed:
        keys = {model.key.casefold() for model in models}
        names = services.names
        aliases = [
            alias for alias in names.aliases.listed if alias.casefold() not in keys and names.known(alias, models)
        ]
        listed += [_model(alias, names.display_name(alias, models)) for alias in aliases]
    return listed


def _model(id: str, name: str | None) -> dict[str, object]:
    return {"id": id, "object": "model", "created": 0, "owned_by": "lingma", "name": name}
