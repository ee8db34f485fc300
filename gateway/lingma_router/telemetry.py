"""One access line and a few counts for every request. Nothing of a body, a key or a query goes into either."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lingma_contract import jsonlog
from lingma_contract import names as contract
from lingma_contract.errors import Dialect
from lingma_router.directory import Directory
from lingma_router.loads import Loads
from lingma_router.placement import Account

_log = logging.getLogger("lingma_router.access")

CLIENT_CLOSED = 499
"""Status in log and metrics of a request whose client went away first (nginx's number)."""


@dataclass(slots=True)
class Exchange:
    """What is known of one request, filled in as it goes."""

    request_id: str
    method: str
    path: str
    dialect: Dialect
    started: float = field(default_factory=time.perf_counter)
    key_id: str | None = None
    account: Account | None = None
    reason: str | None = None
    status: int = 0
    """Of the answer; 0 until there is one."""
    stream: bool = False
    bytes_out: int = 0
    """Of the answer's body."""
    error: str | None = None
    """What went wrong, in a few words that are ours."""


class Telemetry:
    """The log line and the metrics. Labels are bounded: statuses, reasons, and accounts that exist."""

    def __init__(self, directory: Directory, loads: Loads) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            contract.Metric.ROUTER_REQUESTS, "Requests answered", ["dialect", "status"], registry=self.registry
        )
        self._placements = Counter(
            contract.Metric.ROUTER_PLACEMENTS, "Requests sent to an account", ["reason"], registry=self.registry
        )
        self.registry.register(_Live(directory, loads))

    def placed(self, reason: str) -> None:
        """A request goes to an account for `reason`."""
        self._placements.labels(reason).inc()

    def finished(self, exchange: Exchange) -> None:
        """A request is over, however it ended."""
        self._requests.labels(exchange.dialect.value, str(exchange.status)).inc()
        account = exchange.account
        jsonlog.event(
            _log,
            "access",
            request_id=exchange.request_id,
            method=exchange.method,
            path=exchange.path,
            status=exchange.status,
            elapsed_ms=round((time.perf_counter() - exchange.started) * 1000, 1),
            dialect=exchange.dialect.value,
            account=account and account.name,
            namespace=account and account.namespace,
            key_id=exchange.key_id,
            reason=exchange.reason,
            stream=exchange.stream,
            bytes=exchange.bytes_out,
            problem=exchange.error,
        )

    def render(self) -> bytes:
        """The metrics in Prometheus' text form."""
        return generate_latest(self.registry)


class _Live(Collector):
    """Read from the state itself at each scrape: no gauge can drift, and none outlives its account."""

    def __init__(self, directory: Directory, loads: Loads) -> None:
        self._directory = directory
        self._loads = loads

    def collect(self) -> Iterator[Metric]:
        snapshot = self._directory.snapshot
        yield GaugeMetricFamily(
            contract.Metric.ROUTER_ACCOUNTS_READY, "Accounts that take requests", value=len(snapshot.ready)
        )
        in_flight = GaugeMetricFamily(
            contract.Metric.ROUTER_IN_FLIGHT, "Requests in flight from this router", labels=["namespace", "account"]
        )
        for uid, listed in snapshot.accounts.items():
            account = listed.account
            in_flight.add_metric([account.namespace, account.name], self._loads.counts.get(uid, 0))
        yield in_flight
