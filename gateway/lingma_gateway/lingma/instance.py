"""One Lingma of the pool: found or started, connected, watched, connected again, for as long as the gateway runs."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingma_contract.health import InstanceHealth, State
from lingma_contract.jsonlog import event
from lingma_gateway.errors import NoReadyAccount, UpstreamError, UpstreamLost, UpstreamRefused
from lingma_gateway.lingma import infofile, login, models, states, updates
from lingma_gateway.lingma.backoff import Backoff
from lingma_gateway.lingma.connection import Connection, open_connection
from lingma_gateway.lingma.process import LingmaProcess
from lingma_gateway.lingma.states import Cause
from lingma_gateway.login import token
from lingma_gateway.login.authenticator import Authenticator, Progress
from lingma_gateway.sessions.restore import STATE_DIR
from lingma_gateway.sessions.source import SessionSource

log = logging.getLogger(__name__)

_INFO_POLL_S = 0.2
"""As the plugin polls `.info` each 0.5 s and the earlier gateway each 0.2 s."""
_LIVENESS_PINGS = 3
"""Unanswered pings after which Lingma counts as dead."""


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """Times in seconds."""

    name: str
    work_dir: Path
    rpc_timeout_s: float
    startup_timeout_s: float
    ping_interval_s: float
    max_in_flight: int
    first_backoff_s: float = 1.0
    longest_backoff_s: float = 30.0


class Instance:
    """`run` keeps it connected; the rest tells what it can do now."""

    def __init__(
        self,
        settings: InstanceSettings,
        source: SessionSource,
        process: LingmaProcess | None,
        changed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        authenticator: Authenticator | None = None,
    ) -> None:
        """Without an `authenticator` the session bundle is the only way to log in."""
        self.settings = settings
        self.name = settings.name
        self.in_flight = 0
        self.models: tuple[models.Model, ...] = ()
        self._source = source
        self._process = process
        self._authenticator = authenticator or Authenticator(settings.name, settings.work_dir, source)
        self._changed = changed
        self._clock = clock
        self._state = State.STOPPED
        self._login = login.NOT_CONNECTED
        self._connection: Connection | None = None
        self._recheck = asyncio.Event()
        self._restart_wanted = False
        self._unanswered_pings = 0
        self._unconnected_since: float | None = clock()

    @property
    def workspace(self) -> Path:
        """An empty folder for Lingma to call its workspace."""
        return self.settings.work_dir / STATE_DIR / "workspace"

    @property
    def ready(self) -> bool:
        """Connected and logged in. Not from the moment on in which the connection is lost, before `run` has noticed."""
        connected = self._connection is not None and not self._connection.lost
        return connected and self._state is State.READY and self._login.logged_in

    @property
    def health(self) -> InstanceHealth:
        """Its line in `/healthz`."""
        return InstanceHealth(
            name=self.name,
            state=self._state,
            in_flight=self.in_flight,
            ready=self.ready,
            logged_in=self._login.logged_in,
            reason=self._login.reason,
            message=self._login.message + self._authenticator.note(self._login),
        )

    @property
    def login_progress(self) -> Progress:
        """What is being done about the login."""
        return self._authenticator.progress

    @property
    def alive(self) -> bool:
        """False when Lingma should be restarted: mute, never up within the startup time, or holding a dead login."""
        if self._restart_wanted or self._unanswered_pings >= _LIVENESS_PINGS:
            return False
        since = self._unconnected_since
        return since is None or self._clock() - since < self.settings.startup_timeout_s

    def connection(self) -> Connection:
        """The connection for a turn.

        Raises:
            NoReadyAccount: not connected or not logged in.
        """
        if self._connection is None or not self.ready:
            raise NoReadyAccount(f"account {self.name} is not ready: {self._login.message}", retry_after_s=2)
        return self._connection

    def look_again(self) -> None:
        """Ask Lingma about its login now: a turn was refused for want of one."""
        self._recheck.set()

    async def run(self) -> None:
        """Stay connected until cancelled. Every failure is tried again; none is the end."""
        backoff = Backoff(self.settings.first_backoff_s, self.settings.longest_backoff_s)
        self._enter(Cause.RUN)
        try:
            while True:
                try:
                    self.workspace.mkdir(parents=True, exist_ok=True)
                    info = await self._locate()
                    await self._connected(info, backoff)
                except (UpstreamError, OSError) as error:
                    event(log, "lingma_unavailable", level=logging.WARNING, instance=self.name, reason=str(error)[:300])
                except Exception:
                    # A defect of ours must not end the account: it is tried again like any other failure.
                    log.exception("lingma_supervisor", extra={"fields": {"instance": self.name}})
                self._disconnected(Cause.EXHAUSTED if backoff.exhausted else Cause.MISSED)
                await self._wait_for_change(backoff.next())
        finally:
            self._disconnected(Cause.CLOSE)
            if self._process is not None:
                await self._process.stop()

    async def _locate(self) -> infofile.Info:
        """Where Lingma listens; starts it first in spawn mode."""
        if self._process is not None and self._process.pid is None:
            await asyncio.to_thread(self._source.restore)
            await self._process.start()
        deadline = self._clock() + self.settings.startup_timeout_s
        while (info := infofile.read(self.settings.work_dir)) is None:
            if self._process is not None and (self._process.pid is None or self._clock() > deadline):
                await self._process.stop()
                raise UpstreamError("Lingma ended, or wrote no .info in time, after its start")
            await asyncio.sleep(_INFO_POLL_S)
        return info

    async def _wait_for_change(self, longest_s: float) -> None:
        """Wait before the next try, but not longer than until `.info` is written anew."""
        before = self._readable_info()
        deadline = self._clock() + longest_s
        while (left_s := deadline - self._clock()) > 0:
            await asyncio.sleep(min(_INFO_POLL_S, left_s))
            now = self._readable_info()
            if now is not None and now != before:
                return

    def _readable_info(self) -> infofile.Info | None:
        """`.info` as far as it can be read now: the next try says why it cannot."""
        try:
            return infofile.read(self.settings.work_dir)
        except OSError:
            return None

    async def _connected(self, info: infofile.Info, backoff: Backoff) -> None:
        pid = None if self._process is None else os.getpid()
        async with open_connection(
            info.port, process_id=pid, rpc_timeout_s=self.settings.rpc_timeout_s, on_push=self._pushed
        ) as (connection, reader):
            self._restart_wanted = False
            self._unanswered_pings = 0
            self._unconnected_since = None
            try:
                await self._check_login(connection)
                self._connection = connection
                self._enter(Cause.CONNECTED)
                backoff.reset()
                while not reader.done():
                    await self._heartbeat(connection, reader)
            finally:
                await self._authenticator.stop()

    async def _heartbeat(self, connection: Connection, reader: "asyncio.Task[None]") -> None:
        """One interval: ping, then look at the login again if it is time or something was pushed."""
        recheck = asyncio.create_task(self._recheck.wait())
        try:
            await asyncio.wait(
                {reader, recheck}, timeout=self.settings.ping_interval_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            recheck.cancel()
        if reader.done():
            return
        self._recheck.clear()
        if await self._ping(connection):
            try:
                await self._check_login(connection)
            except UpstreamError as error:
                event(log, "lingma_login_unknown", level=logging.WARNING, instance=self.name, reason=str(error)[:200])

    async def _ping(self, connection: Connection) -> bool:
        """Whether Lingma answers; refusing is an answer too, since an older one may not know `ping`.

        Raises:
            UpstreamLost: it is mute. It is connected to anew, and a Lingma of ours is started anew.
        """
        try:
            await connection.request("ping", {}, min(self.settings.ping_interval_s, self.settings.rpc_timeout_s))
        except UpstreamRefused as error:
            event(log, "lingma_ping_refused", level=logging.DEBUG, instance=self.name, reason=str(error)[:200])
        except UpstreamError as error:
            self._unanswered_pings += 1
            event(log, "lingma_ping_failed", level=logging.WARNING, instance=self.name, reason=str(error)[:200])
            if self._unanswered_pings < _LIVENESS_PINGS:
                return False
            if self._process is not None:
                await self._process.stop()
            raise UpstreamLost(f"Lingma left {_LIVENESS_PINGS} pings unanswered") from error
        self._unanswered_pings = 0
        return True

    async def _check_login(self, connection: Connection) -> None:
        status = await connection.request("auth/status", {})
        found = login.interpret(status if isinstance(status, dict) else {})
        if found.logged_in:
            if not self.models or found != self._login:
                self.models = models.parse(await connection.request("config/queryModels", {}))
            self._set_login(found)
            if await self._authenticator.keep(connection, status):
                self._recheck.set()
            return
        step = await self._authenticator.advance(connection, found, self._recheck.set)
        if step.restart:
            self._restart_wanted = True
            if self._process is not None:
                await self._process.stop()
        self._set_login(step.login)

    def _pushed(self, method: str, params: dict[str, Any]) -> None:
        if method in (updates.REPORT, token.TOKEN_UPDATE):
            self._recheck.set()
        elif method in updates.TOOL_METHODS:
            event(log, "tool_unroutable", level=logging.WARNING, instance=self.name, method=method)

    def _disconnected(self, cause: Cause) -> None:
        self._connection = None
        if self._unconnected_since is None:
            self._unconnected_since = self._clock()
        self._login = login.NOT_CONNECTED
        self._enter(cause)

    def _enter(self, cause: Cause) -> None:
        state = states.after(self._state, cause)
        if state is not self._state:
            event(log, "lingma_state", instance=self.name, old_state=self._state.value, new_state=state.value)
            self._state = state
        self._changed()

    def _set_login(self, found: login.Login) -> None:
        if found != self._login:
            event(log, "lingma_login", instance=self.name, reason=found.reason.value, message=found.message)
            self._login = found
        self._changed()


@asynccontextmanager
async def running(instance: Instance) -> AsyncIterator[Instance]:
    """The instance with its supervisor; both end with the block."""
    task = asyncio.create_task(instance.run(), name=f"lingma-{instance.name}")
    try:
        yield instance
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
