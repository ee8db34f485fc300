"""The work queue: one key at a time per worker, one worker per key, nothing lost and nothing done twice at once.

`Schedule` decides and knows no loop; `WorkQueue` lets workers wait for it.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BASE_SECONDS = 0.5
"""Delay after the first failure of a key; each further one doubles it."""
CAP_SECONDS = 300.0
JITTER = 0.2
"""Share by which a delay is stretched or shortened, so that what failed together does not come back together."""


class Schedule(Generic[K]):
    """Which key is next, at a given time."""

    def __init__(self, jitter: Callable[[], float] = lambda: random.uniform(-JITTER, JITTER)) -> None:
        self._jitter = jitter
        self._waiting: OrderedDict[K, float] = OrderedDict()
        self._later: dict[K, float] = {}
        self._running: dict[K, float] = {}
        self._dirty: set[K] = set()
        self._failures: dict[K, int] = {}

    def add(self, key: K, now: float) -> bool:
        """The key is to be worked on at once, or again as soon as the work in flight ends. False: it already was."""
        self._later.pop(key, None)
        if key in self._running:
            fresh = key not in self._dirty
            self._dirty.add(key)
            return fresh
        fresh = key not in self._waiting
        self._waiting.setdefault(key, now)
        return fresh

    def add_after(self, key: K, due: float) -> None:
        """The key is to be worked on at `due`, unless it is sooner anyway."""
        if key not in self._waiting and key not in self._dirty:
            self._later[key] = min(due, self._later.get(key, due))

    def failed(self, key: K, now: float) -> float:
        """The work in flight on the key failed: it comes back after a growing delay, which is returned."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        # 2 ** 20 times the base is far beyond the cap; an unbounded power would overflow a float.
        delay = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(count, 20)) * (1 + self._jitter())
        self.add_after(key, now + delay)
        return delay

    def succeeded(self, key: K) -> None:
        """The key's failures are forgotten."""
        self._failures.pop(key, None)

    def take(self, now: float) -> tuple[K, float] | None:
        """The next key and the seconds that it waited; it is in flight until `done`."""
        for key in [key for key, due in self._later.items() if due <= now]:
            self._waiting.setdefault(key, self._later.pop(key))
        # A key may fall due while it is in flight: it stays in line for the next `take` after `done`.
        for key in self._waiting:
            if key not in self._running:
                since = self._waiting.pop(key)
                self._running[key] = now
                return key, max(0.0, now - since)
        return None

    def done(self, key: K, now: float) -> float:
        """The work in flight on the key ended; returns the seconds that it took."""
        started = self._running.pop(key)
        if key in self._dirty:
            self._dirty.discard(key)
            self._later.pop(key, None)
            self._waiting.setdefault(key, now)
        return max(0.0, now - started)

    def due(self) -> float | None:
        """When the next delayed key falls due."""
        return min(self._later.values(), default=None)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._dirty)

    def running(self, now: float) -> list[float]:
        """For each key in flight, the seconds since it was taken."""
        return [now - started for started in self._running.values()]


class QueueClosed(Exception):
    """The queue gives out no more keys."""


class WorkQueue(Generic[K]):
    """A `Schedule` that workers can wait for."""

    def __init__(self, schedule: Schedule[K] | None = None, clock: Callable[[], float] | None = None) -> None:
        self.schedule: Schedule[K] = schedule if schedule is not None else Schedule()
        self._clock = clock or asyncio.get_running_loop().time
        self._changed = asyncio.Event()
        self._closed = False
        self.adds = 0
        """Keys that came in, without those that were already waiting."""
        self.retries = 0
        """Failures that were scheduled again."""

    def add(self, key: K) -> None:
        """Work on the key at once."""
        self.adds += self.schedule.add(key, self._clock())
        self._changed.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Work on the key in a while."""
        self.schedule.add_after(key, self._clock() + seconds)
        self._changed.set()

    def retry(self, key: K) -> float:
        """Work on the key again after the delay that its failures deserve."""
        self.retries += 1
        delay = self.schedule.failed(key, self._clock())
        self._changed.set()
        return delay

    def done(self, key: K) -> float:
        """The work on the key ended; returns the seconds that it took."""
        took = self.schedule.done(key, self._clock())
        self._changed.set()
        return took

    def close(self) -> None:
        """Give out nothing more; work in flight goes on."""
        self._closed = True
        self._changed.set()

    async def get(self) -> tuple[K, float]:
        """The next key, which the caller must give back by `done`, and the seconds that it waited.

        Raises:
            QueueClosed: there is none any more.
        """
        while not self._closed:
            taken = self.schedule.take(self._clock())
            if taken is not None:
                return taken
            self._changed.clear()
            due = self.schedule.due()
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - self._clock())):
                    await self._changed.wait()
            except TimeoutError:
                continue
        raise QueueClosed
