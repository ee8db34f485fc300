"""A gateway in this process with one simulated account, one for all these tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.matrix.bench import Bench, bench


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with bench(
        tmp_path_factory.mktemp("gateway"), first_event_timeout=30, idle_timeout=30, session_reuse_enabled=False
    ) as made:
        yield made
