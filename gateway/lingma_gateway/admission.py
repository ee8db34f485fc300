"""Who waits for a slot, whose turn is next, and when a slot will be free. Pure: the pool acts on it."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Generic, TypeVar

_T = TypeVar("_T")

_PRIOR_TURN_S = 5.0
"""How long a turn takes, before one was measured."""
_MEASURED_TURNS = 64


class Fate(Enum):
    """What became of one who was offered a slot."""

    SERVED = auto()
    GONE = auto()
    """Waits no longer, and took nothing."""
    WAITS = auto()
    """The free slots are not for this one."""


class FairQueue(Generic[_T]):
    """One line a key, served in turn: however many one key sends, another's next request waits for one of them."""

    def __init__(self) -> None:
        # In the order in which the keys are served next.
        self._lines: dict[str, list[_T]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def add(self, key: str, item: _T) -> None:
        """At the end of its key's line."""
        self._lines.setdefault(key, []).append(item)

    def remove(self, item: _T) -> bool:
        """Whether it waited."""
        for key, line in self._lines.items():
            if item in line:
                line.remove(item)
                if not line:
                    del self._lines[key]
                return True
        return False

    def offer(self, serve: Callable[[_T], Fate]) -> None:
        """Offer slots to those who wait, one a key in turn, until nobody takes one.

        One who waits for another slot than those that are free holds up nobody behind.
        """
        served = True
        while served:
            served = False
            for key in tuple(self._lines):
                if self._serve_line(key, serve):
                    served = True

    def _serve_line(self, key: str, serve: Callable[[_T], Fate]) -> bool:
        """Serve the first of a line who can be, and put the line behind the others; one that got nothing stays."""
        line = self._lines[key]
        for item in tuple(line):
            fate = serve(item)
            if fate is Fate.WAITS:
                continue
            line.remove(item)
            if fate is Fate.SERVED:
                del self._lines[key]
                if line:
                    self._lines[key] = line
                return True
        if not line:
            del self._lines[key]
        return False

    def make_room(self, key: str) -> _T | None:
        """The last of the longest line, who leaves so that one more of `key` may wait; None where that is not fair.

        It is fair while `key` has at least two fewer waiting: the other way round it would not be, so two keys never
        push each other out in turn.
        """
        longest = max(self._lines, key=lambda each: len(self._lines[each]), default=key)
        if len(self._lines.get(longest, ())) <= len(self._lines.get(key, ())) + 1:
            return None
        return self._lines[longest].pop()


class TurnTimes:
    """How long the last turns took: what a running one probably still needs. Seconds."""

    def __init__(self) -> None:
        self._measured: deque[float] = deque([_PRIOR_TURN_S], maxlen=_MEASURED_TURNS)

    def add(self, duration_s: float) -> None:
        """One turn has ended."""
        self._measured.append(duration_s)

    @property
    def mean_s(self) -> float:
        return sum(self._measured) / len(self._measured)

    def remaining_s(self, age_s: float) -> float:
        """What turns that got this old needed from there on; a mean turn more for one that outlived them all."""
        longer = [duration for duration in self._measured if duration > age_s]
        return sum(longer) / len(longer) - age_s if longer else self.mean_s

    def earliest_slot_s(self, ages_s: Iterable[float], free: int, ahead: int) -> float:
        """When one who comes now would be served: after `ahead` others, on slots of which `free` are free and the
        others have turns of these ages. Without any slot, after a mean turn."""
        slots = [self.remaining_s(age_s) for age_s in ages_s] + [0.0] * free
        if not slots:
            return self.mean_s
        heapq.heapify(slots)
        for _ in range(ahead):
            heapq.heapreplace(slots, slots[0] + self.mean_s)
        return slots[0]
