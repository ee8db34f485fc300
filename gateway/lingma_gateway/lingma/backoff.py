"""How long to wait before the next try. It grows to a limit and never gives up."""

import random
from collections.abc import Callable


class Backoff:
    """Doubles from `first_s` to `longest_s`, each wait spread by up to a fifth downwards."""

    def __init__(
        self, first_s: float = 1.0, longest_s: float = 30.0, spread: Callable[[], float] = random.random
    ) -> None:
        if not 0 < first_s < longest_s:
            raise ValueError("the first wait must be shorter than the longest")
        self._first_s = first_s
        self._longest_s = longest_s
        self._spread = spread
        self._next_s = first_s

    @property
    def exhausted(self) -> bool:
        """Whether the longest wait has been reached: the state is then called `failed`, and still tried again."""
        return self._next_s >= self._longest_s

    def reset(self) -> None:
        """The last try worked."""
        self._next_s = self._first_s

    def next(self) -> float:
        """Seconds to wait before the next try."""
        wait_s = self._next_s
        self._next_s = min(self._next_s * 2, self._longest_s)
        return wait_s * (1 - 0.2 * self._spread())
