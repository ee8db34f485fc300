"""A gateway in this process with one simulated account, whose agent may use two tools; one for all these tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.matrix.bench import Bench, bench


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with bench(
        tmp_path_factory.mktemp("agent"),
        first_event_timeout=30,
        idle_timeout=30,
        agent_mode="on",
        agent_tools="list_dir=show, grep_code=approve, search_web=show",
    ) as made:
        yield made


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def forwarding(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """As `gateway`, and Lingma is told of clients' tools."""
    async with bench(
        tmp_path_factory.mktemp("forwarding"),
        first_event_timeout=30,
        idle_timeout=30,
        agent_mode="on",
        tools_mode="agent",
        tool_forward_enabled=True,
    ) as made:
        yield made
