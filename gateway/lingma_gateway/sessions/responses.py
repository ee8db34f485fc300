"""Stored responses of OpenAI's Responses API: what `previous_response_id` continues and `GET /v1/responses/{id}` shows.

They live in the work directory and go with it. The file is only touched on one thread, off the event loop.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from lingma_contract.jsonlog import event
from lingma_gateway.sessions.captured import STATE_DIR
from lingma_gateway.sessions.responsefile import Limits, Lost, ResponseFile, StoredResponse, StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class ResponseStore:
    """The responses that are kept. Responses of other API keys are not there for a caller."""

    def __init__(self, work_dir: Path, limits: Limits, now: Callable[[], float] = time.time) -> None:
        """Touches nothing before the first call."""
        self._file = ResponseFile(work_dir / STATE_DIR, limits, now)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="responses")

    async def put(self, response: StoredResponse) -> bool:
        """Store a response, so that it can be read at once. False: it could not be stored; the log says why."""
        try:
            await self._run(self._file.put, response)
        except StoreUnavailable as error:
            event(log, "response_not_stored", level=logging.ERROR, response_id=response.id, reason=str(error))
            return False
        return True

    async def chain(self, id: str, key_id: str) -> list[StoredResponse]:
        """The response and all that it continues, the oldest first.

        Raises:
            Lost: one of them is not there any more, or never was.
        """
        try:
            return await self._run(self._file.chain, id, key_id)
        except StoreUnavailable as error:
            self._unreadable(error)
            raise Lost(id) from error

    async def get(self, id: str, key_id: str) -> StoredResponse | None:
        """One response; None: it is not there any more, or never was."""
        try:
            return await self._run(self._file.get, id, key_id)
        except StoreUnavailable as error:
            self._unreadable(error)
            return None

    async def delete(self, id: str, key_id: str) -> bool:
        """Remove one response; False: it was not there.

        Raises:
            StoreUnavailable: it may still be there.
        """
        return await self._run(self._file.delete, id, key_id)

    async def close(self) -> None:
        """Close the file, behind whatever is under way."""
        await self._run(self._file.close)
        self._thread.shutdown()

    def _unreadable(self, error: StoreUnavailable) -> None:
        event(log, "responses_unreadable", level=logging.ERROR, reason=str(error))

    async def _run(self, work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
