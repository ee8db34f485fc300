"""Where the events of a turn can go at once, past the task that runs it."""

from typing import Protocol

from lingma_gateway.events import StreamEvent


class Outlet(Protocol):
    """The client's end of a turn, as whoever has events may use it while the turn's task waits for more of them.

    To wake that task for each token takes as long as all that is done with the token.
    """

    def ready(self) -> bool:
        """Whether `send` may be called now: the answer has begun, and its client reads."""
        ...

    def send(self, events: list[StreamEvent]) -> None:
        """Send events that are neither the first nor the last of the answer. Never waits."""
        ...
