"""What the tests of the router share."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop

from lingma_contract import jsonlog

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Lines = Callable[[str], list[dict[str, Any]]]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """The loop that the router runs on: resets, cancellations and sockets are its own."""
    return {"uvloop": uvloop.new_event_loop}


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
