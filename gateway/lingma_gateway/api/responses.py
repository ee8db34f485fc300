"""OpenAI's Responses API: `/v1/responses` and what was stored of it, all with and without `/v1`."""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import Response

from lingma_contract.ids import Kind
from lingma_gateway.api.access import access_of
from lingma_gateway.api.asking import AtEnd, admit, body_of, identify, reply
from lingma_gateway.dialects.openai_responses import kept
from lingma_gateway.dialects.openai_responses.answer import BodyEncoder, Envelope, StreamEncoder
from lingma_gateway.dialects.openai_responses.reading import Json
from lingma_gateway.dialects.openai_responses.request import ResponsesRequest, parse
from lingma_gateway.errors import GatewayError, InvalidRequest, NotFound, PreviousResponseNotFound
from lingma_gateway.events import Finished
from lingma_gateway.services import Services
from lingma_gateway.sessions.responsefile import Lost, StoredResponse, StoreUnavailable
from lingma_gateway.sessions.responses import ResponseStore

_JSON = "application/json"
_MAX_REFERENCED = 64
"""Responses whose items one request may name: the look-ups of one request are bounded."""

Route = Callable[[Request], Awaitable[Response]]


def router(services: Services) -> APIRouter:
    """The routes, bound to `services`."""
    asking, stored = _Asking(services), _Stored(services)
    table: tuple[tuple[str, str, Route], ...] = (
        ("POST", "", asking.create),
        ("GET", "/{response_id}", stored.retrieve),
        ("DELETE", "/{response_id}", stored.delete),
        ("GET", "/{response_id}/input_items", stored.input_items),
        ("POST", "/{response_id}/cancel", stored.cancel),
    )
    routes = APIRouter()
    for prefix in ("/v1/responses", "/responses"):
        for method, path, route in table:
            routes.add_api_route(prefix + path, route, methods=[method], include_in_schema=prefix.startswith("/v1"))
    return routes


class _Asking:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def create(self, request: Request) -> Response:
        """Answer a request for a response."""
        key_id = admit(request, self._services)
        asked = parse(await body_of(request, self._services))
        history = await self._history(asked, key_id)
        referenced = await self._referenced(asked.references, key_id)
        turn = asked.turn(history, referenced)
        store = self._services.responses if asked.store else None
        envelope = Envelope(
            id=self._services.identity.mint(Kind.RESPONSE, key_id),
            created_at=_now(),
            echo=asked.echo,
            model=turn.model or self._services.settings.default_model,
            shows_reasoning=asked.shows_reasoning,
            stored=store is not None,
            now=_now,
        )
        encoder = StreamEncoder(envelope) if turn.stream else BodyEncoder(envelope)
        at_end: AtEnd | None = None
        if store is not None:
            items = kept.request_items(asked.items, referenced, envelope.id)
            at_end = _keeping(
                store, encoder, StoredResponse(envelope.id, key_id, asked.previous_response_id, items, b"")
            )
        return reply(self._services, turn, access_of(request), encoder, at_end)

    async def _history(self, asked: ResponsesRequest, key_id: str) -> list[Json]:
        """The items of the conversation before this request."""
        id = asked.previous_response_id
        if id is None:
            return []
        store = self._services.responses
        if store is None:
            message = "this gateway keeps no responses (RESPONSES_STORE_ENABLED): send the whole conversation"
            raise InvalidRequest(message, param="previous_response_id")
        try:
            chain = await store.chain(id, key_id)
        except Lost as lost:
            message = f"Previous response with id '{str(lost)[:64]}' not found."
            raise PreviousResponseNotFound(message, param="previous_response_id") from lost
        return [item for each in chain for item in kept.history(each.items, each.body)]

    async def _referenced(self, ids: Iterable[str], key_id: str) -> dict[str, Json]:
        """The stored items with these ids, as far as they are there."""
        store, places = self._services.responses, kept.references(ids)
        if store is None:
            return {}
        wanted = list(dict.fromkeys(place.response_id for place in places.values()))[-_MAX_REFERENCED:]
        found = {id: await store.get(id, key_id) for id in wanted}
        items: dict[str, Json] = {}
        for id, place in places.items():
            response = found.get(place.response_id)
            item = None if response is None else kept.item_at(place, id, response.items, response.body)
            if item is not None:
                items[id] = item
        return items


def _keeping(store: ResponseStore, encoder: StreamEncoder | BodyEncoder, response: StoredResponse) -> AtEnd:
    async def keep(finished: Finished) -> None:
        if not await store.put(replace(response, body=encoder.conclude(finished))):
            encoder.not_kept(finished)

    return keep


class _Stored:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def retrieve(self, request: Request) -> Response:
        """A stored response."""
        found = await self._find(request)
        if request.query_params.get("stream", "false").lower() not in ("false", "0", ""):
            message = "stream must be false: only a response that runs in the background could be streamed again"
            raise InvalidRequest(message, param="stream")
        return Response(found.body, media_type=_JSON)

    async def delete(self, request: Request) -> Response:
        """Remove a stored response."""
        id, key_id = request.path_params["response_id"], identify(request, self._services)
        store = self._services.responses
        try:
            if store is None or not await store.delete(id, key_id):
                raise _not_found(id)
        except StoreUnavailable as error:
            raise GatewayError("the response could not be deleted: the gateway's log says why") from error
        return Response(kept.deleted(id), media_type=_JSON)

    async def input_items(self, request: Request) -> Response:
        """The items that a stored response was asked with."""
        found = await self._find(request)
        return Response(kept.listed(found.items, kept.Listing.parse(request.query_params)), media_type=_JSON)

    async def cancel(self, request: Request) -> Response:
        """Nothing runs in the background, so there is nothing to cancel."""
        await self._find(request)
        raise InvalidRequest("Cannot cancel a synchronous response.")

    async def _find(self, request: Request) -> StoredResponse:
        id, key_id = request.path_params["response_id"], identify(request, self._services)
        store = self._services.responses
        found = None if store is None else await store.get(id, key_id)
        if found is None:
            raise _not_found(id)
        return found


def _not_found(id: str) -> NotFound:
    return NotFound(f"Response with id '{id[:64]}' not found.")


def _now() -> int:
    return int(time.time())
