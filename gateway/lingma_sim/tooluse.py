"""Tools in a turn: shown by tool/call/sync, approved by tool/call/approve, run by the client on tool/invoke."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lingma_sim import pushes
from lingma_sim.directives import Tool
from lingma_sim.rpc import Reply
from lingma_sim.turn import Turn

NO_RESPONSE = "no response from client, timeout reached"
DENIED = "denied by user"
LOWER_STATUS = {"RUNNING": "processing"}
"""`tool-case`: an earlier gateway noted `pending` and `processing`."""

_Told = TypeVar("_Told")


class Expected(Generic[_Told]):
    """What the client is to send in a request of its own, by tool call id."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[_Told]] = {}

    def expect(self, call_id: str) -> asyncio.Future[_Told]:
        """Wait for it from now on; before the push that asks for it."""
        self._waiting[call_id] = asyncio.get_running_loop().create_future()
        return self._waiting[call_id]

    def settle(self, call_id: str, told: _Told) -> bool:
        """Take it; whether it was waited for."""
        future = self._waiting.pop(call_id, None)
        if future is None or future.done():
            return False
        future.set_result(told)
        return True

    async def told(self, call_id: str, future: asyncio.Future[_Told], seconds: float) -> _Told | None:
        """Wait; None when it does not come in time."""
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(call_id, None)


class ToolDesk:
    """What the client tells about tools, for all turns."""

    def __init__(self) -> None:
        self.approvals: Expected[bool] = Expected()
        self.results: Expected[Mapping[str, Any]] = Expected()


Push = Callable[[str, Mapping[str, Any], float | None], Awaitable[Reply | None]]
"""Push and wait for the reply, for so many seconds or as long as usual."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The tools of one turn."""

    turn: Turn
    desk: ToolDesk
    push: Push
    seconds: float
    """How long the client may take to approve or run a tool."""
    read: Callable[[str], str]
    """The text of a file of the work directory; its own words where there is none."""

    async def all(self, tools: tuple[Tool, ...]) -> list[tuple[str, str]]:
        """Use the tools one after another; names and call ids."""
        used = []
        for tool in tools:
            call_id = f"call_{uuid.uuid4().hex}"
            await self._one(tool, call_id)
            used.append((tool.name, call_id))
        if used and not self.turn.faults.on("tool-unfinished"):
            await self._sync(tools[-1], used[-1][1], "REQUEST_FINISHED", {})
        return used

    async def _sync(
        self,
        tool: Tool,
        call_id: str,
        status: str,
        parameters: dict[str, Any],
        results: list[Any] | None = None,
        error: str = "",
    ) -> None:
        if self.turn.faults.on("tool-case"):
            status = LOWER_STATUS.get(status, status.lower())
        name = tool.name if self.turn.faults.on("tool-named") else ""
        params = pushes.tool_sync(self.turn.ids, call_id, status, parameters, results or [], error, name)
        await self.push("tool/call/sync", params, None)

    async def _one(self, tool: Tool, call_id: str) -> None:
        await self._sync(tool, call_id, "INIT", tool.parameters)
        if self.turn.faults.on("tool-approval"):
            refusal = await self._refusal(tool, call_id)
            if refusal:
                self.turn.session.tool_reply = None
                await self._sync(tool, call_id, "CANCELLED", tool.parameters, error=refusal)
                return
        await self._sync(tool, call_id, "RUNNING", tool.parameters)
        if tool.name in pushes.RUN_INSIDE:
            await self._sync(tool, call_id, "FINISHED", tool.parameters, [self._done_inside()])
            return
        error = await self._run_by_client(tool, call_id)
        status, results = ("ERROR", []) if error else ("FINISHED", [self.turn.session.tool_reply])
        await self._sync(tool, call_id, status, tool.parameters, results, error)

    def _done_inside(self) -> dict[str, Any]:
        file = self.turn.faults.text("tool-reads")
        return {"content": self.read(file)} if file else {"simulated": True}

    async def _refusal(self, tool: Tool, call_id: str) -> str:
        future = self.desk.approvals.expect(call_id)
        await self._sync(tool, call_id, "PENDING", tool.parameters)
        approved = await self.desk.approvals.told(call_id, future, self.seconds)
        if approved is None:
            return NO_RESPONSE
        return "" if approved else DENIED

    async def _run_by_client(self, tool: Tool, call_id: str) -> str:
        later = self.turn.faults.on("tool-async")
        future = self.desk.results.expect(call_id)
        invoke = pushes.tool_invoke(self.turn.ids, call_id, tool.name, tool.parameters, later=later)
        reply = await self.push("tool/invoke", invoke, self.seconds)
        error = failure(reply)
        if later and not error:
            told = await self.desk.results.told(call_id, future, self.seconds)
            reply = None if told is None else Reply("", dict(told), None)
            error = failure(reply)
        self.turn.session.tool_reply = _told(reply)
        return error


def _told(reply: Reply | None) -> Any:
    if reply is None:
        return None
    return reply.result if reply.error is None else {"error": reply.error}


def failure(reply: Reply | None) -> str:
    """Why a tool failed; empty when it did not. `{}` is an empty result: the hazard of acking blindly."""
    if reply is None:
        return NO_RESPONSE
    if reply.error is not None:
        return str(reply.error.get("message", "")) or "error" if isinstance(reply.error, dict) else "error"
    if isinstance(reply.result, dict) and reply.result.get("success") is False:
        return str(reply.result.get("errorMessage") or "tool failed")
    return ""
