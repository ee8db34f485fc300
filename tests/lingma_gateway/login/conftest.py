"""The browser that the login tests use, and a port."""

import socket

import pytest

from tests.support.browser import chromium

__all__ = ["chromium"]


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])
