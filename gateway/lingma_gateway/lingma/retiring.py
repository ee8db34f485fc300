"""Deletes sessions upstream, behind the turns' backs, so that Lingma's database does not grow for ever."""

import asyncio
import logging

from lingma_contract.jsonlog import event
from lingma_gateway.errors import UpstreamError
from lingma_gateway.lingma.connection import Connection
from lingma_gateway.lingma.exchange import CLEANUP_TIMEOUT_S

log = logging.getLogger(__name__)


class Deletions:
    """What is being deleted."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, connection: Connection, session_id: str) -> None:
        """Delete a session; nobody waits for it."""
        task = asyncio.create_task(_delete(connection, session_id))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settle(self) -> None:
        """Until every session that was to be deleted has been, or its connection is gone."""
        await asyncio.gather(*self._running)


async def _delete(connection: Connection, session_id: str) -> None:
    try:
        await connection.request("chat/deleteSessionById", {"sessionId": session_id}, CLEANUP_TIMEOUT_S)
    except UpstreamError as error:
        event(log, "lingma_session_not_deleted", level=logging.DEBUG, reason=str(error)[:200])
