"""`GET /v1/models` and `GET /v1/models/{id}`: Anthropic's form where `anthropic-version` was sent, else OpenAI's."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from lingma_contract.errors import Dialect
from lingma_gateway.api.access import access_of
from lingma_gateway.api.asking import identify
from lingma_gateway.dialects.anthropic import models as anthropic
from lingma_gateway.errors import ModelNotFound, NoReadyAccount
from lingma_gateway.lingma.models import Model, union
from lingma_gateway.services import Services

_UNKNOWN_RETRY_S = 5.0


def router(services: Services) -> APIRouter:
    """The routes, bound to `services`."""
    routes = APIRouter()

    @routes.get("/v1/models")
    async def models(request: Request) -> JSONResponse:
        identify(request, services)
        listed = _listed(services)
        if access_of(request).dialect is Dialect.ANTHROPIC:
            return JSONResponse(anthropic.page([anthropic.model(*each) for each in listed], request.query_params))
        return JSONResponse({"object": "list", "data": [_openai_model(*each) for each in listed]})

    @routes.get("/v1/models/{id:path}")
    async def model(request: Request, id: str) -> JSONResponse:
        identify(request, services)
        form = anthropic.model if access_of(request).dialect is Dialect.ANTHROPIC else _openai_model
        return JSONResponse(_one(services, id, form))

    return routes


def _openai_model(id: str, name: str | None) -> dict[str, Any]:
    return {"id": id, "object": "model", "created": 0, "owned_by": "lingma", "name": name}


def _known(services: Services) -> tuple[Model, ...]:
    """What every ready account together offers; while none is ready, what they offered last.

    Raises:
        NoReadyAccount: no account has told its models yet: that is no empty list.
    """
    pool = services.pool
    known = union(each.models for each in pool.ready_instances() or pool.instances)
    if not known:
        message = "no Lingma account has told its models yet: none has been logged in"
        raise NoReadyAccount(message, retry_after_s=_UNKNOWN_RETRY_S)
    return known


def _listed(services: Services) -> list[tuple[str, str | None]]:
    """Id and display name of every model, then of the aliases where the setting says so."""
    models = _known(services)
    listed = [(model.key, model.display_name) for model in models]
    if services.settings.model_aliases_listed:
        keys = {model.key.casefold() for model in models}
        names = services.names
        aliases = [
            alias for alias in names.aliases.listed if alias.casefold() not in keys and names.known(alias, models)
        ]
        listed += [(alias, names.display_name(alias, models)) for alias in aliases]
    return listed


def _one(services: Services, id: str, form: Callable[[str, str | None], dict[str, Any]]) -> dict[str, Any]:
    """The model that a client may name `id`: by its key, its display name or an alias."""
    models = _known(services)
    if not services.names.known(id, models):
        raise ModelNotFound(f"the model {id!r} does not exist: GET /v1/models lists them", param="model")
    return form(id, services.names.display_name(id, models))
