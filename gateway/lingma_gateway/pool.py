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


def _any(_: Instance) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Wish:
    """What a turn wants of its instance. An instance that is not ready is never given for it."""

    preferred: str | None = None
    """Name of the instance that is taken if it is ready and has a free slot."""
    suits: Callable[[Instance], bool] = _any
    """Which instances will do; where no ready one does, any."""
    only: Instance | None = None
    """The one instance that will do; where it is not ready, none."""


_Waiting = tuple[asyncio.Future[Instance], Wish]


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
        self._waiting: deque[_Waiting] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._turns = 0
        self._turn_s = 5.0
        self._was_ready = False
        self._last_ready: float | None = None

    def changed(self) -> None:
        """An instance became ready or ceased to be: those who wait get what there is, or learn that there is none."""
        self._look()
        self._settle()

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
        self._look()
        return self._last_ready is not None and self._clock() - self._last_ready < _UNREADY_AFTER_S

    def _look(self) -> None:
        """Note when there was a ready instance last; that it ceases to be ready is noted too, for it was until now."""
        now_ready = any(instance.ready for instance in self.instances)
        if now_ready or self._was_ready:
            self._last_ready = self._clock()
        self._was_ready = now_ready

    def health(self, draining: bool) -> Health:
        """The report of `/healthz`."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return Health(now, tuple(instance.health for instance in self.instances), draining)

    @asynccontextmanager
    async def slot(
        self, preferred: str | None = None, suits: Callable[[Instance], bool] = _any, only: Instance | None = None
    ) -> AsyncIterator[Instance]:
        """An instance with a free slot, which is taken until the block ends: `Wish` says which.

        Raises:
            NoReadyAccount: no instance is ready.
            QueueFull: every slot is taken, and the queue is full or the wait too long.
        """
        instance = await self._take(Wish(preferred, suits, only))
        self.accepted += 1
        started = self._clock()
        try:
            yield instance
        finally:
            self._turn_s += _SMOOTHING * (self._clock() - started - self._turn_s)
            self._vacate(instance)

    async def _take(self, wish: Wish) -> Instance:
        while True:
            # Nobody overtakes those who wait: a slot may have become free that is theirs.
            self._settle()
            instance = self._pick(wish)
            if instance is not None:
                self._occupy(instance)
                return instance
            instance = await self._wait(wish)
            if instance.ready:
                return instance
            self._vacate(instance)  # lost between the handing over and now

    def _occupy(self, instance: Instance) -> None:
        instance.in_flight += 1
        self._turns += 1
        self._idle.clear()

    def _vacate(self, instance: Instance) -> None:
        instance.in_flight -= 1
        self._settle()

    def _pick(self, wish: Wish) -> Instance | None:
        """Of the ready instances that suit: the preferred one, else one with the fewest turns, in turn among equals.

        None when they are full.
        """
        ready = self.ready_instances(wish.only)
        suitable = [instance for instance in ready if wish.suits(instance)] or ready
        free = [instance for instance in suitable if instance.in_flight < instance.settings.max_in_flight]
        for instance in free:
            if instance.name == wish.preferred:
                return instance
        if not free:
            return None
        fewest = min(instance.in_flight for instance in free)
        equals = [instance for instance in free if instance.in_flight == fewest]
        return equals[self._turns % len(equals)]

    def ready_instances(self, only: Instance | None = None) -> Sequence[Instance]:
        """Those that take turns now, or `only` this one if it does.

        Raises:
            NoReadyAccount: none does; the message says why of each.
        """
        ready = [instance for instance in self.instances if instance.ready and only in (None, instance)]
        if not ready:
            raise NoReadyAccount(self._why_not_ready(), retry_after_s=_NO_ACCOUNT_RETRY_S)
        return ready

    def _why_not_ready(self) -> str:
        if not self.instances:
            return "no Lingma account is configured"
        reasons = "; ".join(f"{instance.name}: {instance.health.message}" for instance in self.instances[:5])
        return f"no Lingma account is ready ({reasons})"

    async def _wait(self, wish: Wish) -> Instance:
        """A slot that `_settle` took in the name of this turn."""
        timeout_s = self._settings.queue_timeout_s
        if len(self._waiting) >= self._settings.max_queued or timeout_s <= 0:
            raise self._rejection()
        turn: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, wish))
        self._settle()
        try:
            async with asyncio.timeout(timeout_s):
                return await turn
        except BaseException as error:
            self._leave(turn)
            if isinstance(error, TimeoutError):
                raise self._rejection() from error
            raise

    def _leave(self, turn: asyncio.Future[Instance]) -> None:
        """Stop waiting: out of the queue, or out of the slot that was handed over in this very moment."""
        if any(waiting is turn for waiting, _ in self._waiting):
            self._waiting = deque(item for item in self._waiting if item[0] is not turn)
            self._settle()
        elif not turn.cancelled() and turn.exception() is None:
            self._vacate(turn.result())

    def _rejection(self) -> QueueFull:
        self.rejected += 1
        slots = sum(instance.settings.max_in_flight for instance in self.instances) or 1
        retry_after_s = max(1.0, self._turn_s * (len(self._waiting) + 1) / slots)
        return QueueFull("every slot of every account is taken, try again", retry_after_s=retry_after_s)

    def _settle(self) -> None:
        """Hand free slots to those who wait, in the order in which they came.

        One who waits for another instance than the one that is free holds up nobody behind.
        """
        still: deque[_Waiting] = deque()
        for turn, wish in self._waiting:
            if turn.cancelled():
                continue
            try:
                instance = self._pick(wish)
            except NoReadyAccount as error:
                turn.set_exception(error)
                continue
            if instance is None:
                still.append((turn, wish))
            else:
                self._occupy(instance)
                turn.set_result(instance)
        self._waiting = still
        if self.in_flight == 0 and not self._waiting:
            self._idle.set()
