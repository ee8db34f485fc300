"""The outermost layer of the HTTP application: request ids, the access log, and an answer to whatever went wrong.

Pure ASGI, because a request ends where its stream ends, not where its handler returns.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from enum import Enum, auto

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl

from lingma_contract import errors as contract
from lingma_contract import requestid
from lingma_contract.errors import Dialect, dialect_of
from lingma_contract.jsonlog import event
from lingma_contract.names import Header
from lingma_gateway.api.accounting import count
from lingma_gateway.errors import GatewayError, NoReadyAccount, UpgradeRequired
from lingma_gateway.record import TurnRecord
from lingma_gateway.services import Services
from lingma_gateway.sharing import Claim

log = logging.getLogger("lingma_gateway.access")

CLIENT_CLOSED = 499
"""Logged, never sent: the client went away before its answer was complete."""
_QUIET = frozenset({"/livez", "/livez/lingma", "/readyz", "/healthz", "/metrics"})
"""Probes: logged at debug, or they would drown the rest."""
ADMIN_PREFIX = "/internal/"
"""Not measured with the requests of clients: a self-check takes a minute."""
SERVER_TIMING = "server-timing"
_KEY = "lingma.access"
FLOW = "lingma.flow"
"""In the state of a request: the flow control of its connection."""


class Share(Enum):
    """Whose answer a request gets."""

    OWN = auto()
    FIRST = auto()
    """An answer that others may join: it is counted when it ends, which may be after this client left."""
    JOINED = auto()
    """The answer to an earlier request."""


@dataclass(slots=True)
class Access:
    """What the access log will say about one request."""

    request_id: str
    dialect: Dialect
    key_id: str | None = None
    stream: bool | None = None
    turn: TurnRecord | None = None
    claim: Claim | None = None
    """What its `Idempotency-Key` says."""
    share: Share = Share.OWN
    aborted: bool = False
    """The answer broke off after its beginning: the connection was closed without an end."""
    client_gone: bool = False
    error: str | None = None
    """Code of the error that was answered, or that broke the answer off."""
    status: int | None = None
    started_at: float = field(default_factory=time.perf_counter)
    send: Send | None = None
    """The server's own, past every layer between: those look at the beginning of an answer, not at its parts."""
    flow: FlowControl | None = None
    """Whether the server would have `send` wait; None where it does not tell."""


def access_of(request: Request) -> Access:
    """The record of a request."""
    found = request.scope[_KEY]
    assert isinstance(found, Access)
    return found


def _server_timing(access: Access) -> str:
    """Milliseconds until now (https://www.w3.org/TR/server-timing/): waiting for a slot, from there to Lingma's first
    event, and all together. An answer that streams goes on from here."""
    timings = []
    turn = access.turn
    if turn is not None and turn.queued_s is not None and access.share is not Share.JOINED:
        timings.append(f"queue;dur={turn.queued_s * 1000:.1f}")
        if turn.first_event_s is not None:
            timings.append(f"upstream;dur={(turn.first_event_s - turn.queued_s) * 1000:.1f}")
    timings.append(f"total;dur={(time.perf_counter() - access.started_at) * 1000:.1f}")
    return ", ".join(timings)


class AccessLog:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        access = Access(
            requestid.accept(headers.get(Header.REQUEST_ID)),
            dialect_of(scope["path"], headers.get("anthropic-version")),
        )
        access.send = send
        access.flow = scope.get("state", {}).get(FLOW)
        scope[_KEY] = access

        async def send_tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                access.status = message["status"]
                self._tag(MutableHeaders(scope=message), access)
            await send(message)

        try:
            if headers.get("upgrade", "").lower() == "websocket":
                # At once, before a key is looked at: on this status Codex goes on over HTTP at once.
                raise UpgradeRequired("WebSockets are not spoken here; send the request over HTTP")
            await self._app(scope, receive, send_tagged)
        except GatewayError as error:
            await self._answer(error, access, send_tagged)
        except asyncio.CancelledError:
            # The server ends and has waited long enough; it would say 500 in a form of its own.
            await self._answer(NoReadyAccount("this gateway has ended", retry_after_s=1), access, send_tagged)
        except Exception:
            log.exception("unhandled", extra={"fields": {"request_id": access.request_id}})
            await self._answer(GatewayError("the gateway failed: see its log for this request id"), access, send_tagged)
        finally:
            self._finish(scope, access)

    def _tag(self, headers: MutableHeaders, access: Access) -> None:
        """What every answer says: which request it is of, how long things took so far, whose account it was."""
        headers.update(contract.request_id_headers(access.dialect, access.request_id))
        headers[SERVER_TIMING] = _server_timing(access)
        account = self._account(access)
        if account is not None:
            headers[Header.ACCOUNT] = account

    def _account(self, access: Access) -> str | None:
        """The account that was asked; where there is only one, that one. Strangers are not told."""
        if access.turn is not None and access.turn.account is not None:
            return access.turn.account
        instances = self._services.pool.instances
        return instances[0].name if access.key_id is not None and len(instances) == 1 else None

    async def _answer(self, error: GatewayError, access: Access, send: Send) -> None:
        access.error = error.fault.code
        if access.status is not None:
            # Too late for an answer: returning without the end of the body makes the server drop the connection.
            access.aborted = True
            return
        rendered = error.render(access.dialect, access.request_id)
        raw = [(name.encode(), value.encode()) for name, value in rendered.headers.items()]
        raw.append((b"content-length", str(len(rendered.body)).encode()))
        await send({"type": "http.response.start", "status": rendered.status, "headers": raw})
        await send({"type": "http.response.body", "body": rendered.body})

    def _finish(self, scope: Scope, access: Access) -> None:
        elapsed_s = time.perf_counter() - access.started_at
        status = CLIENT_CLOSED if access.client_gone else access.status or contract.INTERNAL.status
        turn = access.turn
        quiet = scope["path"] in _QUIET
        if turn is not None and access.share is Share.OWN:
            failed = access.aborted or (status >= 400 and not access.client_gone)
            count(self._services, turn, access.dialect, failed=failed, cancelled=access.client_gone)
        if not quiet and not scope["path"].startswith(ADMIN_PREFIX):
            self._measure(access, status, elapsed_s)
        event(
            log,
            "access",
            level=logging.DEBUG if quiet else logging.INFO,
            request_id=access.request_id,
            method=scope["method"],
            path=scope["path"],
            status=status,
            elapsed_ms=round(elapsed_s * 1000, 1),
            dialect=access.dialect.value,
            key_id=access.key_id,
            stream=access.stream,
            account=turn.account if turn else None,
            model=turn.model if turn else None,
            first_event_ms=round(turn.first_event_s * 1000, 1) if turn and turn.first_event_s is not None else None,
            input_tokens=turn.usage.input_tokens if turn and turn.usage else None,
            output_tokens=turn.usage.output_tokens if turn and turn.usage else None,
            session=turn.session if turn else None,
            tokens_estimated=turn.usage.estimated if turn and turn.usage else None,
            aborted=access.aborted or None,
            replayed=access.share is Share.JOINED or None,
            error=access.error,
        )

    def _measure(self, access: Access, status: int, elapsed_s: float) -> None:
        metrics, dialect = self._services.metrics, access.dialect.value
        metrics.requests.labels(dialect, str(status)).inc()
        metrics.request_seconds.labels(dialect).observe(elapsed_s)
        if access.error == contract.QUEUE_FULL.code:
            metrics.rejected.inc()
        if access.key_id is not None:
            metrics.count_key(access.key_id, status)
