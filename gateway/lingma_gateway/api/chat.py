"""`POST /v1/chat/completions`."""

import time
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from lingma_contract.ids import Kind
from lingma_gateway.api.access import Access, access_of
from lingma_gateway.api.asking import admit, body_of, reply
from lingma_gateway.api.reply import Encoder
from lingma_gateway.dialects import openai_chat
from lingma_gateway.services import Services


def router(services: Services) -> APIRouter:
    """The route, bound to `services`."""
    routes = APIRouter()

    async def chat_completions(request: Request) -> Response:
        key_id = admit(request, services)
        chat = openai_chat.parse(await body_of(request, services))
        access = access_of(request)
        envelope = openai_chat.Envelope(
            services.identity.mint(Kind.CHAT_COMPLETION, key_id),
            int(time.time()),
            as_function_call=chat.as_function_call,
            extra=lambda: _served_by(access) if services.settings.served_by_in_body else {},
        )
        encoder: Encoder
        if chat.turn.stream:
            encoder = openai_chat.StreamEncoder(envelope, chat.include_usage)
        else:
            encoder = openai_chat.BodyEncoder(envelope)
        return reply(services, chat.turn, access, encoder)

    # Starlette's own route: FastAPI's asks for each request which parameters the function has.
    routes.add_route("/v1/chat/completions", chat_completions, methods=["POST"])
    return routes


def _served_by(access: Access) -> Mapping[str, Any]:
    """The earlier gateway's own fields of a body (parity, section 1)."""
    turn = access.turn
    assert turn is not None
    first_event_s = turn.first_event_s or 0.0
    return {
        "served_by": turn.account,
        "latency": {
            "first_token_ms": round(first_event_s * 1000, 1),
            "total_ms": round((time.monotonic() - turn.started_at) * 1000, 1),
        },
    }
