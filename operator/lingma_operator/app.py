"""The running operator: probes, the first lists, workers, kopf; and the way down."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import kopf
from aiohttp import web
from kopf._core.engines.peering import Identity
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from lingma_contract.jsonlog import event
from lingma_operator import metrics
from lingma_operator.bootstrap import Masters, ensure_secrets
from lingma_operator.cluster import ApiError, Cluster, Connection, connected
from lingma_operator.gateways import Gateways, HttpGateways
from lingma_operator.handlers import kopf_scope, kopf_settings, registry_of
from lingma_operator.inbox import Inbox
from lingma_operator.objects import Kind
from lingma_operator.queue import WorkQueue
from lingma_operator.reconcile import Reconciler
from lingma_operator.settings import Settings
from lingma_operator.store import Key, Store
from lingma_operator.sync import fill, resync
from lingma_operator.worker import work

log = logging.getLogger(__name__)

MAX_LAG_SECONDS = 5.0
"""A loop this late is no longer alive."""
FINISH_SECONDS = 10.0
"""For the work in flight after SIGTERM."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 15.0


@dataclass(slots=True)
class Vitals:
    """What the probes answer from."""

    listed: bool = False
    """The first lists are in."""
    watching: bool = False
    """Kopf runs."""
    stopping: bool = False
    lag: float = 0.0
    """Seconds by which the loop was last late."""

    @property
    def alive(self) -> bool:
        """Whether going on makes sense. Before the lists are in there is nothing to watch yet."""
        return self.lag <= MAX_LAG_SECONDS and (self.watching or not self.listed or self.stopping)


def now_rfc3339() -> str:
    """The time of the wall clock, to the second, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def run(settings: Settings, to: Connection, stop: asyncio.Event, gateways: Gateways | None = None) -> None:
    """Operate until `stop` is set; returns when the work in flight is done.

    Raises:
        Exception: kopf gave up; the process is to end and to be started anew.
    """
    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(connected(to, settings.workers * 2))
        asking = await stack.enter_async_context(aiohttp.ClientSession())
        vitals, store, queue = Vitals(), Store(), WorkQueue[Key]()
        await stack.enter_async_context(_serving(settings, vitals))
        await stack.enter_async_context(_background(_watch_lag(vitals)))
        if not await _prepare(cluster, settings, store, stop):
            return
        clock = asyncio.get_running_loop().time
        masters = Masters(cluster, settings, clock)
        reconciler = Reconciler(cluster, gateways or HttpGateways(asking), store, masters, settings, now_rfc3339)
        await stack.enter_async_context(_background(resync(cluster, store, settings, queue)))
        metrics.MAX_CONCURRENT.labels(controller=metrics.CONTROLLER).set(settings.workers)
        collector = metrics.QueueMetrics(queue, clock)
        metrics.REGISTRY.register(collector)
        stack.callback(metrics.REGISTRY.unregister, collector)
        workers = [asyncio.create_task(work(queue, reconciler.reconcile)) for _ in range(settings.workers)]
        for key in store.keys(Kind.ACCOUNT):
            queue.add(key)
        vitals.listed = True
        event(log, "listed", accounts=len(store.keys(Kind.ACCOUNT)), scope=[ns or "*" for ns in settings.scope])
        try:
            await _watch(settings, registry_of(Inbox(store, queue), to), vitals, stop, queue)
        finally:
            await _wind_down(queue, workers)


async def _prepare(cluster: Cluster, settings: Settings, store: Store, stop: asyncio.Event) -> bool:
    """The Secrets of the release and the first lists, tried until they succeed; False when told to stop before."""

    async def lists() -> None:
        await fill(cluster, store, settings)

    async def secrets() -> None:
        await ensure_secrets(cluster, settings)

    return await _until_done(secrets, "release secrets", stop) and await _until_done(lists, "first lists", stop)


async def _until_done(attempt: Callable[[], Awaitable[None]], what: str, stop: asyncio.Event) -> bool:
    """Try until it works; False when told to stop before."""
    pause = FIRST_RETRY_SECONDS
    while not stop.is_set():
        try:
            await attempt()
            return True
        except ApiError as error:
            event(log, "start is waiting", level=logging.WARNING, what=what, error=str(error), retry_in=pause)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
        pause = min(LAST_RETRY_SECONDS, pause * 2)
    return False


async def _watch(
    settings: Settings, registry: kopf.OperatorRegistry, vitals: Vitals, stop: asyncio.Event, queue: WorkQueue[Key]
) -> None:
    """Run kopf until told to stop, or until it gives up; then the queue gives out nothing more."""
    ours = set(asyncio.all_tasks())
    ended = asyncio.Event()
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=kopf_settings(),
        standalone=True,
        identity=Identity(settings.pod_name),  # kopf would look up the name of a user that no image has
        stop_flag=ended,
        **kopf_scope(settings),
    )
    # Kopf takes the signals for itself when it starts; the work in flight is ours to finish, so they are ours.
    take_signals(stop)
    watching = asyncio.create_task(kopf.run_tasks(tasks, ignored=ours))
    stopped = asyncio.create_task(stop.wait())
    vitals.watching = True
    try:
        await asyncio.wait({watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
        vitals.stopping = stop.is_set()
    finally:
        # Before kopf ends, which may take it some seconds: the work in flight finishes in the meantime.
        queue.close()
        vitals.watching = False
        stopped.cancel()
        ended.set()
        await watching
    if not stop.is_set():
        raise RuntimeError("kopf ended by itself")


async def _wind_down(queue: WorkQueue[Key], workers: list[asyncio.Task[None]]) -> None:
    queue.close()
    _, late = await asyncio.wait(workers, timeout=FINISH_SECONDS)
    for worker in late:
        worker.cancel()
    results = await asyncio.gather(*workers, return_exceptions=True)
    crashed = [type(result).__name__ for result in results if isinstance(result, Exception)]
    event(log, "stopped", unfinished=len(late), crashed=crashed or None)


def take_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


@contextlib.asynccontextmanager
async def _background(coroutine: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(coroutine)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch_lag(vitals: Vitals) -> None:
    loop = asyncio.get_running_loop()
    while True:
        before = loop.time()
        await asyncio.sleep(1)
        vitals.lag = loop.time() - before - 1
        metrics.LOOP_LAG.set(max(0.0, vitals.lag))


@contextlib.asynccontextmanager
async def _serving(settings: Settings, vitals: Vitals) -> AsyncIterator[None]:
    """The probes and metrics."""
    runner = web.AppRunner(admin_app(vitals), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=settings.admin_port).start()
        yield
    finally:
        await runner.cleanup()


def admin_app(vitals: Vitals) -> web.Application:
    """`/healthz`, `/livez`, `/readyz`, `/metrics`."""

    async def alive(_: web.Request) -> web.Response:
        return _verdict(vitals.alive, f"loop lag {vitals.lag:.1f} s, watching {vitals.watching}")

    async def ready(_: web.Request) -> web.Response:
        return _verdict(vitals.listed and not vitals.stopping, f"listed {vitals.listed}")

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", alive), web.get("/livez", alive)])
    app.add_routes([web.get("/readyz", ready), web.get("/metrics", scrape)])
    return app


def _verdict(good: bool, detail: str) -> web.Response:
    return web.Response(status=200 if good else 503, text=f"{'ok' if good else 'not ok'}: {detail}\n")
