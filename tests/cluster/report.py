"""Tells a person what is being done and what is waited for, one line an event, from any thread."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEARTBEAT_SECONDS = 15.0  # a CI log that is silent longer looks stuck


def span(seconds: float) -> str:
    """`4.2s` or `3m12s`."""
    return f"{seconds:.1f}s" if seconds < 60 else f"{int(seconds) // 60}m{int(seconds) % 60:02d}s"


class Report:
    """Lines on standard error, so that what a command prints for programs stays clean."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        with self._lock:
            print(f"[{span(time.monotonic() - self._started):>6}] {text}", file=sys.stderr, flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say what begins, that it is still going on, and how long it took."""
        began = time.monotonic()
        ended = threading.Event()
        self.line(what)

        def beat() -> None:
            while not ended.wait(HEARTBEAT_SECONDS):
                self.line(f"{what}: {span(time.monotonic() - began)}")

        heart = threading.Thread(target=beat, daemon=True)
        heart.start()
        try:
            yield
        finally:
            ended.set()
            heart.join()
        self.line(f"{what}: done in {span(time.monotonic() - began)}")
