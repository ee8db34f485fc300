"""The router, put together: what it holds, what it listens on, how long it runs."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from lingma_contract import errors, jsonlog, requestid
from lingma_router.admin import Admin
from lingma_router.cluster import Access, Cluster
from lingma_router.directory import Directory
from lingma_router.drain import Stop, drain
from lingma_router.keys import KeyRing
from lingma_router.loads import Loads
from lingma_router.proxy import Proxy
from lingma_router.refusal import Refusal
from lingma_router.settings import Settings
from lingma_router.telemetry import Telemetry
from lingma_router.upstream import Upstream
from lingma_router.watching import Backoff, Watchers

_log = logging.getLogger(__name__)

_BACKLOG = 1024
"""Connections that wait to be accepted: a team's clients all come back at once after a rollout."""
_DEAD_AFTER_S = 30
"""Seconds."""
_SERVER_ERROR = 500
_MAX_HEADER_BYTES = 64 * 1024
"""Of one header: Codex puts a JSON document into one."""


@dataclass(slots=True)
class Router:
    """A router that listens."""

    settings: Settings
    directory: Directory
    keys: KeyRing
    loads: Loads
    proxy: Proxy
    watchers: Watchers
    client_port: int
    admin_port: int
    listener: web.BaseSite
    background: "asyncio.Task[None]"
    """Ends only by a failure."""
    stop: Stop = field(default_factory=Stop)
    _deaf: bool = False

    async def run(self) -> None:
        """Until `stop` is asked for; then drain.

        Raises:
            Exception: what ended the background work; the process should end too, to be started anew.
        """
        asked = asyncio.create_task(self.stop.asked.wait())
        try:
            await asyncio.wait([asked, self.background], return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if self.background.done():
            self.background.result()
        await drain(
            self.proxy,
            self.stop,
            propagation_s=self.settings.propagation_s,
            drain_s=self.settings.drain_s,
            close_listener=self._close_listener,
        )

    async def _close_listener(self) -> None:
        if not self._deaf:
            self._deaf = True
            await self.listener.stop()


@asynccontextmanager
async def serving(
    settings: Settings, access: Access, backoff: Callable[[], Backoff] = Backoff
) -> AsyncIterator[Router]:
    """A router that listens, until the block is left. It is ready when its watches are synced."""
    directory = Directory(settings.upstream_port)
    keys = KeyRing(settings.api_keys_dir, settings.master_dir)
    keys.refresh()
    loads = Loads()
    telemetry = Telemetry(directory, loads)
    cluster = Cluster(access, watch_timeout_s=settings.watch_timeout_s, watch_silence_s=settings.watch_silence_s)
    async with cluster, Upstream(settings) as upstream:
        proxy = Proxy(settings, directory, keys, upstream, loads, telemetry)
        watchers = Watchers(cluster, directory, settings.namespaces, backoff)
        admin = Admin(directory, keys, loads, proxy, telemetry, watchers)
        clients = web.ServerRunner(_server(proxy), shutdown_timeout=1)
        probes = web.AppRunner(admin.application(), access_log=None, shutdown_timeout=1)
        background = asyncio.create_task(_background(watchers, keys, settings))
        try:
            # Probes first: a client port that is taken should be told by a log line, not by a missing liveness.
            admin_port, _ = await _listen(probes, settings.host, settings.admin_port)
            client_port, listener = await _listen(clients, settings.host, settings.client_port)
            jsonlog.event(_log, "listening", clients=client_port, admin=admin_port, namespaces=settings.namespaces)
            yield Router(
                settings, directory, keys, loads, proxy, watchers, client_port, admin_port, listener, background
            )
        finally:
            background.cancel()
            await asyncio.gather(background, return_exceptions=True)
            await clients.cleanup()
            await probes.cleanup()


class _Connection(web.RequestHandler):
    """What is no HTTP at all is refused in a form too: OpenAI's, for no path says whose the caller reads."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)  # logs it, and raises where an answer has begun
        malformed = Refusal(errors.INVALID_REQUEST, "this is no valid HTTP request")
        refusal = malformed if status < _SERVER_ERROR else Refusal(errors.INTERNAL, "the router failed")
        response = refusal.response(errors.Dialect.OPENAI, requestid.accept(None))
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


def _server(proxy: Proxy) -> web.Server:
    return _Server(
        proxy.handle,
        handler_cancellation=True,
        access_log=None,
        auto_decompress=False,
        max_line_size=_MAX_HEADER_BYTES,
        max_field_size=_MAX_HEADER_BYTES,
    )


async def _listen(runner: web.BaseRunner, host: str, port: int) -> tuple[int, web.BaseSite]:
    await runner.setup()
    site = web.SockSite(runner, _socket(host, port), backlog=_BACKLOG)
    await site.start()
    return int(runner.addresses[0][1]), site


def _socket(host: str, port: int) -> socket.socket:
    """A listening socket whose connections notice, within `_DEAD_AFTER_S`, that the client's machine is gone: without
    a reset from it, a stream would hold its slot for the quarter of an hour that TCP retransmits."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_AFTER_S * 1000)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _DEAD_AFTER_S // 2)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    return made


async def _background(watchers: Watchers, keys: KeyRing, settings: Settings) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(watchers.run())
        group.create_task(keys.watch(settings.keys_poll_s))
