"""A Lingma by script: what it answers is a table that a test fills."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve

from lingma_gateway.errors import UpstreamError, UpstreamRefused
from lingma_gateway.login.browser import Errand
from lingma_gateway.login.plan import LoggedIn, Outcome
from lingma_sim import frames, rpc

Answer = Callable[[dict[str, Any]], Any]


class ScriptedLingma:
    """Answers `auth/status` by its `status` and other methods by `answers`; keeps what it was asked."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {"status": 1}
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.failing: UpstreamError | None = None

    @property
    def methods(self) -> list[str]:
        """What it was asked, without the questions after its login."""
        return [method for method, _ in self.asked if method != "auth/status"]

    def log_in(self, **more: Any) -> None:
        self.status = {"status": 2, "whitelist": 3, **more}

    def answer(self, method: str, params: dict[str, Any]) -> Any:
        self.asked.append((method, params))
        if method == "auth/status":
            return self.status
        if method not in self.answers:
            raise UpstreamRefused(f"unknown method: {method}")
        return self.answers[method](params)

    async def request(self, method: str, params: dict[str, Any], timeout_s: float | None = None) -> Any:
        """As the gateway's connection does."""
        if self.failing is not None:
            raise self.failing
        return self.answer(method, params)

    @asynccontextmanager
    async def listening(self, work_dir: Path) -> AsyncIterator[None]:
        """The same over a WebSocket that `.info` of the work directory names."""
        self.answers |= {"initialize": lambda _: {}, "ping": lambda _: {}, "config/queryModels": lambda _: {"chat": []}}
        async with serve(self._serve, "127.0.0.1", 0) as server:
            _announce(work_dir, next(iter(server.sockets)).getsockname()[1])
            yield

    async def _serve(self, socket: ServerConnection) -> None:
        decoder = frames.FrameDecoder()
        async for data in socket:
            for frame in decoder.feed(data.encode() if isinstance(data, str) else data):
                assert isinstance(frame, frames.Frame)
                call = json.loads(frame.body)
                try:
                    reply = rpc.result(call["id"], self.answer(call["method"], call["params"]))
                except UpstreamRefused as error:
                    reply = rpc.error(call["id"], rpc.METHOD_NOT_FOUND, error.message)
                await socket.send(frames.encode(rpc.dump(reply)), text=True)


def _announce(work_dir: Path, port: int) -> None:
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / ".info").write_text(f"{port}\n1\n")


class ScriptedBrowser:
    """Gives `outcome`, after `hold` is set if there is one."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.outcome: Outcome = outcome or LoggedIn()
        self.errands: list[Errand] = []
        self.began = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self.broken: Exception | None = None

    async def log_in(self, errand: Errand) -> Outcome:
        self.errands.append(errand)
        self.began.set()
        if self.broken is not None:
            raise self.broken
        if self.hold is not None:
            await self.hold.wait()
        await errand.address()
        await errand.logged_in()
        return self.outcome


@asynccontextmanager
async def serving(app: web.Application, port: int = 0) -> AsyncIterator[int]:
    """The application on a port of loopback (0: a free one), as the container `login` serves it."""
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
