"""How the router stops: not ready at once, deaf a little later, gone when the last stream has ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from lingma_contract import jsonlog
from lingma_router.proxy import Proxy

_log = logging.getLogger(__name__)


class Stop:
    """Asked for once: end well. Asked for twice: end now."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()

    def ask(self) -> None:
        """What a SIGTERM calls."""
        (self.insisted if self.asked.is_set() else self.asked).set()


async def drain(
    proxy: Proxy, stop: Stop, *, propagation_s: float, drain_s: float, close_listener: Callable[[], Awaitable[None]]
) -> None:
    """End all service: `propagation_s` and `drain_s` as in `Settings`, both counted from now.

    New connections are still accepted for `propagation_s`, because the nodes' tables learn late that this replica is
    not ready; `close_listener` then ends that. What still runs after `drain_s`, or when `stop` insists, is aborted.
    """
    proxy.closing = True
    jsonlog.event(_log, "draining", in_flight=proxy.active)
    insisted = asyncio.create_task(stop.insisted.wait())
    finished: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(drain_s):
            await asyncio.wait([insisted], timeout=propagation_s)
            await close_listener()
            finished = asyncio.create_task(proxy.wait_idle())
            await asyncio.wait([finished, insisted], return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        await close_listener()
    finally:
        for task in (insisted, finished):
            if task is not None:
                task.cancel()
    jsonlog.event(_log, "drained", aborted=proxy.active)
    proxy.abort_all()
