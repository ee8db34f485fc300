"""A gateway in this process with one simulated account, and conversations with it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.matrix.bench import Bench, bench

PATIENT = {"first_event_timeout": 30, "idle_timeout": 30}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with bench(tmp_path_factory.mktemp("gateway"), **PATIENT) as made:
        yield made
