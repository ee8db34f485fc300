"""Puts a tap where clients look for Lingma: `.info`, and `.info.json` where there is one."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lingma_gateway.lingma.infofile import INFO_NAME
from lingma_gateway.sessions import files

_JSON_NAME = ".info.json"


@contextmanager
def announced(folder: Path, port: int) -> Iterator[None]:
    """Clients that look into `folder` find `port` until the block ends; then they find what was there before.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as stack:
        stack.enter_context(_replaced(folder / INFO_NAME, f"{port}\n{os.getpid()}\n".encode()))
        if (folder / _JSON_NAME).exists():
            content = json.dumps({"websocketPort": port, "pid": os.getpid()}).encode()
            stack.enter_context(_replaced(folder / _JSON_NAME, content))
        yield


@contextmanager
def _replaced(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes() if path.exists() else None
    files.replace(path, content)
    try:
        yield
    finally:
        # A Lingma that was started meanwhile wrote its own; that one stays.
        if path.exists() and path.read_bytes() == content:
            if before is None:
                path.unlink()
            else:
                files.replace(path, before)
