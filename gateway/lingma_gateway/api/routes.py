"""Routes for clients: `/v1/models` and `/v1/chat/completions`."""

import time
from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from lingma_contract.ids import Kind
from lingma_contract.names import Header
from lingma_gateway.api.access import Access, access_of
from lingma_gateway.api.reply import Encoder, Reply
from lingma_gateway.conversation import Turn
from lingma_gateway.dialects import openai_chat
from lingma_gateway.errors import NoReadyAccount, RequestTooLarge
from lingma_gateway.lingma.models import union
from lingma_gateway.services import Services
from lingma_gateway.turns import TurnRecord

_MAX_HEADER_CHARS = 1024


def router(services: Services) -> APIRouter:
    """The routes, bound to `services`."""
    routes = APIRouter()

    @routes.get("/v1/models")
    async def models(request: Request) -> JSONResponse:
        access_of(request).key_id = services.identity.key_id(request.headers)
        return JSONResponse({"object": "list", "data": _models(services)})

    @routes.post("/v1/chat/completions")
    async def chat_completions(request: Request) -> Response:
        access = _admit(request, services)
        chat = openai_chat.parse(await _body(request, services.settings.max_body_bytes))
        assert access.key_id is not None
        envelope = openai_chat.Envelope(services.identity.mint(Kind.CHAT_COMPLETION, access.key_id), int(time.time()))
        encoder: Encoder
        if chat.turn.stream:
            encoder = openai_chat.StreamEncoder(envelope, chat.include_usage)
        else:
            encoder = openai_chat.BodyEncoder(envelope)
        return _reply(services, chat.turn, access, encoder)

    return routes


def _admit(request: Request, services: Services) -> Access:
    access = access_of(request)
    access.key_id = services.identity.key_id(request.headers)
    if services.drain.closed:
        raise NoReadyAccount("this gateway is shutting down", retry_after_s=1)
    return access


async def _body(request: Request, limit: int) -> bytes:
    """The body of a request.

    Raises:
        RequestTooLarge: it exceeds `limit` bytes; it is not read any further.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise RequestTooLarge(f"the body exceeds {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _reply(services: Services, turn: Turn, access: Access, encoder: Encoder) -> Reply:
    assert access.key_id is not None
    record = TurnRecord(access.request_id, access.key_id)
    access.turn = record
    access.stream = turn.stream
    return Reply(services.turns.run(turn, record), encoder, lambda: _headers(turn, record), access)


def _headers(turn: Turn, record: TurnRecord) -> Mapping[str, str]:
    headers = {
        Header.ACCOUNT: record.account,
        Header.MODEL: record.model,
        Header.IGNORED: ", ".join(turn.ignored),
        Header.DEGRADED: ", ".join(turn.degraded),
    }
    return {name.value: _safe(value) for name, value in headers.items() if value}


def _safe(value: str) -> str:
    """A header value: names that a client made up may hold anything."""
    printable = "".join(character if " " <= character <= "~" else "?" for character in value)
    return printable[:_MAX_HEADER_CHARS]


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
