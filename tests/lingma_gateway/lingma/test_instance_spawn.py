"""An instance with a Lingma of its own, which is the simulator: crash loops and what ends them."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from lingma_contract.health import State
from lingma_gateway.lingma.backoff import Backoff
from lingma_gateway.lingma.instance import Instance, InstanceSettings, running
from lingma_gateway.lingma.process import LingmaProcess
from lingma_gateway.sessions.source import SessionSource

SIM = [sys.executable, "-m", "lingma_sim"]
CRASHES = [sys.executable, "-c", "raise SystemExit(5)"]


class Watched:
    """The states of one instance, as they come."""

    def __init__(self, work_dir: Path, command: list[str], startup_timeout_s: float = 30) -> None:
        settings = InstanceSettings(
            name="alice",
            work_dir=work_dir,
            rpc_timeout_s=5,
            startup_timeout_s=startup_timeout_s,
            ping_interval_s=0.2,
            max_in_flight=1,
        )
        self._news: asyncio.Queue[None] = asyncio.Queue()
        self.process = LingmaProcess("alice", command, work_dir)
        source = SessionSource(work_dir, None)
        self.instance = Instance(settings, source, self.process, self._changed, backoff=lambda: Backoff(0.01, 0.16))

    def _changed(self) -> None:
        self._news.put_nowait(None)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await self._news.get()

    async def connected(self) -> None:
        await self.until(lambda: self.instance.health.state is State.READY)

    async def lost(self) -> State:
        await self.until(lambda: self.instance.health.state in (State.RECONNECTING, State.FAILED))
        return self.instance.health.state


async def test_a_lingma_that_ends_at_once_is_tried_again_at_growing_intervals(tmp_path: Path) -> None:
    it = Watched(tmp_path, CRASHES)
    async with running(it.instance):
        assert await it.lost() is State.RECONNECTING
        await it.until(lambda: it.instance.health.state is State.FAILED)
        assert it.instance.health.message == (
            "not connected to Lingma: Lingma ended with code 5 before it said where it listens"
        )
    assert it.instance.health.state is State.CLOSED


async def test_a_lingma_that_ends_again_and_again_before_it_did_anything_counts_as_failed(tmp_path: Path) -> None:
    it = Watched(tmp_path, SIM)
    states: list[State] = []
    async with running(it.instance):
        while len(states) < 10 and State.FAILED not in states:
            await it.connected()
            assert it.process.pid is not None
            os.kill(it.process.pid, signal.SIGKILL)
            states.append(await it.lost())
    assert states[0] is State.RECONNECTING
    assert states[-1] is State.FAILED


async def test_a_binary_that_is_missing_is_named_by_its_setting(tmp_path: Path) -> None:
    it = Watched(tmp_path, [str(tmp_path / "missing")])
    async with running(it.instance):
        await it.lost()
        assert it.instance.health.message == (
            "not connected to Lingma: Lingma cannot be started (LINGMA_BIN): No such file or directory"
        )


async def test_a_lingma_that_never_says_where_it_listens_is_ended(tmp_path: Path) -> None:
    it = Watched(tmp_path, [sys.executable, "-c", "import time; time.sleep(60)"], startup_timeout_s=0.3)
    async with running(it.instance):
        await it.lost()
        assert "within LINGMA_STARTUP_TIMEOUT" in it.instance.health.message
        await it.until(lambda: it.instance.health.state is State.FAILED)
        assert it.process.how_it_ended == "ended with code -15"
