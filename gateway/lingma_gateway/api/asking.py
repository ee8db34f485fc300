"""What the routes of all dialects do alike: admit a caller, read its body, run its turn, name what served it."""

import functools
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing

from fastapi import Request

from lingma_contract.errors import Dialect
from lingma_contract.ids import Kind
from lingma_contract.names import Header
from lingma_gateway.api.access import Access, Share, access_of
from lingma_gateway.api.accounting import count
from lingma_gateway.api.reply import Direct, Encoded, Encoder, Reply
from lingma_gateway.conversation import Media, ToolResult, Turn
from lingma_gateway.errors import InvalidRequest, NoReadyAccount, RequestTooLarge, UnsupportedEncoding
from lingma_gateway.events import Finished, StreamEvent
from lingma_gateway.record import TurnRecord
from lingma_gateway.services import Services
from lingma_gateway.sharing import Claim, Making, SharedAnswer

_MAX_HEADER_CHARS = 1024
_MAX_IDEMPOTENCY_KEY_CHARS = 255
_REPLAYED = "idempotent-replayed"
"""On an answer that was made for an earlier request: `true`. The name is Stripe's."""


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
    """The body of a request; its `Idempotency-Key` is noted.

    The content type is not looked at: clients that forget it mean JSON all the same.

    Raises:
        RequestTooLarge: it exceeds MAX_BODY_BYTES; it is not read any further.
        UnsupportedEncoding: it is compressed.
        InvalidRequest: its `Idempotency-Key` is too long.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() not in ("identity", ""):
        raise UnsupportedEncoding(f"the body must not be compressed: content-encoding is {encoding[:32]!r}")
    limit = services.settings.max_body_bytes
    if _announced(request) > limit:
        raise RequestTooLarge(f"the body exceeds {limit} bytes")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise RequestTooLarge(f"the body exceeds {limit} bytes")
        chunks.append(chunk)
    body = b"".join(chunks)
    access_of(request).claim = _claim(request, body)
    return body


def _claim(request: Request, body: bytes) -> Claim | None:
    """What the request's `Idempotency-Key` says, None where it has none."""
    key = request.headers.get("idempotency-key", "").strip()
    if not key:
        return None
    if len(key) > _MAX_IDEMPOTENCY_KEY_CHARS:
        message = f"Idempotency-Key must have at most {_MAX_IDEMPOTENCY_KEY_CHARS} characters"
        raise InvalidRequest(message, param="Idempotency-Key")
    target = f"{request.url.path}?{request.url.query}\0".encode("utf-8", "surrogateescape")
    return Claim(key, hashlib.sha256(target + body).digest())


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


AtEnd = Callable[[Finished], Awaitable[None]]


def reply(services: Services, turn: Turn, access: Access, encoder: Encoder, at_end: AtEnd | None = None) -> Reply:
    """The answer to `turn`, which runs when the reply is sent. `at_end` is awaited when all but the end has been
    encoded, before the client is told the end.

    With an `Idempotency-Key` it may be an answer that runs or has ended already.

    Raises:
        IdempotencyKeyReused: that key was used for another request.
    """
    assert access.key_id is not None
    access.stream = turn.stream
    claim = access.claim
    if claim is not None and (shared := services.shared_answers.find(access.key_id, claim)) is not None:
        access.turn = shared.record
        access.share = Share.JOINED
        return Reply(shared, lambda: {**shared.fields(), _REPLAYED: "true"}, access)
    kind = Kind.TOOL_USE if access.dialect is Dialect.ANTHROPIC else Kind.CALL
    mint_call = functools.partial(services.identity.mint, kind, access.key_id)
    record = TurnRecord(access.request_id, access.key_id, degraded=_unseen(turn), mint_call=mint_call)
    access.turn = record
    direct = Direct(encoder)
    run = services.turns.run(turn, record, direct)
    answer = Encoded(run if at_end is None else _before_end(run, at_end), encoder)
    fields = functools.partial(_headers, turn, record)
    if claim is not None:
        making = Making(answer, record, fields, functools.partial(_count_shared, services, access.dialect))
        made = services.shared_answers.share(access.key_id, claim, making)
        if made is not None:
            access.share = Share.FIRST
            return Reply(made, fields, access)
    return Reply(answer, fields, access, direct=direct)


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


def _count_shared(services: Services, dialect: Dialect, shared: SharedAnswer) -> None:
    failed = shared.error is not None and not shared.cancelled
    count(services, shared.record, dialect, failed=failed, cancelled=shared.cancelled)


def _unseen(turn: Turn) -> list[str]:
    """The kinds of media in a turn: no model is shown any yet."""
    parts = (part for message in turn.messages for part in message.parts)
    contents = (content for part in parts for content in (part.content if isinstance(part, ToolResult) else (part,)))
    return [content.kind.value for content in contents if isinstance(content, Media)]


def _headers(turn: Turn, record: TurnRecord) -> Mapping[str, str]:
    headers = {
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
