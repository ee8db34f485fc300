"""What the tests of the router share."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lingma_contract import jsonlog

Lines = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def logged() -> Iterator[Lines]:
    """Logs as the program does; gives the lines of one event so far."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    jsonlog.configure("info", stream=stream)
    yield lambda event: [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == event]
    root.handlers[:] = handlers
    root.setLevel(level)
