"""Metrics by the names of controller-runtime, so that dashboards made for it show this operator too."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lingma_operator.queue import WorkQueue
from lingma_operator.store import Key

REGISTRY = CollectorRegistry()
CONTROLLER = "lingmaaccount"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

RECONCILES = Counter(
    "controller_runtime_reconcile", "Reconciles by result.", ["controller", "result"], registry=REGISTRY
)
RECONCILE_ERRORS = Counter(
    "controller_runtime_reconcile_errors", "Reconciles that failed.", ["controller"], registry=REGISTRY
)
RECONCILE_SECONDS = Histogram(
    "controller_runtime_reconcile_time_seconds",
    "Duration of a reconcile.",
    ["controller"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
MAX_CONCURRENT = Gauge("controller_runtime_max_concurrent_reconciles", "Workers.", ["controller"], registry=REGISTRY)
ACTIVE_WORKERS = Gauge("controller_runtime_active_workers", "Workers at work.", ["controller"], registry=REGISTRY)
QUEUE_SECONDS = Histogram(
    "workqueue_queue_duration_seconds",
    "Time that a key waited.",
    ["name", "controller"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
WORK_SECONDS = Histogram(
    "workqueue_work_duration_seconds",
    "Time that a key was worked on.",
    ["name", "controller"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
REQUESTS = Counter("rest_client_requests", "Requests to the API server.", ["code", "method", "host"], registry=REGISTRY)
WRITES = Counter("lingma_operator_writes", "Objects written, by kind and verb.", ["kind", "verb"], registry=REGISTRY)
ACCOUNTS = Gauge("lingma_operator_accounts", "Accounts by whether they are Ready.", ["ready"], registry=REGISTRY)
GHOSTS = Counter(
    "lingma_operator_ghosts", "Objects that a list no longer had and no watch had told of.", registry=REGISTRY
)
LOOP_LAG = Gauge("lingma_operator_loop_lag_seconds", "How late the event loop runs.", registry=REGISTRY)


class Readiness:
    """Keeps gauge `lingma_operator_accounts`; an account is counted under its last known state."""

    def __init__(self) -> None:
        self._ready: dict[str, bool] = {}

    def set(self, account: str, ready: bool) -> None:
        """The account is Ready or not."""
        self._ready[account] = ready
        self._show()

    def forget(self, account: str) -> None:
        """The account is gone."""
        self._ready.pop(account, None)
        self._show()

    def _show(self) -> None:
        ready = sum(self._ready.values())
        ACCOUNTS.labels(ready="true").set(ready)
        ACCOUNTS.labels(ready="false").set(len(self._ready) - ready)


READINESS = Readiness()


class QueueMetrics(Collector):
    """What the queue knows about itself at the time of the scrape."""

    def __init__(self, queue: WorkQueue[Key], now: Callable[[], float]) -> None:
        self._queue = queue
        self._now = now

    def collect(self) -> Iterable[Metric]:
        running = self._queue.schedule.running(self._now())
        for name, about, value in (
            ("workqueue_depth", "Keys that wait.", float(len(self._queue.schedule))),
            ("workqueue_unfinished_work_seconds", "Age of all work in flight.", sum(running)),
            ("workqueue_longest_running_processor_seconds", "Age of the oldest.", max(running, default=0.0)),
        ):
            gauge = GaugeMetricFamily(name, about, labels=["name", "controller"])
            gauge.add_metric([CONTROLLER, CONTROLLER], value)
            yield gauge
        for name, about, count in (
            ("workqueue_adds", "Keys that came in.", self._queue.adds),
            ("workqueue_retries", "Keys that came back after a failure.", self._queue.retries),
        ):
            counter = CounterMetricFamily(name, about, labels=["name", "controller"])
            counter.add_metric([CONTROLLER, CONTROLLER], count)
            yield counter
