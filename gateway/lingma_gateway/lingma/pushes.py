"""What Lingma pushes about one request of ours, from its arrival until the turn takes it."""

import asyncio
from collections.abc import Callable
from typing import Any

from lingma_gateway.errors import ClientTooSlow, GatewayError, UpstreamTimeout
from lingma_gateway.lingma import refusals
from lingma_gateway.lingma.toolanswers import ToolAnswers
from lingma_gateway.lingma.updates import Pushed
from lingma_gateway.toolpolicy import DENY_ALL

MAX_WAITING_BYTES = 8 * 1024 * 1024
"""Of pushes that a turn has not taken, as they came over the wire: some 28,000 tokens that a client is behind."""

Taker = Callable[[list[Pushed]], list[Pushed] | None]
"""Takes pushes at once. None: it has taken them; otherwise whoever waits gets what it leaves, which may be nothing."""


class TurnPushes:
    """The pushes that belong to one request of ours, in order.

    Nothing here makes Lingma wait: a client that reads slowly must not hold up the acknowledgement of pushes. What it
    has not read waits here, up to MAX_WAITING_BYTES; beyond them its turn ends.
    """

    __slots__ = (
        "_armed_s",
        "_arrived",
        "_deadline",
        "_failure",
        "_loop",
        "_max_waiting_bytes",
        "_silence_s",
        "_timer",
        "_waited_for",
        "_waiter",
        "_waiting_bytes",
        "asked",
        "taker",
        "tools",
    )

    def __init__(self, max_waiting_bytes: int = MAX_WAITING_BYTES, tools: ToolAnswers | None = None) -> None:
        """Without `tools` each tool of Lingma's is denied."""
        self.tools = tools or ToolAnswers(DENY_ALL)
        self.asked: int | None = None
        """Id of the `chat/ask`, where it was sent as a request."""
        self.taker: Taker | None = None
        """Asked before whoever waits in `batch` is woken."""
        self._max_waiting_bytes = max_waiting_bytes
        self._arrived: list[Pushed] = []
        self._waiting_bytes = 0
        self._failure: GatewayError | None = None
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._silence_s, self._waited_for = 0.0, ""
        self._timer: asyncio.TimerHandle | None = None
        self._armed_s = 0.0

    def put(self, pushed: Pushed, size: int = 0) -> bool:
        """One more, of `size` bytes. Never waits. True for the first of some, which `deliver` hands on together."""
        if self._failure is not None:
            return False
        self._waiting_bytes += size
        if self._waiting_bytes > self._max_waiting_bytes:
            self._arrived.clear()
            self.fail(ClientTooSlow(f"the answer was not read: {self._max_waiting_bytes} bytes of it were waiting"))
            return False
        self._arrived.append(pushed)
        return len(self._arrived) == 1

    def deliver(self) -> None:
        """Hand what has come to the taker, or to whoever waits for it."""
        waiter = self._waiter
        if waiter is None or waiter.done() or not self._arrived:
            return
        if self.taker is not None:
            try:
                left = self.taker(self.arrived())
            except Exception as error:  # noqa: BLE001
                # As if whoever waits had done it: the others on this connection have no part in it.
                waiter.set_exception(error)
                return
            if left is None:
                self._deadline = self._loop.time() + self._silence_s
                return
            self._arrived = left
        waiter.set_result(None)

    def fail(self, error: GatewayError) -> None:
        """There will be no more. What is here already can still be taken; the first error counts."""
        if self._failure is None:
            self._failure = error
            self._wake()

    def asked_with(self, reply: "asyncio.Future[Any]") -> None:
        """Lingma replied to the ask: the turn ends if it refused."""
        error = reply.exception()
        refused = refusals.in_reply(reply.result()) if error is None else error
        if isinstance(refused, GatewayError):
            self.fail(refused)

    def arrived(self) -> list[Pushed]:
        """The pushes that are here and that nobody has taken; none is waited for."""
        arrived, self._arrived = self._arrived, []
        self._waiting_bytes = 0
        return arrived

    async def batch(self, timeout_s: float, waited_for: str) -> list[Pushed]:
        """The next pushes: all that have come by now, such as those of one read of the socket. At least one, but where
        a taker left none.

        Raises:
            UpstreamTimeout: nothing came within `timeout_s` seconds.
            GatewayError: the connection was lost, or the call itself was refused.
        """
        if not self._arrived and self._failure is None:
            self._measure_silence(timeout_s, waited_for)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if not self._arrived and self._failure is not None:
            raise self._failure
        return self.arrived()

    async def next(self, timeout_s: float, waited_for: str) -> Pushed:
        """The next push alone; otherwise as `batch`."""
        first, *others = await self.batch(timeout_s, waited_for)
        self._arrived = others
        return first

    def close(self) -> None:
        """Nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _measure_silence(self, timeout_s: float, waited_for: str) -> None:
        self._deadline = self._loop.time() + timeout_s
        self._silence_s, self._waited_for = timeout_s, waited_for
        # One timer for the whole turn: it is moved when it fires too early, not for each push.
        if self._timer is None or timeout_s < self._armed_s:
            self._arm()

    def _arm(self) -> None:
        self.close()
        self._armed_s = self._silence_s
        self._timer = self._loop.call_at(self._deadline, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._deadline:
            self._arm()
            return
        self._waiter.set_exception(
            UpstreamTimeout(f"Lingma sent no {self._waited_for} within {self._silence_s:g} seconds")
        )

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
