"""The helm binary that the cluster tests build and cache."""

import os
from pathlib import Path

import pytest

from tests.chart.support import Helm


@pytest.fixture(scope="session")
def helm() -> Helm:
    return Helm(Path(os.environ["HELM"]))
