"""One Lingma of the pool: found or started, connected, watched, connected again, for as long as the gateway runs."""

import asyncio
import contextlib
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
from lingma_gateway.errors import NoReadyAccount, UpstreamError, UpstreamLost, UpstreamRefused, UpstreamTimeout
from lingma_gateway.lingma import images, infofile, login, models, states, updates
from lingma_gateway.lingma.backoff import Backoff
from lingma_gateway.lingma.connection import Connection, open_connection
from lingma_gateway.lingma.images import Uploads
from lingma_gateway.lingma.process import LingmaProcess
from lingma_gateway.lingma.states import Cause
from lingma_gateway.login import token
from lingma_gateway.login.authenticator import Authenticator, Progress
from lingma_gateway.sessions.captured import STATE_DIR
from lingma_gateway.sessions.source import SessionSource

log = logging.getLogger(__name__)

_INFO_POLL_S = 0.2
"""As the plugin polls `.info` each 0.5 s and the earlier gateway each 0.2 s."""
_LIVENESS_PINGS = 3
"""Unanswered pings after which Lingma counts as dead."""
_STABLE_S = 10.0
"""A Lingma of ours that ends sooner, without a single finished turn, is in a crash loop: the waits go on growing."""
_MODELS_MAX_AGE_S = 300.0
_RECHECK_S = 1.0


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """Times in seconds."""

    name: str
    work_dir: Path
    rpc_timeout_s: float
    startup_timeout_s: float
    ping_interval_s: float
    max_in_flight: int


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
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        """Without an `authenticator` the session bundle is the only way to log in."""
        self.settings = settings
        self.name = settings.name
        self.in_flight = 0
        self.models: tuple[models.Model, ...] = ()
        self._models_at: float | None = None
        self._source = source
        self._process = process
        self._authenticator = authenticator or Authenticator(settings.name, settings.work_dir, source)
        self._changed = changed
        self._clock = clock
        self._backoff = backoff
        self._state = State.STOPPED
        self._login = login.NOT_CONNECTED
        self._connection: Connection | None = None
        self._recheck = asyncio.Event()
        self._looked = asyncio.Event()
        self._port: int | None = None
        self._restart_wanted = False
        self._unanswered_pings = 0
        self._unconnected_since: float | None = clock()
        self.uploads = Uploads(settings.work_dir / STATE_DIR / "images")
        self._logged_in_as: Any = None
        self.epoch = 0
        """Of the sessions that this Lingma holds: a new connection or another login ends all that were before it."""

    @property
    def workspace(self) -> Path:
        """An empty folder for Lingma to call its workspace."""
        return self.settings.work_dir / STATE_DIR / "workspace"

    @property
    def ready(self) -> bool:
        """Connected, not mute, and logged in: not any more as soon as the connection is lost, before `run` noticed."""
        connected = self._connection is not None and not self._connection.lost
        return connected and self._state is State.READY and self._login.logged_in and not self._mute

    @property
    def _mute(self) -> bool:
        return self._unanswered_pings >= _LIVENESS_PINGS

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
            captured=self._authenticator.captured,
        )

    @property
    def login_progress(self) -> Progress:
        """What is being done about the login."""
        return self._authenticator.progress

    @property
    def alive(self) -> bool:
        """False when Lingma should be restarted: mute, never up within the startup time, or holding a dead login."""
        if self._restart_wanted or self._mute:
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

    @property
    def port(self) -> int | None:
        """Where Lingma listens on loopback; None while there is no connection."""
        return self._port if self._connection is not None else None

    def connected(self) -> Connection:
        """The connection, whoever is logged in or not.

        Raises:
            UpstreamLost: there is none.
        """
        if self._connection is None:
            raise UpstreamLost(f"account {self.name} is not connected to Lingma")
        return self._connection

    async def look_again(self, longest_s: float) -> None:
        """Look at the login now, and log in if it is time to; returns when that was done, or after `longest_s`."""
        looked = self._looked
        self._recheck.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await looked.wait()

    def suspect_login(self) -> None:
        """Look at the login soon: a turn was refused for want of one."""
        self._recheck.set()

    async def run(self) -> None:
        """Stay connected until cancelled. Every failure is tried again; none is the end."""
        backoff = self._backoff()
        self.uploads.clear()
        self._enter(Cause.RUN)
        try:
            while True:
                try:
                    self.workspace.mkdir(parents=True, exist_ok=True)
                    info = await self._locate()
                    await self._connected(info, backoff)
                    why = "the connection was lost"
                except (UpstreamError, OSError) as error:
                    why = error.message if isinstance(error, UpstreamError) else f"{error.strerror}"
                    event(log, "lingma_unavailable", level=logging.WARNING, instance=self.name, reason=str(error)[:300])
                except Exception:
                    # A defect of ours must not end the account: it is tried again like any other failure.
                    log.exception("lingma_supervisor", extra={"fields": {"instance": self.name}})
                    why = "the gateway failed: see its log"
                self._disconnected(Cause.EXHAUSTED if backoff.exhausted else Cause.MISSED, why)
                await self._end_if_dead()
                await self._wait_for_change(backoff.next())
        finally:
            self._disconnected(Cause.CLOSE)
            if self._process is not None:
                await self._process.stop()

    async def _locate(self) -> infofile.Info:
        """Where Lingma listens; starts it first in spawn mode."""
        if self._process is not None:
            return await self._located(self._process)
        while True:
            info = infofile.read(self.settings.work_dir)
            if info is not None:
                return info
            await asyncio.sleep(_INFO_POLL_S)

    async def _located(self, process: LingmaProcess) -> infofile.Info:
        """Where the Lingma of ours listens, or one that has its port already."""
        if await process.running_elsewhere():
            event(log, "lingma_attached", instance=self.name, port=process.fixed_port)
            return infofile.Info(process.fixed_port, None, (0, 0))
        if process.pid is None:
            await asyncio.to_thread(self._source.restore)
            self._unconnected_since = self._clock()
            self._restart_wanted = False
            self._unanswered_pings = 0
            try:
                await process.start()
            except OSError as error:
                raise UpstreamError(f"Lingma cannot be started (LINGMA_BIN): {error.strerror}") from error
        while (info := process.info()) is None:
            if process.pid is None:
                await process.stop()
                raise UpstreamError(f"Lingma {process.how_it_ended} before it said where it listens")
            if not self.alive:
                raise UpstreamError("Lingma did not say where it listens within LINGMA_STARTUP_TIMEOUT")
            await asyncio.sleep(_INFO_POLL_S)
        return info

    async def _end_if_dead(self) -> None:
        """In spawn mode nobody else would restart a Lingma that is mute or never came up."""
        if self._process is not None and self._process.pid is not None and not self.alive:
            event(log, "lingma_given_up", level=logging.WARNING, instance=self.name, pid=self._process.pid)
            await self._process.stop()

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
        # Lingma ends when this process does; one that is not ours must not.
        pid = os.getpid() if self._process is not None and self._process.pid is not None else None
        async with open_connection(
            info.port, process_id=pid, rpc_timeout_s=self.settings.rpc_timeout_s, on_push=self._pushed
        ) as (connection, lost):
            self._restart_wanted = False
            self._unanswered_pings = 0
            self._unconnected_since = None
            self.epoch += 1
            try:
                await self._check_login(connection)
                self._connection, self._port = connection, info.port
                self._enter(Cause.CONNECTED)
                if self._process is None:
                    backoff.reset()
                ready_at = self._clock()
                while not lost.done():
                    await self._heartbeat(connection, lost)
                    if self._mute and self._process is not None:
                        raise UpstreamTimeout("Lingma does not answer")
                if connection.finished_turns or self._clock() - ready_at >= _STABLE_S:
                    backoff.reset()
            finally:
                await self._authenticator.stop()

    async def _heartbeat(self, connection: Connection, lost: "asyncio.Future[None]") -> None:
        """One interval: ping, then look at the login again if it is time or something was pushed."""
        recheck = asyncio.create_task(self._recheck.wait())
        try:
            watched: set[asyncio.Future[Any]] = {lost, recheck}
            await asyncio.wait(watched, timeout=self.settings.ping_interval_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            recheck.cancel()
        if lost.done():
            return
        self._recheck.clear()
        if await self._ping(connection):
            try:
                await self._check_login(connection)
            except UpstreamError as error:
                event(log, "lingma_login_unknown", level=logging.WARNING, instance=self.name, reason=str(error)[:200])
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    async def _ping(self, connection: Connection) -> bool:
        """Whether Lingma answers; refusing is an answer too, since an older one may not know `ping`."""
        try:
            await connection.request("ping", {}, min(self.settings.ping_interval_s, self.settings.rpc_timeout_s))
        except UpstreamRefused as error:
            event(log, "lingma_ping_refused", level=logging.DEBUG, instance=self.name, reason=str(error)[:200])
        except UpstreamError as error:
            self._unanswered_pings += 1
            self._changed()
            event(log, "lingma_ping_failed", level=logging.WARNING, instance=self.name, reason=str(error)[:200])
            return False
        self._unanswered_pings = 0
        return True

    async def _check_login(self, connection: Connection) -> None:
        status = await connection.request("auth/status", {})
        found = login.interpret(status if isinstance(status, dict) else {})
        if found.logged_in:
            if status.get("id") != self._logged_in_as:
                self._logged_in_as = status.get("id")
                self.epoch += 1
            if not await self._know_models(connection, found):
                self._set_login(login.NO_MODELS)
                asyncio.get_running_loop().call_later(_RECHECK_S, self._recheck.set)
                return
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

    async def _know_models(self, connection: Connection, found: login.Login) -> bool:
        """Have the list of models; False when Lingma answers as one that is logged out."""
        at = self._models_at
        if self.models and found == self._login and at is not None and self._clock() - at < _MODELS_MAX_AGE_S:
            return True
        listed = await connection.request("config/queryModels", {})
        if models.says_logged_out(listed):
            return False
        self.models, self._models_at = models.parse(listed), self._clock()
        return True

    def _pushed(self, method: str, params: dict[str, Any]) -> None:
        if method in (updates.REPORT, token.TOKEN_UPDATE):
            self._recheck.set()
        elif method == images.UPLOADED:
            self.uploads.told(params)
        elif method in updates.MODELS_CHANGED:
            self._models_at = None
            self._recheck.set()
        elif method in updates.TOOL_METHODS:
            event(log, "tool_unroutable", level=logging.WARNING, instance=self.name, method=method)

    def _disconnected(self, cause: Cause, why: str | None = None) -> None:
        self._connection = None
        if self._unconnected_since is None:
            self._unconnected_since = self._clock()
        self._login = login.not_connected(why)
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
