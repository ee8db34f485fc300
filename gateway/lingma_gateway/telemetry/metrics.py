"""Metrics of one gateway. Their names are in `lingma_contract.names`; no label holds what a client chose freely."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from lingma_contract.names import Metric
from lingma_gateway.pool import Pool
from lingma_gateway.sessions.cache import Dropped, SessionCache
from lingma_gateway.sessions.continuing import HIT
from lingma_gateway.sessions.knowledge import Miss

_MAX_KEYS = 100
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class _PoolCollector(Collector):
    """Reads the pool when it is scraped, so that a gauge is never stale."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def collect(self) -> Iterable[Family]:
        in_flight = GaugeMetricFamily(Metric.POOL_IN_FLIGHT, "Turns that run now", labels=["name"])
        ready = GaugeMetricFamily(Metric.POOL_READY, "1 when connected and logged in", labels=["name"])
        login = GaugeMetricFamily(
            Metric.LOGIN_STATE, "1 for why the account is logged in or not", labels=["name", "reason"]
        )
        expiry = GaugeMetricFamily(Metric.SESSION_EXPIRY, "When the login ends, in seconds since 1970", labels=["name"])
        for instance in self._pool.instances:
            login.add_metric([instance.name, instance.health.reason.value], 1.0)
            if (expires_ms := instance.login_progress.expires_ms) is not None:
                expiry.add_metric([instance.name], expires_ms / 1000)
            in_flight.add_metric([instance.name], instance.in_flight)
            ready.add_metric([instance.name], float(instance.ready))
        yield in_flight
        yield ready
        yield login
        yield expiry
        yield CounterMetricFamily(
            Metric.ACCEPTED.removesuffix("_total"), "Turns that were given a slot", value=self._pool.accepted
        )
        yield GaugeMetricFamily(Metric.QUEUED, "Requests that wait for a slot", value=self._pool.queued)


class _SessionCollector(Collector):
    """Reads the session cache when it is scraped."""

    def __init__(self, sessions: SessionCache) -> None:
        self._sessions = sessions

    def collect(self) -> Iterable[Family]:
        stats = self._sessions.stats
        yield GaugeMetricFamily(Metric.SESSIONS_KEPT, "Sessions of Lingma's that are kept", value=len(self._sessions))
        reuse = CounterMetricFamily(
            Metric.SESSION_REUSE.removesuffix("_total"),
            "Turns, by whether they went on in a session",
            labels=["outcome"],
        )
        reuse.add_metric([HIT], stats.hits)
        for miss in Miss:
            reuse.add_metric([miss.value], stats.misses[miss])
        yield reuse
        dropped = CounterMetricFamily(
            Metric.SESSIONS_DROPPED.removesuffix("_total"), "Sessions that were given up", labels=["reason"]
        )
        for why in Dropped:
            dropped.add_metric([why.value], stats.dropped[why])
        yield dropped


class Metrics:
    """Counters and histograms, in a registry of their own."""

    def __init__(self, pool: Pool) -> None:
        self._keys: set[str] = set()
        self.registry = CollectorRegistry()
        self.registry.register(_PoolCollector(pool))
        self.requests = Counter(
            Metric.REQUESTS.removesuffix("_total"),
            "Requests by dialect and status",
            ["dialect", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            Metric.REQUEST_SECONDS, "Whole requests", ["dialect"], buckets=_SECONDS, registry=self.registry
        )
        self.first_token_seconds = Histogram(
            Metric.FIRST_TOKEN_SECONDS, "Request to first event", ["dialect"], buckets=_SECONDS, registry=self.registry
        )
        self.queue_seconds = Histogram(
            Metric.QUEUE_SECONDS, "Waiting for a slot", buckets=_SECONDS, registry=self.registry
        )
        self.key_requests = Counter(
            Metric.KEY_REQUESTS.removesuffix("_total"),
            "Requests by API key and status",
            ["key_id", "status"],
            registry=self.registry,
        )
        self.tokens = Counter(
            Metric.TOKENS.removesuffix("_total"), "Tokens, estimated", ["direction"], registry=self.registry
        )
        self.rejected = Counter(
            Metric.REJECTED.removesuffix("_total"), "Requests refused for want of a slot", registry=self.registry
        )
        self.retries = Counter(
            Metric.RETRIES.removesuffix("_total"),
            "Times that a model was asked again within a turn, by what was wrong",
            ["why"],
            registry=self.registry,
        )
        self.tool_calls = Counter(
            Metric.TOOL_CALLS.removesuffix("_total"),
            "Calls of clients' tools, by tool (at most 100 names) and what became of them",
            ["tool", "outcome"],
            registry=self.registry,
        )
        self.tool_events = Counter(
            Metric.TOOL_EVENTS.removesuffix("_total"), "Tool events of Lingma", ["method"], registry=self.registry
        )

    def watch(self, sessions: SessionCache | None) -> None:
        """Have the figures of the session cache, too, where there is one."""
        if sessions is not None:
            self.registry.register(_SessionCollector(sessions))

    def count_key(self, key_id: str, status: int) -> None:
        """One request of a key. Keys beyond the first hundred are counted together: a label must not grow for ever."""
        if key_id not in self._keys and len(self._keys) >= _MAX_KEYS:
            key_id = "other"
        else:
            self._keys.add(key_id)
        self.key_requests.labels(key_id, str(status)).inc()
