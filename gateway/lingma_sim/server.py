"""The simulated process: it starts, listens, holds the login, the sessions and the turns, and ends."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from websockets.asyncio.server import Server, serve

from lingma_sim import control, loginsite, methods, methods_auth, parent, ports, web
from lingma_sim.accountstate import AccountState
from lingma_sim.dispatch import Dispatcher
from lingma_sim.faults import Faults
from lingma_sim.frames import MAX_BODY_BYTES, MAX_HEADER_BYTES
from lingma_sim.hub import Hub
from lingma_sim.journal import Journal
from lingma_sim.kept import KeptFrames
from lingma_sim.options import Options
from lingma_sim.performance import World, now_ms
from lingma_sim.sessions import Session, Sessions
from lingma_sim.store import Store
from lingma_sim.tickets import Tickets
from lingma_sim.turn import Ask, Plan
from lingma_sim.turns import Turns
from lingma_sim.web import Request, Response
from lingma_sim.workdir import WorkDir


def exit_at_once() -> None:
    """What a crash is: no cleaning up."""
    os._exit(1)


class Simulator:
    """One simulated Lingma. `async with` runs it."""

    def __init__(self, options: Options, crash: Callable[[], None] = exit_at_once) -> None:
        self.options = options
        self.crash = crash
        self.work_dir = WorkDir(options.work_dir)
        self.endpoint = options.endpoint
        self.accounts = options.accounts
        self.global_config = dict(methods.GLOBAL_CONFIG)
        self.socket_port = 0
        self.http_port = 0
        self.login_port = 0
        self.control_port = 0
        self.asked = 0
        """How many turns a capture has told."""
        self.ended = asyncio.Event()
        """Set when the process should end by itself."""
        self.frames = KeptFrames()
        keep = None if options.control_port is None else self.frames.keep
        self.journal = Journal(self.work_dir.log, options.record, keep=keep)
        self.faults = Faults([*options.report.faults, *options.faults])
        self.tickets = Tickets()
        self.login = AccountState(self.work_dir, self.journal, self.faults, self.report_login)
        self.store = Store(self.work_dir.database)
        self.sessions = Sessions()
        self.hub = Hub(self.journal)
        self.turns = Turns(self.hub, self.journal, self._world())
        self.dispatcher = Dispatcher(self)
        self._watched: set[int] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._closing = contextlib.AsyncExitStack()

    def _read(self, name: str) -> str:
        """As a tool sees a file of the work directory: the session's files are beside it."""
        folder = self.options.work_dir.resolve()
        path = (folder / name).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            return f"no such file: {name}"
        return path.read_text(encoding="utf-8", errors="replace")

    def _world(self) -> World:
        return World(
            faults=self.faults,
            uid=lambda: self.login.uid,
            logout=self.login.logout,
            crash=self.crash,
            read=self._read,
            remember=self._remember,
            rename=self._rename,
            ack_timeout=self.ack_timeout,
            tool_timeout=self.options.tool_timeout,
            first_delay=self.options.report.first_token_seconds,
            chunk_delay=self.options.report.chunk_seconds,
        )

    # --- start and end

    async def __aenter__(self) -> "Simulator":
        try:
            await self._start()
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        # `.info` stays, as the real one's does: readers must cope with stale files.
        await self._closing.aclose()

    async def _start(self) -> None:
        self._closing.callback(self.journal.close)
        self._closing.callback(self.store.close)
        self._closing.callback(self.login.close)
        if self.options.control_port is not None:
            self.control_port = await self._serve_http(ports.bind(self.options.control_port), control.serve)
            self.work_dir.write_control_port(self.control_port)
            self.journal.log(f"control port: {self.control_port}")
        crashes = self.faults.peek("crash-start")
        if crashes is not None and self.work_dir.count_start() <= int(crashes):
            self.journal.log("panic: simulated crash at start")
            self.crash()
        self.login.read()
        self.sessions = self.store.load()
        bound = ports.bind_next_free(
            self._wanted(self.options.socket_port), listening=self.faults.peek("slow-socket") is None
        )
        self._closing.callback(bound.close)
        self.socket_port = bound.getsockname()[1]
        http = ports.bind_next_free(self._wanted(self.options.http_port))
        self.http_port = self.login_port = await self._serve_http(http, loginsite.serve_lingma)
        if self.options.login_port is not None:
            self.login_port = await self._serve_http(ports.bind(self.options.login_port), loginsite.serve_site)
        self._closing.push_async_callback(self._end_tasks)
        self._plan_mishaps()
        if self.faults.peek("slow-info") is None and self.faults.peek("slow-socket") is None:
            await self._open(bound)
        else:
            self.background(self._open(bound))

    def _wanted(self, port: int) -> int:
        """The port to try first: a fault makes as many seem occupied."""
        return port + int(self.faults.peek("occupied-ports") or 0) if port else 0

    async def _serve_http(
        self, bound: socket.socket, handler: Callable[["Simulator", Request], Awaitable[Response]]
    ) -> int:
        port: int = bound.getsockname()[1]
        try:
            server = await web.listen(partial(handler, self), bound)
        except BaseException:
            bound.close()
            raise
        self._closing.push_async_callback(server.wait_closed)
        self._closing.callback(server.close)
        return port

    async def _open(self, bound: socket.socket) -> None:
        """Tell the ports and open the WebSocket: at once, unless a fault says otherwise."""
        await asyncio.sleep(self.faults.seconds("slow-info"))
        pipe = str(self.work_dir.path.absolute() / "lingma.sock")
        slow_socket = self.faults.peek("slow-socket") is not None
        if not slow_socket:
            await self._listen(bound)
        if self.options.info_json:
            self.work_dir.write_info_json(self.socket_port, pipe)
        else:
            self.work_dir.write_info([str(self.socket_port), str(os.getpid()), pipe][: self.options.info_lines])
        if slow_socket:
            await asyncio.sleep(self.faults.seconds("slow-socket"))
            await self._listen(bound)
        self.journal.log(
            f"Communication servers ready - WebSocket: {self.socket_port}, HTTP: {self.http_port}, IPC: {pipe}"
        )

    async def _listen(self, bound: socket.socket) -> None:
        server = await serve(
            self.dispatcher.serve,
            sock=bound,
            process_request=self.dispatcher.admit,
            compression=None,
            ping_interval=None,
            max_size=MAX_BODY_BYTES + MAX_HEADER_BYTES,
            # SIGTERM must not wait for a client that does not answer the closing handshake.
            close_timeout=1,
        )
        self._closing.push_async_callback(_close_websockets, server)

    def _plan_mishaps(self) -> None:
        loop = asyncio.get_running_loop()
        mishaps: list[tuple[str, Callable[[], None]]] = [
            ("crash-after", self.crash),
            ("user-vanishes", self.login.vanish),
        ]
        for name, mishap in mishaps:
            if self.faults.peek(name) is not None:
                self._closing.callback(loop.call_later(self.faults.seconds(name), mishap).cancel)

    async def _end_tasks(self) -> None:
        self.frames.close()
        self.turns.cancel_all()
        for task in self._background:
            task.cancel()
        # Awaited, since they write to what is closed next.
        await asyncio.gather(*self.turns.tasks(), *self._background, return_exceptions=True)

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until it ends or the process does."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def watch(self, pid: int) -> None:
        """End when this process does."""

        async def wait() -> None:
            await parent.until_gone(pid, self.options.parent_poll)
            self.journal.log(f"process {pid} is gone, exiting")
            self.ended.set()

        if pid not in self._watched:
            self._watched.add(pid)
            self.background(wait())

    # --- the login

    def report_login(self) -> None:
        """Tell every connection who is logged in."""
        self.push_soon("auth/report", methods_auth.auth_state(self))

    def log_in(self, uid: str, organization_id: str = "") -> None:
        """Log `uid` in and tell every connection."""
        self.login.log_in(uid, organization_id)

    def rotate(self, *, keep_refresh_token: bool = False) -> None:
        """New tokens, of which every connection is told."""
        self.login.rotate(keep_refresh_token=keep_refresh_token)
        account = self.login.account
        if account is not None:
            # Its fields are assumed to be those of auth/refreshToken.
            told = {
                "securityOauthToken": account.security_oauth_token,
                "refreshToken": account.refresh_token,
                "tokenExpireTime": account.expire_time,
            }
            self.push_soon("auth/syncTokenUpdate", told)

    # --- turns

    def ack_timeout(self) -> float:
        """Seconds to wait for the reply to a push."""
        fault = self.faults.take("ack-timeout")
        return self.options.ack_timeout if fault is None else float(fault)

    def begin(self, ask: Ask, plan: Plan) -> tuple[Session, asyncio.Task[None]]:
        """Begin a turn."""
        session = self.sessions.open(ask.session_id, is_reply=ask.is_reply, now_ms=now_ms())
        task = self.turns.start(ask, session, plan)
        self.store.save(session)
        return session, task

    def _remember(self, session: Session) -> None:
        if self.sessions.get(session.session_id) is session:  # it may have been deleted meanwhile
            self.store.save(session)

    def _rename(self, session: Session) -> None:
        self.store.delete(self.sessions.rename(session))
        self.store.save(session)

    def push_soon(self, method: str, params: Mapping[str, Any]) -> None:
        """Push outside any turn."""

        async def push() -> None:
            await self.hub.call(method, params, self.ack_timeout())

        if self.hub.connections:
            self.turns.spawn(push())


async def _close_websockets(server: Server) -> None:
    server.close()
    await server.wait_closed()
