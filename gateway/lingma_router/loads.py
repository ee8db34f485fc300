"""What this process counts itself: requests in flight by account, and endpoints that lately could not be reached."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class Loads:
    """Requests in flight by account UID. A count is held by a `with`, so that every exit gives it back."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    @property
    def counts(self) -> Mapping[str, int]:
        """Of the accounts that have any."""
        return self._counts

    @contextmanager
    def hold(self, account_uid: str) -> Iterator[None]:
        """Count one request until the block is left."""
        self._counts[account_uid] = self._counts.get(account_uid, 0) + 1
        try:
            yield
        finally:
            left = self._counts[account_uid] - 1
            if left:
                self._counts[account_uid] = left
            else:
                del self._counts[account_uid]


class Cooldown:
    """Endpoints that rest for a while. By address: a pod that is replaced has a new one and starts afresh."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: dict[str, float] = {}

    def rest(self, address: str) -> None:
        """Let `address` rest from now on."""
        self._until[address] = self._clock() + self._seconds

    def resting(self) -> frozenset[str]:
        """The addresses that rest now."""
        if not self._until:
            return frozenset()
        now = self._clock()
        self._until = {address: until for address, until in self._until.items() if until > now}
        return frozenset(self._until)
