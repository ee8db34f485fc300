"""One gateway with two simulated accounts for all clients."""

from collections.abc import Iterator

import pytest

from tests.lingma_gateway.api.conftest import ENVIRONMENT, Gateway, started
from tests.support.programs import Program


@pytest.fixture(scope="package")
def gateway() -> Iterator[Gateway]:
    with Program("lingma_gateway", ["serve", "--simulate", "--port", "0"], ENVIRONMENT) as program:
        yield started(program, 2)
