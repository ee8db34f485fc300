"""The accounts of this machine: which one takes a turn, who waits, and whether any is ready."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from lingma_contract.health import Health
from lingma_gateway.admission import FairQueue, Fate, TurnTimes
from lingma_gateway.errors import NoReadyAccount, QueueFull
from lingma_gateway.lingma.instance import Instance

_UNREADY_AFTER_S = 3.0
"""Readiness outlives a reconnect of this length, so that one hiccup does not take the pod out of its Service."""
_NO_ACCOUNT_RETRY_S = 5.0
_SOONEST_RETRY_S = 1.0


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


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """One who waits; the instance, once a slot of it was taken in this one's name."""

    given: asyncio.Future[Instance]
    wish: Wish


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
        self._waiting: FairQueue[_Waiting] = FairQueue()
        self._idle = asyncio.Event()
        self._idle.set()
        self._turns = 0
        self._times = TurnTimes()
        self._running: dict[object, float] = {}
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
        self,
        preferred: str | None = None,
        suits: Callable[[Instance], bool] = _any,
        only: Instance | None = None,
        key_id: str = "",
    ) -> AsyncIterator[Instance]:
        """An instance with a free slot, which is taken until the block ends: `Wish` says which.

        Those who wait are served one a key in turn, so that the many requests of one key do not hold up another's.

        Raises:
            NoReadyAccount: no instance is ready.
            QueueFull: every slot is taken, and the queue is full or the wait too long.
        """
        instance = await self._take(Wish(preferred, suits, only), key_id)
        self.accepted += 1
        turn, started_s = object(), self._clock()
        self._running[turn] = started_s
        try:
            yield instance
        finally:
            del self._running[turn]
            self._times.add(self._clock() - started_s)
            self._vacate(instance)

    async def _take(self, wish: Wish, key_id: str) -> Instance:
        while True:
            # Nobody overtakes those who wait: a slot may have become free that is theirs.
            self._settle()
            instance = self._pick(wish)
            if instance is not None:
                self._occupy(instance)
                return instance
            instance = await self._wait(wish, key_id)
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

    async def _wait(self, wish: Wish, key_id: str) -> Instance:
        """A slot that `_settle` took in the name of this turn."""
        timeout_s = self._settings.queue_timeout_s
        if timeout_s <= 0 or not self._has_room(key_id):
            raise self._rejection()
        waiting = _Waiting(asyncio.get_running_loop().create_future(), wish)
        self._waiting.add(key_id, waiting)
        self._settle()
        try:
            async with asyncio.timeout(timeout_s):
                return await waiting.given
        except BaseException as error:
            self._leave(waiting)
            if isinstance(error, TimeoutError):
                raise self._rejection() from error
            raise

    def _has_room(self, key_id: str) -> bool:
        """Whether one more of this key may wait; the last of a key that has many more waiting makes room."""
        if len(self._waiting) < self._settings.max_queued:
            return True
        displaced = self._waiting.make_room(key_id)
        if displaced is None:
            return False
        # It still waits: `_settle`, a moment ago, let go of all who do not.
        displaced.given.set_exception(self._rejection())
        return True

    def _leave(self, waiting: _Waiting) -> None:
        """Stop waiting: out of the queue, or out of the slot that was handed over in this very moment."""
        given = waiting.given
        if self._waiting.remove(waiting):
            self._settle()
        elif not given.cancelled() and given.exception() is None:
            self._vacate(given.result())

    def _rejection(self) -> QueueFull:
        self.rejected += 1
        now_s = self._clock()
        slots = sum(instance.settings.max_in_flight for instance in self.instances if instance.ready)
        ages_s = [now_s - started_s for started_s in self._running.values()]
        free = max(0, slots - len(ages_s))
        earliest_s = self._times.earliest_slot_s(ages_s, free, len(self._waiting))
        return QueueFull(
            "every slot of every account is taken, try again", retry_after_s=max(_SOONEST_RETRY_S, earliest_s)
        )

    def _settle(self) -> None:
        """Hand free slots to those who wait."""
        self._waiting.offer(self._serve)
        if self.in_flight == 0 and not self._waiting:
            self._idle.set()

    def _serve(self, waiting: _Waiting) -> Fate:
        if waiting.given.done():
            return Fate.GONE
        try:
            instance = self._pick(waiting.wish)
        except NoReadyAccount as error:
            waiting.given.set_exception(error)
            return Fate.GONE
        if instance is None:
            return Fate.WAITS
        self._occupy(instance)
        waiting.given.set_result(instance)
        return Fate.SERVED
