"""What the routes of all dialects do alike: admit a caller, read its body, run its turn, name what served it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing

from fastapi import Request

from lingma_contract.names import Header
from lingma_gateway.api.access import Access, access_of
from lingma_gateway.api.reply import Encoder, Reply
from lingma_gateway.conversation import Turn
from lingma_gateway.errors import NoReadyAccount, RequestTooLarge
from lingma_gateway.events import Finished, StreamEvent
from lingma_gateway.services import Services
from lingma_gateway.turns import TurnRecord

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


AtEnd = Callable[[Finished], Awaitable[None]]


def reply(services: Services, turn: Turn, access: Access, encoder: Encoder, at_end: AtEnd | None = None) -> Reply:
    """The answer to `turn`, which runs when the reply is sent. `at_end` is awaited when all but the end has been
    encoded, before the client is told the end."""
    assert access.key_id is not None
    record = TurnRecord(access.request_id, access.key_id)
    access.turn = record
    access.stream = turn.stream
    run = services.turns.run(turn, record)
    if at_end is not None:
        run = _before_end(run, at_end)
    return Reply(run, encoder, lambda: _headers(turn, record), access)


async def _before_end(
    run: AsyncGenerator[list[StreamEvent], None], at_end: AtEnd
) -> AsyncGenerator[list[StreamEvent], None]:
    """The same events, the end by itself and after `at_end`."""
    async with aclosing(run):
        async for events in run:
            last = events[-1]
            if isinstance(last, Finished):
                if events[:-1]:
                    yield events[:-1]
                await at_end(last)
                yield [last]
            else:
                yield events


def _headers(turn: Turn, record: TurnRecord) -> Mapping[str, str]:
    headers = {
        Header.ACCOUNT: record.account,
        Header.MODEL: record.model,
        Header.IGNORED: ", ".join(turn.ignored),
        Header.DEGRADED: ", ".join(dict.fromkeys((*turn.degraded, *record.degraded))),
    }
    return {name.value: _safe(value) for name, value in headers.items() if value}


def _safe(value: str) -> str:
    """A header value: names that a client made up may hold anything."""
    printable = "".join(character if " " <= character <= "~" else "?" for character in value)
    return printable[:_MAX_HEADER_CHARS]
