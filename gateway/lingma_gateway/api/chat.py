"""`POST /v1/chat/completions`."""

import time

from fastapi import APIRouter, Request
from starlette.responses import Response

from lingma_contract.ids import Kind
from lingma_gateway.api.access import access_of
from lingma_gateway.api.asking import admit, body_of, reply
from lingma_gateway.api.reply import Encoder
from lingma_gateway.dialects import openai_chat
from lingma_gateway.services import Services


def router(services: Services) -> APIRouter:
    """The route, bound to `services`."""
    routes = APIRouter()

    @routes.post("/v1/chat/completions")
    async def chat_completions(request: Request) -> Response:
        key_id = admit(request, services)
        chat = openai_chat.parse(await body_of(request, services))
        envelope = openai_chat.Envelope(services.identity.mint(Kind.CHAT_COMPLETION, key_id), int(time.time()))
        encoder: Encoder
        if chat.turn.stream:
            encoder = openai_chat.StreamEncoder(envelope, chat.include_usage)
        else:
            encoder = openai_chat.BodyEncoder(envelope)
        return reply(services, chat.turn, access_of(request), encoder)

    return routes
