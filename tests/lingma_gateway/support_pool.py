"""Accounts without a Lingma behind them, a clock that is moved by hand, and turns that end when they are told to."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from lingma_gateway.lingma.instance import Instance, InstanceSettings
from lingma_gateway.pool import Pool, PoolSettings
from lingma_gateway.sessions.source import SessionSource


class Account(Instance):
    """Ready when it is told to be."""

    def __init__(self, name: str, slots: int = 2, *, is_ready: bool = True) -> None:
        settings = InstanceSettings(
            name=name,
            work_dir=Path(),
            rpc_timeout_s=1,
            startup_timeout_s=1,
            ping_interval_s=1,
            max_in_flight=slots,
        )
        super().__init__(settings, SessionSource(Path(), None), None, lambda: None)
        self.is_ready = is_ready

    @property
    def ready(self) -> bool:
        return self.is_ready


class Clock:
    """Seconds that pass when `now_s` is set."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def pool_of(*accounts: Account, timeout_s: float = 5.0, max_queued: int = 64, clock: Clock | None = None) -> Pool:
    """A pool of these accounts."""
    pool = Pool(PoolSettings(timeout_s, max_queued), clock or Clock())
    pool.instances = accounts
    return pool


class Turn:
    """One turn, in a task of its own: waits for a slot and holds it until `end`."""

    def __init__(self, pool: Pool, key_id: str = "") -> None:
        self.account: Instance | None = None
        self._begun = asyncio.Event()
        self._ended = asyncio.Event()
        self.task = asyncio.create_task(self._run(pool, key_id))

    async def _run(self, pool: Pool, key_id: str) -> None:
        async with pool.slot(key_id=key_id) as account:
            assert account.ready, "a turn was given an account that is not ready"
            self.account = account
            self._begun.set()
            await self._ended.wait()

    @property
    def running(self) -> bool:
        return self.account is not None and not self.task.done()

    async def begins(self) -> None:
        """Returns when it has a slot."""
        async with asyncio.timeout(5):
            await self._begun.wait()

    def tell_to_end(self) -> None:
        """It gives its slot back as soon as it runs again."""
        self._ended.set()

    async def end(self) -> None:
        """Returns when the slot has been given back."""
        self.tell_to_end()
        await self.task


async def until(condition: Callable[[], object]) -> None:
    """Lets the other tasks run until the condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the length of a queue has no event
            await asyncio.sleep(0)


async def started(pool: Pool, key_id: str = "") -> Turn:
    """A turn that runs."""
    turn = Turn(pool, key_id)
    await turn.begins()
    return turn


async def queued(pool: Pool, key_id: str = "") -> Turn:
    """A turn that waits."""
    before = pool.queued
    turn = Turn(pool, key_id)
    await until(lambda: pool.queued > before or turn.task.done())
    return turn
