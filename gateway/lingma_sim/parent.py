"""The process that started this one: when it is gone, so are we. Its pid is `processId` of `initialize`."""

import asyncio
import os
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and is not yet reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        # After the last parenthesis, since the command before it may hold any.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


async def until_gone(pid: int, poll_seconds: float) -> None:
    """Wait for the end of a process that is no child of ours: it can only be looked for."""
    while is_alive(pid):  # noqa: ASYNC110 - there is no event to await
        await asyncio.sleep(poll_seconds)
