"""The last frames, kept in memory for who asks at the control port."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

FRAMES_KEPT = 5000


class KeptFrames:
    """Masked frames, numbered from 1."""

    def __init__(self) -> None:
        self._frames: deque[dict[str, Any]] = deque(maxlen=FRAMES_KEPT)
        self._seen = 0
        self._arrived = asyncio.Event()
        self._closed = False

    def keep(self, line: dict[str, Any]) -> None:
        """Take one."""
        self._seen += 1
        self._frames.append({"number": self._seen, **line})
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = asyncio.Event()

    async def select(self, wanted: Callable[[dict[str, Any]], bool], seconds: float) -> list[dict[str, Any]]:
        """Those that are wanted; when there is none yet, wait so long for the first one."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            found = [frame for frame in self._frames if wanted(frame)]
            if found or self._closed:
                return found
            try:
                async with asyncio.timeout_at(deadline):
                    await self._arrived.wait()
            except TimeoutError:
                return []

    def clear(self) -> None:
        """Forget them; numbers go on."""
        self._frames.clear()

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        self._wake()
