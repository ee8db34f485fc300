"""One request through the router: who asks, which account answers, and its bytes, untouched.

Nothing is sent twice once any byte of an answer came, and what breaks after that breaks the client's connection too:
several clients act on a stream that ends early but cleanly as if it were whole.
"""

import asyncio
import logging
import random
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from multidict import CIMultiDict

from lingma_contract import apikeys, errors, requestid
from lingma_contract.names import Header
from lingma_router import headers, placement
from lingma_router.affinity import Request, candidates
from lingma_router.credentials import Credentials
from lingma_router.directory import Directory, Snapshot
from lingma_router.keys import KeyRing
from lingma_router.loads import Cooldown, Loads
from lingma_router.placement import Bound, Fleet, Placed
from lingma_router.refusal import Refusal, soon, unplaced
from lingma_router.settings import Settings
from lingma_router.telemetry import CLIENT_CLOSED, Exchange, Telemetry
from lingma_router.upstream import Outgoing, Upstream, UpstreamError

_log = logging.getLogger(__name__)

_NOT_READY = (503, 529)
"""A gateway without a ready Lingma, in both dialects."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of zero: the client sees a reset, which no framing can take for an end."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was accepted."""

    wish: Request
    outgoing: Outgoing
    credentials: Credentials


class Proxy:
    """Handles every request on the client port."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        keys: KeyRing,
        upstream: Upstream,
        loads: Loads,
        telemetry: Telemetry,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._keys = keys
        self._upstream = upstream
        self._loads = loads
        self._telemetry = telemetry
        self._cooldown = Cooldown(settings.cooldown_s)
        self._bound = Bound(settings.load_factor, settings.load_slack)
        self._active: dict[int, web.BaseRequest] = {}  # by identity: requests are mappings, which have no hash
        self._idle = asyncio.Event()
        self._idle.set()
        self._aborted = False
        self.closing = False
        """True asks each client to open its next connection elsewhere."""

    @property
    def active(self) -> int:
        """Requests being handled."""
        return len(self._active)

    async def wait_idle(self) -> None:
        """Until no request is being handled."""
        await self._idle.wait()

    def abort_all(self) -> None:
        """Break the connection of every request being handled."""
        self._aborted = True
        for request in self._active.values():
            _abort(request)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request. Cancelled when the client goes away."""
        exchange = _exchange(request)
        self._active[id(request)] = request
        self._idle.clear()
        try:
            response = await self._answer(request, exchange)
            if self.closing and not response.prepared:
                response.force_close()
            return response
        except asyncio.CancelledError:
            exchange.status = CLIENT_CLOSED
            exchange.error = "the drain's time was up" if self._aborted else None
            raise
        finally:
            del self._active[id(request)]
            if not self._active:
                self._idle.set()
            self._telemetry.finished(exchange)

    async def _answer(self, request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        try:
            call = await self._accept(request, exchange)
            return await self._serve(request, exchange, call)
        except Refusal as refusal:
            return _refused(refusal, exchange)
        except Exception:
            _log.exception("request-failed", extra={"fields": {"request_id": exchange.request_id}})
            if exchange.status:
                _abort(request)
                raise
            return _refused(Refusal(errors.INTERNAL, "the router failed"), exchange)

    async def _accept(self, request: web.BaseRequest, exchange: Exchange) -> Call:
        """Who asks, and what. Nothing of the body is read for a caller without a key."""
        if not headers.is_forwarded(exchange.path):
            raise Refusal(errors.NOT_FOUND, f"no such path: {exchange.path[:200]}")
        if request.headers.get("upgrade", "").lower() == "websocket":
            raise Refusal(errors.UPGRADE_REQUIRED, "WebSockets are not spoken here; send the request over HTTP")
        keys = self._keys.current
        presented = apikeys.presented(request.headers.get("authorization"), request.headers.get("x-api-key"))
        key_id = keys.clients.identify(presented) if keys is not None else None
        if keys is None or key_id is None:
            words = "the API key is not valid" if presented else "an API key is needed: Authorization: Bearer KEY"
            raise Refusal(errors.UNAUTHENTICATED, words)
        exchange.key_id = key_id
        body = await self._read(request)
        sent = CIMultiDict(headers.to_gateway(request.headers.items()))
        sent[Header.KEY_ID] = key_id
        sent[Header.REQUEST_ID] = exchange.request_id
        lower = {name.lower(): value for name, value in request.headers.items()}
        return Call(
            wish=Request(path=exchange.path, headers=lower, body=_decoded(body, lower), key_id=key_id),
            outgoing=Outgoing(request.method, request.raw_path, sent, body),
            credentials=keys.credentials,
        )

    async def _read(self, request: web.BaseRequest) -> bytes:
        limit = self._settings.max_body_bytes
        too_large = Refusal(errors.TOO_LARGE, f"the request body is longer than {limit} bytes")
        if (request.content_length or 0) > limit:
            raise too_large
        if request.headers.get("expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        pieces: list[bytes] = []
        size = 0
        try:
            while piece := await self._next_piece(request):
                size += len(piece)
                if size > limit:
                    raise too_large
                pieces.append(piece)
        except TimeoutError as error:
            raise Refusal(errors.REQUEST_TIMEOUT, "the rest of the request body did not come") from error
        return b"".join(pieces)

    async def _next_piece(self, request: web.BaseRequest) -> bytes:
        async with asyncio.timeout(self._settings.idle_timeout_s):
            return await request.content.readany()

    async def _serve(self, request: web.BaseRequest, exchange: Exchange, call: Call) -> web.StreamResponse:
        """Send the request to its account, or to one other when that is safe; stream the answer."""
        placed = self._first(call)
        try:
            return await self._attempt(request, exchange, call, placed, "")
        except _Moves as moves:
            other = self._place(call, self._directory.snapshot, frozenset({placed.account.uid}))
            if not isinstance(other, Placed):
                raise moves.otherwise from moves
            return await self._attempt(request, exchange, call, other, "-moved")

    def _first(self, call: Call) -> Placed:
        snapshot = self._directory.snapshot
        placed = self._place(call, snapshot, frozenset())
        if not isinstance(placed, Placed):
            raise unplaced(placed, len(snapshot.accounts))
        return placed

    def _place(self, call: Call, snapshot: Snapshot, spared: frozenset[str]) -> placement.Placement:
        def place(fleet: Fleet) -> placement.Placement:
            wishes = candidates(
                call.wish, lambda value: call.credentials.resolve(value, snapshot.by_hash, call.wish.key_id)
            )
            return placement.place(wishes, fleet, random.randrange)

        accounts = snapshot.ready
        if not accounts and headers.needs_no_login(call.wish.path):
            accounts = snapshot.waking
        fleet = Fleet(accounts, self._loads.counts, self._bound).without(spared)
        resting = self._cooldown.resting()
        if resting:
            rested = place(fleet.without({uid for uid, account in fleet.ready.items() if account.address in resting}))
            if isinstance(rested, Placed):
                return rested
        # Better an endpoint that failed a moment ago than none.
        return place(fleet)

    async def _attempt(
        self, request: web.BaseRequest, exchange: Exchange, call: Call, placed: Placed, moved: str
    ) -> web.StreamResponse:
        account = placed.account
        address = account.address or ""
        exchange.account = account
        exchange.reason = f"{placed.reason.value}{'-spill' if placed.spilled else ''}{moved}"
        may_move = not moved and not placed.hard
        self._telemetry.placed(exchange.reason)
        with self._loads.hold(account.uid):
            try:
                response = await self._upstream.send(
                    address, call.credentials.of(account.uid).router_tokens, call.outgoing
                )
            except UpstreamError as error:
                self._cooldown.rest(address)
                message = f"account {account.name}: {error}"
                refusal = Refusal(errors.UPSTREAM_FAILED, message, retry_after_s=soon())
                raise (_Moves(refusal) if may_move and error.safe else refusal) from error
            try:
                if may_move and response.status in _NOT_READY and self._has_other(account.uid):
                    self._cooldown.rest(address)
                    raise _Moves(unplaced(placement.NoneReady(), len(self._directory.snapshot.accounts)))
                return await self._stream(request, exchange, call, response)
            finally:
                response.close()

    def _has_other(self, uid: str) -> bool:
        return any(other != uid for other in self._directory.snapshot.ready)

    async def _stream(
        self, request: web.BaseRequest, exchange: Exchange, call: Call, upstream: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        answer = web.StreamResponse(
            status=upstream.status,
            reason=upstream.reason,
            headers=CIMultiDict(headers.to_client(upstream.headers.items())),
        )
        self._sign(answer, exchange, call)
        exchange.status = upstream.status
        exchange.stream = upstream.content_type == "text/event-stream"
        try:
            await answer.prepare(request)
            while data := await self._next(upstream):
                await self._write(answer, data)
                exchange.bytes_out += len(data)
            await answer.write_eof()
        except ConnectionError:
            # A write noticed that the client is gone before the cancellation came.
            exchange.status = CLIENT_CLOSED
        except _Broken as broken:
            exchange.error = str(broken)
            _abort(request)
        return answer

    async def _next(self, upstream: aiohttp.ClientResponse) -> bytes:
        """What came of the answer since the last look; empty at its proper end."""
        try:
            async with asyncio.timeout(self._settings.idle_timeout_s):
                return await upstream.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _Broken(f"the answer broke off: {type(error).__name__}") from error

    async def _write(self, answer: web.StreamResponse, data: bytes) -> None:
        try:
            async with asyncio.timeout(self._settings.idle_timeout_s):
                await answer.write(data)
        except TimeoutError as error:
            raise _Broken("the client stopped reading") from error

    def _sign(self, answer: web.StreamResponse, exchange: Exchange, call: Call) -> None:
        """Put the router's own headers on an answer."""
        account = exchange.account
        if account is None:
            raise RuntimeError("an answer without an account")
        token = call.credentials.mint_token(account.uid, call.wish.key_id)
        answer.headers[Header.ACCOUNT] = account.name
        answer.headers[Header.AFFINITY] = token
        answer.headers[Header.REASON] = exchange.reason or ""
        answer.headers[Header.REQUEST_ID] = exchange.request_id
        if headers.is_responses(call.wish.path):
            answer.headers[Header.CODEX_TURN_STATE] = token
        if self.closing:
            answer.force_close()


class _Moves(Exception):
    """The account cannot take the request, and nothing was processed: another one may. `otherwise` if there is none."""

    def __init__(self, otherwise: Refusal) -> None:
        super().__init__(str(otherwise))
        self.otherwise = otherwise


class _Broken(Exception):
    """An answer that began cannot be finished."""


def _refused(refusal: Refusal, exchange: Exchange) -> web.Response:
    response = refusal.response(exchange.dialect, exchange.request_id)
    exchange.status, exchange.error = response.status, str(refusal)
    return response


def _exchange(request: web.BaseRequest) -> Exchange:
    path = request.raw_path.partition("?")[0]
    return Exchange(
        request_id=requestid.accept(request.headers.get(Header.REQUEST_ID)),
        method=request.method,
        path=path,
        dialect=errors.dialect_of(path, request.headers.get("anthropic-version")),
    )


def _decoded(body: bytes, lower: Mapping[str, str]) -> Mapping[str, Any]:
    """The body as an object; empty for anything else, because its account's gateway names the fault."""
    if not body or "content-encoding" in lower:
        return {}
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _abort(request: web.BaseRequest) -> None:
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
