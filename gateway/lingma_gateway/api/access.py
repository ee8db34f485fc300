"""The outermost layer of the HTTP application: request ids, the access log, and an answer to whatever went wrong.

Pure ASGI, because a request ends where its stream ends, not where its handler returns.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lingma_contract import errors as contract
from lingma_contract import requestid
from lingma_contract.errors import Dialect, dialect_of
from lingma_contract.jsonlog import event
from lingma_contract.names import Header
from lingma_gateway.errors import GatewayError, NoReadyAccount
from lingma_gateway.record import TurnRecord
from lingma_gateway.services import Services

log = logging.getLogger("lingma_gateway.access")

CLIENT_CLOSED = 499
"""Logged, never sent: the client went away before its answer was complete."""
_QUIET = frozenset({"/livez", "/livez/lingma", "/readyz", "/healthz", "/metrics"})
"""Probes: logged at debug, or they would drown the rest."""
ADMIN_PREFIX = "/internal/"
"""Not measured with the requests of clients: a self-check takes a minute."""
_KEY = "lingma.access"


@dataclass(slots=True)
class Access:
    """What the access log will say about one request."""

    request_id: str
    dialect: Dialect
    key_id: str | None = None
    stream: bool | None = None
    turn: TurnRecord | None = None
    aborted: bool = False
    """The answer broke off after its beginning: the connection was closed without an end."""
    client_gone: bool = False
    error: str | None = None
    """Code of the error that was answered, or that broke the answer off."""
    status: int | None = None
    started_at: float = field(default_factory=time.perf_counter)
    send: Send | None = None
    """The server's own, past every layer between: those look at the beginning of an answer, not at its parts."""


def access_of(request: Request) -> Access:
    """The record of a request."""
    found = request.scope[_KEY]
    assert isinstance(found, Access)
    return found


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
        scope[_KEY] = access

        async def send_tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                access.status = message["status"]
                MutableHeaders(scope=message)[Header.REQUEST_ID] = access.request_id
            await send(message)

        try:
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
        if turn is not None and turn.account is not None:
            failed = access.aborted or (status >= 400 and not access.client_gone)
            self._services.usage.add(turn.account, turn.key_id, turn.usage, failed=failed, cancelled=access.client_gone)
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
            error=access.error,
        )

    def _measure(self, access: Access, status: int, elapsed_s: float) -> None:
        metrics, dialect, turn = self._services.metrics, access.dialect.value, access.turn
        metrics.requests.labels(dialect, str(status)).inc()
        metrics.request_seconds.labels(dialect).observe(elapsed_s)
        if access.error == contract.QUEUE_FULL.code:
            metrics.rejected.inc()
        if turn is not None and turn.first_event_s is not None:
            metrics.first_token_seconds.labels(dialect).observe(turn.first_event_s)
        if turn is not None and turn.usage is not None:
            metrics.tokens.labels("input").inc(turn.usage.input_tokens)
            metrics.tokens.labels("output").inc(turn.usage.output_tokens)
