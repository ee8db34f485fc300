"""What the routes of all dialects do alike: admit a caller, read its body, run its turn, name what served it."""

from collections.abc import Mapping
from functools import partial

from fastapi import Request

from lingma_contract.errors import Dialect
from lingma_contract.ids import Kind
from lingma_contract.names import Header
from lingma_gateway.api.access import Access, access_of
from lingma_gateway.api.reply import Encoder, Reply
from lingma_gateway.conversation import Turn
from lingma_gateway.errors import NoReadyAccount, RequestTooLarge
from lingma_gateway.record import TurnRecord
from lingma_gateway.services import Services

_MAX_HEADER_CHARS = 1024


def identify(request: Request, services: Services) -> str:
    """The id of the caller's API key, which the access log will name.

    Raises:
        Unauthenticated: no key, or a wrong one.
    """
    key_id = services.identity.key_id(request.headers)
    access_of(request).key_id = key_id
    return key_id


def admit(request: Request, services: Services) -> str:
    """As `identify`, for a request that takes a slot.

    Raises:
        Unauthenticated: no key, or a wrong one.
        NoReadyAccount: the process is about to end.
    """
    key_id = identify(request, services)
    if services.drain.closed:
        raise NoReadyAccount("this gateway is shutting down", retry_after_s=1)
    return key_id


async def body_of(request: Request, services: Services) -> bytes:
    """The body of a request.

    Raises:
        RequestTooLarge: it exceeds MAX_BODY_BYTES; it is not read any further.
    """
    limit = services.settings.max_body_bytes
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise RequestTooLarge(f"the body exceeds {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def reply(services: Services, turn: Turn, access: Access, encoder: Encoder) -> Reply:
    """The answer to `turn`, which runs when the reply is sent."""
    assert access.key_id is not None
    kind = Kind.TOOL_USE if access.dialect is Dialect.ANTHROPIC else Kind.CALL
    mint_call = partial(services.identity.mint, kind, access.key_id)
    record = TurnRecord(access.request_id, access.key_id, mint_call=mint_call)
    access.turn = record
    access.stream = turn.stream
    return Reply(services.turns.run(turn, record), encoder, lambda: _headers(turn, record), access)


def _headers(turn: Turn, record: TurnRecord) -> Mapping[str, str]:
    headers = {
        Header.ACCOUNT: record.account,
        Header.MODEL: record.model,
        Header.IGNORED: ", ".join(dict.fromkeys((*turn.ignored, *record.ignored))),
        Header.DEGRADED: ", ".join(dict.fromkeys((*turn.degraded, *record.degraded))),
        Header.RETRIES: str(record.retries or ""),
    }
    return {name.value: _safe(value) for name, value in headers.items() if value}


def _safe(value: str) -> str:
    """A header value: names that a client made up may hold anything."""
    printable = "".join(character if " " <= character <= "~" else "?" for character in value)
    return printable[:_MAX_HEADER_CHARS]
