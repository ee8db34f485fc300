"""Serves the applications until told to end, and ends without cutting an answer."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lingma_contract import errors as contract
from lingma_contract import requestid
from lingma_contract.errors import Dialect
from lingma_contract.jsonlog import event
from lingma_gateway.api.access import FLOW
from lingma_gateway.services import Services

log = logging.getLogger(__name__)

_BACKLOG = 1024
_ABORT_TIMEOUT_S = 2
_COLLECT_AFTER = 20_000
"""Objects made and not freed before the collector of cycles looks at the youngest. Python's 700 are as few as the
tokens that 500 streams get at once, which are freed without it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One application at one address. Port 0 takes a free one."""

    app: ASGIApp
    host: str
    port: int


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would close its listener at once."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(HttpToolsProtocol):
    """Tells the application whether it would have to wait to send. What is no HTTP at all gets an error in a form, too:
    OpenAI's, for no path says whose the caller reads."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][FLOW] = self.flow

    def send_400_response(self, msg: str) -> None:
        rendered = contract.render(
            contract.INVALID_REQUEST, Dialect.OPENAI, "this is no valid HTTP request", requestid.accept(None)
        )
        headers = {**rendered.headers, "content-length": str(len(rendered.body)), "connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n".encode() + rendered.body)
        self.transport.close()


_NO_ERRORS = ("without completing response", "Unsupported upgrade request", "No supported WebSocket library")
"""Of the server's own messages: an answer that is broken off on purpose, and a handshake that a route refuses."""


class _NotAnError(logging.Filter):
    """Drops what the server takes for an error and is none."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not any(words in record.getMessage() for words in _NO_ERRORS)


class Servers:
    """Servers for several endpoints that live and end together."""

    def __init__(self, endpoints: Sequence[Endpoint], services: Services) -> None:
        self._services = services
        self._sockets = [_listen(endpoint) for endpoint in endpoints]
        self._servers = [_Server(_config(endpoint.app)) for endpoint in endpoints]
        self._stop = asyncio.Event()
        self._forced = asyncio.Event()
        uvicorn_log = logging.getLogger("uvicorn.error")
        uvicorn_log.addFilter(_NotAnError())
        uvicorn_log.setLevel(logging.WARNING)

    @property
    def ports(self) -> list[int]:
        """The ports in use, in the order of the endpoints."""
        return [int(listener.getsockname()[1]) for listener in self._sockets]

    def stop(self) -> None:
        """Begin to end; called again, stop waiting for answers that still run."""
        if self._stop.is_set():
            self._forced.set()
        self._stop.set()

    def stop_on_signals(self) -> None:
        """SIGTERM and SIGINT mean `stop`."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    async def serve(self) -> None:
        """Until stopped and drained."""
        running = [
            asyncio.create_task(server.serve(sockets=[listener]))
            for server, listener in zip(self._servers, self._sockets, strict=True)
        ]
        _spare_the_collector()
        event(log, "listening", ports=self.ports)
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set():
                await self._drain()
        finally:
            stopping.cancel()
            for server in self._servers:
                server.should_exit = True
            await asyncio.gather(*running)

    async def _drain(self) -> None:
        """Not ready at once; new requests for a moment more; then only those that run, until the deadline."""
        settings, drain, pool = self._services.settings, self._services.drain, self._services.pool
        drain.draining = True
        event(log, "draining", in_flight=pool.in_flight)
        await self._unless_forced(asyncio.sleep(settings.drain_propagation_seconds), settings.drain_propagation_seconds)
        drain.closed = True
        await self._unless_forced(pool.idle(), settings.lingma_drain_seconds)
        event(log, "drained", in_flight=pool.in_flight)

    async def _unless_forced(self, awaited: Coroutine[Any, Any, None], longest_s: float) -> None:
        """Wait for `awaited`, but neither longer than `longest_s` nor beyond a second signal."""
        tasks = {asyncio.create_task(awaited), asyncio.create_task(self._forced.wait())}
        await asyncio.wait(tasks, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _spare_the_collector() -> None:
    """What is there at the start stays until the end: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


def _listen(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    return socket.create_server((endpoint.host, endpoint.port), family=family, backlog=_BACKLOG)


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_ABORT_TIMEOUT_S,
        timeout_keep_alive=75,
        ws="none",
    )
