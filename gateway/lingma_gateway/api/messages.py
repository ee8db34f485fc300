"""`POST /v1/messages` and `POST /v1/messages/count_tokens`."""

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from lingma_contract.ids import Kind
from lingma_gateway.api.access import access_of
from lingma_gateway.api.asking import admit, body_of, identify, reply
from lingma_gateway.api.reply import Encoder
from lingma_gateway.dialects.anthropic.answer import BodyEncoder, Envelope, StreamEncoder
from lingma_gateway.dialects.anthropic.request import parse, parse_count
from lingma_gateway.services import Services
from lingma_gateway.tokens import request_tokens


def router(services: Services) -> APIRouter:
    """The routes, bound to `services`."""
    routes = APIRouter()

    async def messages(request: Request) -> Response:
        key_id = admit(request, services)
        asked = parse(await body_of(request, services))
        envelope = Envelope(services.identity.mint(Kind.MESSAGE, key_id), asked.turn.model)
        encoder: Encoder
        if asked.turn.stream:
            encoder = StreamEncoder(envelope, asked.thinking)
        else:
            encoder = BodyEncoder(envelope, asked.thinking)
        return reply(services, asked.turn, access_of(request), encoder)

    # Starlette's own route: FastAPI's asks for each request which parameters the function has.
    routes.add_route("/v1/messages", messages, methods=["POST"])

    @routes.post("/v1/messages/count_tokens")
    async def count_tokens(request: Request) -> Response:
        # By the gateway alone: needs neither a slot nor a Lingma that is logged in.
        identify(request, services)
        turn = parse_count(await body_of(request, services))
        return Response(orjson.dumps({"input_tokens": request_tokens(turn)}), media_type="application/json")

    return routes
