"""Fixtures of the operator's tests."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from lingma_operator.bootstrap import Masters
from lingma_operator.cluster import ApiCluster, Connection, connected
from lingma_operator.gateways import GatewayRefused
from lingma_operator.observed import CapturedSession, Report
from lingma_operator.reconcile import Reconciler
from lingma_operator.settings import Settings
from lingma_operator.store import Key, Store
from lingma_operator.sync import fill
from tests.lingma_operator.fake_kubernetes import FakeKubernetes
from tests.lingma_operator.support import NOW, settings


async def token() -> str:
    return "Bearer of-the-operator"


@pytest.fixture
async def kubernetes() -> AsyncIterator[FakeKubernetes]:
    async with FakeKubernetes().serving() as fake:
        yield fake


@pytest.fixture
def connection(kubernetes: FakeKubernetes) -> Connection:
    return Connection(kubernetes.url, None, token)


@pytest.fixture
async def cluster(connection: Connection) -> AsyncIterator[ApiCluster]:
    async with connected(connection, 8) as api:
        yield api


@dataclass
class FakeGateways:
    """Answers for every gateway with one report."""

    report: Report = field(default_factory=Report)
    asked: list[str] = field(default_factory=list)
    session: CapturedSession | None = None
    tokens: list[str] = field(default_factory=list)
    """With which the captured session was asked for."""

    async def ask(self, address: str) -> Report:
        self.asked.append(address)
        return self.report

    async def captured(self, address: str, admin_token: str) -> CapturedSession:
        self.tokens.append(admin_token)
        if self.session is None:
            raise GatewayRefused("http://10.0.0.7:8318/internal/session/captured answered 404")
        return self.session


@dataclass
class World:
    """A fake Kubernetes with a reconciler before it. `settle` reads it and reconciles once, as the watches would."""

    kubernetes: FakeKubernetes
    cluster: ApiCluster
    gateways: FakeGateways
    by: Settings
    store: Store = field(default_factory=Store)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new operator process: nothing remembered."""
        self.store = Store()
        masters = Masters(self.cluster, self.by, lambda: 0.0)
        self.reconciler = Reconciler(self.cluster, self.gateways, self.store, masters, self.by, lambda: NOW)

    async def settle(self, name: str = "alice") -> float | None:
        await fill(self.cluster, self.store, self.by)
        return await self.reconciler.reconcile(Key("team", name))

    def writes(self) -> list[tuple[str, str]]:
        """What was written since the last call."""
        made = list(self.kubernetes.calls)
        self.kubernetes.calls.clear()
        return made


@pytest.fixture
def world(kubernetes: FakeKubernetes, cluster: ApiCluster) -> World:
    return World(kubernetes, cluster, FakeGateways(), settings())
