"""The accounts of this machine: which one takes a turn, who waits, and whether any is ready."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from lingma_contract.health import Health
from lingma_gateway.errors import NoReadyAccount, QueueFull
from lingma_gateway.lingma.instance import Instance

_UNREADY_AFTER_S = 3.0
"""Readiness outlives a reconnect of this length, so that one hiccup does not take the pod out of its Service."""
_NO_ACCOUNT_RETRY_S = 5.0
_SMOOTHING = 0.2


@dataclass(frozen=True, slots=True)
class PoolSettings:
    queue_timeout_s: float
    max_queued: int


class Pool:
    """Slots are taken with `slot` and given back on every path out of it."""

    def __init__(self, settings: PoolSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.instances: Sequence[Instance] = ()
        self.accepted = 0
        self.rejected = 0
        self._settings = settings
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._turns = 0
        self._turn_s = 5.0
        self._last_ready: float | None = None

    def changed(self) -> None:
        """An instance became ready or ceased to be: those who wait look again."""
        if any(instance.ready for instance in self.instances):
            self._last_ready = self._clock()
        self._wake(len(self._waiting))

    @property
    def queued(self) -> int:
        return len(self._waiting)

    @property
    def in_flight(self) -> int:
        return sum(instance.in_flight for instance in self.instances)

    async def idle(self) -> None:
        """Returns when no turn runs and none waits."""
        await self._idle.wait()

    def ready(self) -> bool:
        """Whether the pod belongs into its Service: some instance is ready, or was within the last three seconds."""
        if any(instance.ready for instance in self.instances):
            self._last_ready = self._clock()
        return self._last_ready is not None and self._clock() - self._last_ready < _UNREADY_AFTER_S

    def health(self, draining: bool) -> Health:
        """The report of `/healthz`."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return Health(now, tuple(instance.health for instance in self.instances), draining)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Instance]:
        """An instance with a free slot, which is taken until the block ends.

        Raises:
            NoReadyAccount: no instance is ready.
            QueueFull: every slot is taken, and the queue is full or the wait too long.
        """
        instance = await self._take()
        self.accepted += 1
        started = self._clock()
        try:
            yield instance
        finally:
            instance.in_flight -= 1
            if self.in_flight == 0 and not self._waiting:
                self._idle.set()
            self._turn_s += _SMOOTHING * (self._clock() - started - self._turn_s)
            self._wake(1)

    async def _take(self) -> Instance:
        deadline = self._clock() + self._settings.queue_timeout_s
        while True:
            instance = self._pick()
            if instance is not None:
                instance.in_flight += 1
                self._idle.clear()
                self._turns += 1
                return instance
            await self._wait(deadline - self._clock())

    def _pick(self) -> Instance | None:
        """The ready instance with the fewest turns, in turn among equals; None when all are full."""
        ready = [instance for instance in self.instances if instance.ready]
        if not ready:
            raise NoReadyAccount(self._why_not_ready(), retry_after_s=_NO_ACCOUNT_RETRY_S)
        free = [instance for instance in ready if instance.in_flight < instance.settings.max_in_flight]
        if not free:
            return None
        fewest = min(instance.in_flight for instance in free)
        equals = [instance for instance in free if instance.in_flight == fewest]
        return equals[self._turns % len(equals)]

    def _why_not_ready(self) -> str:
        if not self.instances:
            return "no Lingma account is configured"
        reasons = "; ".join(f"{instance.name}: {instance.health.message}" for instance in self.instances[:5])
        return f"no Lingma account is ready ({reasons})"

    async def _wait(self, timeout_s: float) -> None:
        if len(self._waiting) >= self._settings.max_queued or timeout_s <= 0:
            self._reject()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as error:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn.done() and not turn.cancelled():
                self._wake(1)  # woken and gone in the same moment: the next one may have the slot
            if isinstance(error, TimeoutError):
                self._reject()
            raise

    def _reject(self) -> None:
        self.rejected += 1
        slots = sum(instance.settings.max_in_flight for instance in self.instances) or 1
        retry_after_s = max(1.0, self._turn_s * (len(self._waiting) + 1) / slots)
        raise QueueFull("every slot of every account is taken, try again", retry_after_s=retry_after_s)

    def _wake(self, count: int) -> None:
        while count > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                count -= 1
