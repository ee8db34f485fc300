"""The helm that the tests of the cluster build and cache."""

import pytest

from tests.chart.support import Helm
from tests.cluster import binaries
from tests.cluster.report import Report


@pytest.fixture(scope="session")
def helm() -> Helm:
    return Helm(binaries.default().ensure("helm", Report()))
