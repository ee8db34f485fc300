"""One gateway in this process and one simulator beside it, whose control port switches faults; and what may leak."""

import asyncio
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from lingma_gateway.api.app import client_app
from lingma_gateway.lingma.backoff import Backoff
from lingma_gateway.lingma.instance import Instance, InstanceSettings
from lingma_gateway.lingma.process import LingmaProcess
from lingma_gateway.pool import Pool
from lingma_gateway.runtime import make_pool, running_services, standalone_identity
from lingma_gateway.server import Endpoint, Servers
from lingma_gateway.services import Services
from lingma_gateway.sessions.source import SessionSource
from lingma_gateway.settings import Settings

ACCOUNT = "alice"
KEY = "sk-matrix"
PATIENCE_S = 15.0
"""Longest wait for any one thing."""
SILENCE_S = 0.8
"""First-event and idle time-out of the gateway."""

QUICK: dict[str, Any] = {"trust_env": False, "verify": False}
"""Nothing is encrypted, and loading certificates takes longer than a turn."""

BACKOFF_S = (0.05, 0.2)


@dataclass(frozen=True, slots=True)
class Weight:
    """What a turn may not leave behind."""

    tasks: Counter[str]
    files: Counter[str]
    threads: int
    children: int

    @classmethod
    def now(cls) -> "Weight":
        """What there is at this moment."""
        tasks = Counter(_name(task) for task in asyncio.all_tasks() if task is not asyncio.current_task())
        return cls(tasks, Counter(_open_files()), _threads(), len(_children()))

    def excess(self, limit: "Weight") -> str:
        """What there is more of than in `limit`; empty when nothing is."""
        found = {
            "tasks": self.tasks - limit.tasks,
            "files": self.files - limit.files,
            "threads": max(0, self.threads - limit.threads),
            "children": max(0, self.children - limit.children),
        }
        return ", ".join(f"{name}: {more}" for name, more in found.items() if more)


def _name(task: "asyncio.Task[Any]") -> str:
    return getattr(task.get_coro(), "__qualname__", task.get_name())


def _open_files() -> list[str]:
    """Open files, sockets and pipes by kind: their numbers differ from turn to turn."""
    found = []
    for entry in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{entry}").partition("[")[0])
        except FileNotFoundError:
            continue  # closed since it was listed
    return found


def _threads() -> int:
    """Without those of the loop's executor, which are kept for reuse."""
    return sum(1 for thread in threading.enumerate() if not thread.name.startswith("asyncio_"))


def _children() -> list[int]:
    pids: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        try:
            pids += [int(pid) for pid in (task / "children").read_text().split()]
        except FileNotFoundError:
            continue  # the thread has ended
    return pids


@dataclass
class Bench:
    """The gateway and its simulator."""

    url: str
    work_dir: Path
    services: Services
    environment: dict[str, str]
    """Of the simulator's next start."""
    changed: asyncio.Event
    servers: Servers
    serving: "asyncio.Task[None]"

    @property
    def pool(self) -> Pool:
        return self.services.pool

    @property
    def instance(self) -> Instance:
        return self.pool.instances[0]

    async def end(self) -> None:
        """End the server as SIGTERM does, and wait for it."""
        self.servers.stop()
        await self.serving

    @property
    def kept(self) -> set[str]:
        """Sessions upstream that the gateway keeps for the next turn of their conversation."""
        return self.services.sessions.session_ids if self.services.sessions is not None else set()

    def client(self) -> httpx.AsyncClient:
        """A client of the gateway, with a connection of its own."""
        return httpx.AsyncClient(
            base_url=self.url, headers={"authorization": f"Bearer {KEY}"}, timeout=PATIENCE_S, **QUICK
        )

    def at_start(self, faults: str) -> None:
        """Faults of the simulator's next starts: those cannot come over the control port."""
        self.environment["LINGMA_SIM_FAULTS"] = faults

    async def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the simulator's control port."""
        port = int((self.work_dir / ".sim-control").read_text())
        async with httpx.AsyncClient(timeout=PATIENCE_S, **QUICK) as client:
            response = await client.request(method, f"http://127.0.0.1:{port}{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    async def switch(self, *faults: str) -> None:
        """These faults and no others."""
        await self.control("POST", "/faults", {"clear": "all", "set": list(faults)})

    async def forget_frames(self) -> None:
        """Look only at frames from now on."""
        await self.control("DELETE", "/frames")

    async def received(self, method: str, **more: str) -> list[dict[str, Any]]:
        """Frames of this method that the simulator received; when there is none yet, those that come next."""
        query = "&".join(f"{name}={value}" for name, value in more.items())
        path = f"/frames?direction=in&method={method}&wait={PATIENCE_S - 1}&{query}"
        found: list[dict[str, Any]] = (await self.control("GET", path))["frames"]
        return found

    async def until_ready(self, ready: bool = True) -> None:
        """Returns when the account is ready; or when it is not."""
        async with asyncio.timeout(PATIENCE_S):
            while self.instance.ready is not ready:
                self.changed.clear()
                await self.changed.wait()

    def busy(self) -> str:
        """What is under way; empty when every slot is free and nothing is."""
        turns, queued = self.pool.in_flight, self.pool.queued
        calls = self.instance.connection().under_way if self.instance.ready else 0
        return f"turns: {turns}, queued: {queued}, calls: {calls}; " if turns or queued or calls else ""


@asynccontextmanager
async def bench(
    folder: Path, *, ping_interval_s: float = 1.0, term_wait_s: float = 5.0, **changes: Any
) -> AsyncIterator[Bench]:
    """A gateway whose one account is simulated and ready."""
    work_dir = folder / "work"
    fields: dict[str, Any] = {
        "host": "127.0.0.1",
        "api_keys": SecretStr(KEY),
        "first_event_timeout": SILENCE_S,
        "idle_timeout": SILENCE_S,
        "lingma_work_dir": work_dir,
        "drain_propagation_seconds": 0,
        "lingma_drain_seconds": 0,
    }
    settings = Settings(**(fields | changes))
    await _log_in(work_dir)
    changed, pool = asyncio.Event(), make_pool(settings)

    def notice() -> None:
        pool.changed()
        changed.set()

    environment = {**os.environ, "LINGMA_SIM_CONTROL_PORT": "0"}
    command = (sys.executable, "-m", "lingma_sim")
    process = LingmaProcess(ACCOUNT, command, work_dir, environment=environment, term_wait_s=term_wait_s)
    instance = Instance(
        _instance_settings(work_dir, ping_interval_s),
        SessionSource(work_dir, None),
        process,
        notice,
        backoff=lambda: Backoff(*BACKOFF_S),
    )
    async with running_services(settings, standalone_identity(settings), pool, [instance]) as services:
        servers = Servers([Endpoint(client_app(services, with_admin=True), settings.host, 0)], services)
        serving = asyncio.create_task(servers.serve())
        made = Bench(f"http://127.0.0.1:{servers.ports[0]}", work_dir, services, environment, changed, servers, serving)
        try:
            await made.until_ready()
            yield made
        finally:
            await made.end()


def _instance_settings(work_dir: Path, ping_interval_s: float) -> InstanceSettings:
    return InstanceSettings(
        name=ACCOUNT,
        work_dir=work_dir,
        rpc_timeout_s=1.5,
        startup_timeout_s=PATIENCE_S,
        ping_interval_s=ping_interval_s,
        max_in_flight=4,
    )


async def _log_in(work_dir: Path) -> None:
    command = (sys.executable, "-m", "lingma_sim", "login", "--workDir", str(work_dir), "--uid", ACCOUNT)
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == 0


async def eventually_empty(left: Callable[[], Awaitable[str]]) -> None:
    """Look until nothing is left: how far two processes have come with their cleaning up has no event here."""
    deadline = time.monotonic() + PATIENCE_S
    while found := await left():
        assert time.monotonic() < deadline, f"left behind: {found}"
        await asyncio.sleep(0.01)
