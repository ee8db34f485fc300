"""The simulated process: it listens, dispatches calls and holds the login, the sessions and the turns."""

import asyncio
import contextlib
import errno
import http
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from lingma_sim import methods, rpc
from lingma_sim.frames import MAX_BODY_BYTES, MAX_HEADER_BYTES, Refused
from lingma_sim.hub import Connection, Hub
from lingma_sim.journal import Journal
from lingma_sim.login import Account, LoginUnreadable, Status
from lingma_sim.rpc import Call, Malformed, Reply, RpcError
from lingma_sim.sessions import Sessions
from lingma_sim.turns import Ask, Turns, World
from lingma_sim.workdir import WorkDir

HOST = "127.0.0.1"
PORTS_TRIED = 100
"""How far an occupied port falls to the next one."""
UNSUPPORTED_DATA = 1003
"""WebSocket close code for a binary message."""

_Listening = TypeVar("_Listening")


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `start`."""

    work_dir: Path
    socket_port: int = 37010
    http_port: int = 37510
    endpoint: str = ""
    info_lines: int = 2
    """2: port and pid; 3: also the path of a pipe."""
    ack_timeout: float = 10.0
    """Seconds to wait for the reply to a push."""
    tool_timeout: float = 60.0
    """Seconds to wait for the reply to tool/invoke."""
    record: Path | None = None
    """File that takes every frame as a JSON line, masked."""


def exit_at_once() -> None:
    """What a crash is: no cleaning up."""
    os._exit(1)


class Simulator:
    """One simulated Lingma. `async with` runs it."""

    def __init__(self, options: Options, crash: Callable[[], None] = exit_at_once) -> None:
        self.options = options
        self.work_dir = WorkDir(options.work_dir)
        self.endpoint = options.endpoint
        self.account: Account | None = None
        self.machine_id = b""
        self.socket_port = 0
        self.http_port = 0
        self.journal = Journal(self.work_dir.log, options.record)
        self.sessions = Sessions()
        self.hub = Hub(self.journal)
        world = World(lambda: self.uid, self.logout, crash, options.ack_timeout, options.tool_timeout)
        self.turns = Turns(self.hub, self.journal, world)
        self._accepted = 0
        self._closing = contextlib.AsyncExitStack()

    @property
    def status(self) -> Status:
        """The login now."""
        return Status.NOT_LOGIN if self.account is None else self.account.status(time.time())

    @property
    def uid(self) -> str:
        """Who is logged in; empty when nobody is."""
        return self.account.uid if self.account is not None and self.status is Status.LOGIN else ""

    async def __aenter__(self) -> "Simulator":
        async with contextlib.AsyncExitStack() as closing:
            closing.callback(self.journal.close)
            self._read_login(closing)
            server, self.socket_port = await _next_free(self.options.socket_port, self._listen)
            closing.push_async_callback(_close_websockets, server)
            http_server, self.http_port = await _next_free(self.options.http_port, self._listen_http)
            closing.push_async_callback(http_server.wait_closed)
            closing.callback(http_server.close)
            closing.callback(self.turns.cancel_all)
            pipe = str(self.work_dir.path.absolute() / "lingma.sock")
            self.work_dir.write_info([str(self.socket_port), str(os.getpid()), pipe][: self.options.info_lines])
            self.journal.log(
                f"Communication servers ready - WebSocket: {self.socket_port}, HTTP: {self.http_port}, IPC: {pipe}"
            )
            self._closing = closing.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        # `.info` stays, as the real one's does: readers must cope with stale files.
        await self._closing.aclose()

    def _read_login(self, closing: contextlib.AsyncExitStack) -> None:
        """Read the login once: a login that is put there later counts from the next start on."""
        try:
            self.account = self.work_dir.account()
        except LoginUnreadable:
            self.journal.log("Unable to decrypt user info. Using machineKey: ****")
            self.work_dir.forget_user()
            self.journal.log("Deleted user info file.")
        self.machine_id = self.work_dir.machine_id()
        if self.status is Status.LOGIN and self.account is not None:
            # A moment later, so that the clock is past the expiry when the timer fires.
            left = self.account.expire_time / 1000 - time.time() + 0.01
            timer = asyncio.get_running_loop().call_later(left, self._report_login)
            closing.callback(timer.cancel)

    def _report_login(self) -> None:
        self.push_soon("auth/report", methods.auth_state(self))

    def logout(self) -> None:
        """Forget the account, here and on disk, and tell every connection if that changes anything."""
        if self.account is None:
            return
        self.account = None
        self.work_dir.forget_user()
        self._report_login()

    def begin(self, ask: Ask) -> None:
        """Begin a turn."""
        session = self.sessions.open(ask.session_id, is_reply=ask.is_reply, now_ms=methods.now_ms())
        self.turns.start(ask, session)

    def push_soon(self, method: str, params: Mapping[str, Any]) -> None:
        """Push outside any turn."""

        async def push() -> None:
            await self.hub.call(method, params, self.options.ack_timeout)

        if self.hub.connections:
            self.turns.spawn(push())

    # --- the WebSocket

    async def _listen(self, port: int) -> tuple[Server, int]:
        server = await serve(
            self._serve,
            HOST,
            port,
            process_request=_only_root,
            compression=None,
            ping_interval=None,
            max_size=MAX_BODY_BYTES + MAX_HEADER_BYTES,
            # SIGTERM must not wait for a client that does not answer the closing handshake.
            close_timeout=1,
        )
        return server, server.sockets[0].getsockname()[1]

    async def _serve(self, websocket: ServerConnection) -> None:
        self._accepted += 1
        connection = Connection(self._accepted, websocket, self.journal)
        self.hub.connections.add(connection)
        try:
            async for message in websocket:
                if isinstance(message, bytes):
                    self.journal.log("binary message refused")
                    await websocket.close(UNSUPPORTED_DATA, "text messages only")
                    return
                self._receive(connection, message.encode())
        except ConnectionClosed:
            self.journal.log(f"connection {connection.number} lost")
        finally:
            self.hub.connections.discard(connection)
            if not self.hub.connections:
                self.turns.cancel_all()

    def _receive(self, connection: Connection, data: bytes) -> None:
        for item in connection.decoder.feed(data):
            if isinstance(item, Refused):
                self.journal.log(item.reason)
                continue
            match rpc.parse(item.body):
                case Malformed() as malformed:
                    self.journal.log(f"malformed message: {malformed.message}")
                    connection.send(rpc.error(malformed.id, malformed.code, malformed.message))
                case Reply() as reply:
                    self.journal.frame("in", connection.number, _as_message(reply))
                    if not connection.settle(reply):
                        self.journal.log(f"reply to an unknown id on connection {connection.number}")
                case Call() as call:
                    self.journal.frame("in", connection.number, _as_message(call))
                    self._dispatch(connection, call)

    def _dispatch(self, connection: Connection, call: Call) -> None:
        try:
            value = self._invoke(connection, call)
        except RpcError as refused:
            self.journal.log(refused.message)
            if call.id is not None:
                connection.send(rpc.error(call.id, refused.code, refused.message))
            return
        if call.id is not None:
            # Sent before any push that the method caused: those wait for the loop.
            connection.send(rpc.result(call.id, value))

    def _invoke(self, connection: Connection, call: Call) -> Any:
        method = methods.METHODS.get(call.method)
        if method is None:
            raise RpcError(rpc.METHOD_NOT_FOUND, f"unknown method: {call.method}")
        if not connection.initialized and call.method != "initialize":
            raise RpcError(rpc.NOT_INITIALIZED, "server not initialized")
        if call.params is None:
            raise RpcError(rpc.INVALID_PARAMS, rpc.PARAMS_NOT_AN_OBJECT)
        if call.method == methods.ASK and call.id is None:
            return methods.ask_without_reply(self, call.params)
        value = method(self, call.params)
        if call.method == "initialize":
            connection.initialized = True
        return value

    # --- HTTP

    async def _listen_http(self, port: int) -> tuple[asyncio.Server, int]:
        server = await asyncio.start_server(_answer_http, HOST, port, limit=MAX_HEADER_BYTES)
        return server, server.sockets[0].getsockname()[1]


async def _next_free(wanted: int, listen: Callable[[int], Awaitable[tuple[_Listening, int]]]) -> tuple[_Listening, int]:
    """Listen on the wanted port or the next free one above it; 0 lets the kernel choose.

    Raises:
        OSError: none of the ports tried is free.
    """
    last = min(wanted + PORTS_TRIED, 65535)
    for port in range(wanted, last):
        try:
            return await listen(port)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise
    return await listen(last)


async def _close_websockets(server: Server) -> None:
    server.close()
    await server.wait_closed()


def _only_root(connection: ServerConnection, request: Request) -> Response | None:
    if request.path.partition("?")[0] == "/":
        return None
    return connection.respond(http.HTTPStatus.NOT_FOUND, "not found\n")


async def _answer_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One answer a connection: enough for a probe; the login callback comes with issue 4."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        words = head.split(b"\r\n", 1)[0].split(b" ")
        status, body = (
            ("200 OK", "lingma simulator\n") if words[:2] == [b"GET", b"/"] else ("404 Not Found", "not found\n")
        )
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}".encode()
        )
        await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError):
        writer.transport.abort()
    finally:
        writer.close()


def _as_message(item: Call | Reply) -> dict[str, Any]:
    if isinstance(item, Call):
        return {"id": item.id, "method": item.method, "params": item.params}
    return {"id": item.id, "result": item.result, "error": item.error}
