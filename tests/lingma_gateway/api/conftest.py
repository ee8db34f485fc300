"""A gateway with two simulated accounts, run as `lingma-gateway serve --simulate`, one for all these tests."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.support.programs import Program

ENVIRONMENT = {
    "API_KEYS": "team-a=sk-a,team-b=sk-b",
    "METRICS_PUBLIC": "true",
    "LINGMA_PING_INTERVAL": "1",
    "DRAIN_PROPAGATION_SECONDS": "0",
    "LOG_LEVEL": "debug",
}


@dataclass(frozen=True)
class Gateway:
    program: Program
    url: str
    key: str = "sk-a"

    def client(self, key: str | None = None) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key or self.key}"}, timeout=30)


def started(program: Program, accounts: int) -> Gateway:
    port = program.wait_for("listening")["ports"][0]
    for _ in range(accounts):
        program.wait_for("lingma_state", new_state="ready")
    return Gateway(program, f"http://127.0.0.1:{port}")


@pytest.fixture(scope="package")
def gateway() -> Iterator[Gateway]:
    with Program("lingma_gateway", ["serve", "--simulate", "--port", "0"], ENVIRONMENT) as program:
        yield started(program, 2)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.client() as client:
        yield client
