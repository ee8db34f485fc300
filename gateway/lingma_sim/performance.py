"""Performing one turn: its pushes one after another, each waiting for the client's reply to the one before."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lingma_sim import chunks, pushes, script, wire
from lingma_sim.directives import Crash, Fail, Hang
from lingma_sim.faults import Faults
from lingma_sim.hub import Hub
from lingma_sim.journal import Journal
from lingma_sim.pushes import TurnIds
from lingma_sim.replay import RecordedTurn
from lingma_sim.rpc import Reply
from lingma_sim.script import Facts
from lingma_sim.sessions import Session
from lingma_sim.tooluse import ToolDesk, ToolUse
from lingma_sim.turn import Turn

CHARACTERS_PER_TOKEN = 4
FINISH_OK = 200
CONTEXT_LIMIT = 180_000
QUOTA = {"daily": (110, "daily usage limit"), "rate": (429, "TooManyRequests")}
"""statusCode and reason of a turn that a quota refuses (protocol page: TF for 110; the OpenAPI's 429)."""
FOREIGN = TurnIds("request-of-another-client", "session-of-another-client", "chat")


@dataclass(frozen=True, slots=True)
class World:
    """What a turn may do to the process."""

    faults: Faults
    uid: Callable[[], str]
    logout: Callable[[], None]
    crash: Callable[[], None]
    read: Callable[[str], str]
    """The text of a file of the work directory."""
    remember: Callable[[Session], None]
    """Keep a session as it is now."""
    rename: Callable[[Session], None]
    """Give a session a new id."""
    ack_timeout: Callable[[], float]
    """Seconds to wait for the reply to a push."""
    tool_timeout: float
    """Seconds to wait for the reply to tool/invoke."""
    first_delay: float = 0.0
    """Seconds before a turn's first chunk."""
    chunk_delay: float = 0.0
    """Seconds between chunks."""


class _Lost(Exception):
    """The connections are gone: the turn ends silently."""


class Performance:
    """One turn being performed."""

    def __init__(
        self, hub: Hub, journal: Journal, world: World, desk: ToolDesk, next_ask: Callable[[], Awaitable[None]]
    ) -> None:
        self._hub = hub
        self._journal = journal
        self._world = world
        self._desk = desk
        self._next_ask = next_ask
        self._unanswered: asyncio.TaskGroup | None = None
        self._full_answer = ""

    async def run(self, turn: Turn) -> None:
        """Perform the turn to its end."""
        try:
            async with asyncio.TaskGroup() as self._unanswered:
                with contextlib.suppress(_Lost):
                    if turn.plan.recorded is None:
                        await self._perform(turn)
                    else:
                        await self._repeat(turn, turn.plan.recorded)
        finally:
            self._world.remember(turn.session)

    async def push(
        self, turn: Turn, method: str, params: Mapping[str, Any], seconds: float | None = None
    ) -> Reply | None:
        """Push and wait for the reply; None when there is none, or it is not waited for since frames are joined."""
        wait = self._world.ack_timeout() if seconds is None else seconds
        if self._world.faults.peek("join-frames") is not None and method != "tool/invoke":
            assert self._unanswered is not None
            self._unanswered.create_task(self._hub.call(method, params, wait))
            await asyncio.sleep(0)  # it is sent before the next one is
            return None
        reply = await self._hub.call(method, params, wait)
        if reply is None and turn.faults.on("unacked-stall"):
            await self._next_ask()
        return reply

    async def _perform(self, turn: Turn) -> None:
        plan, faults = turn.plan.script, turn.faults
        if faults.text("disconnect") == "early":
            await self._lose("abort")
        if faults.text("crash") == "early" or (isinstance(plan.ending, Crash) and not plan.pieces):
            self._world.crash()
        if faults.on("one-late"):
            await self._next_ask()
        await asyncio.sleep(faults.seconds("slow-first"))
        await self._introduce(turn)
        if faults.text("quota") in QUOTA:
            status, reason = QUOTA[faults["quota"]]
            await self._finish(turn, reason, status)
            return
        if plan.logout:
            self._world.logout()
        prefix = await self._use_tools(turn)
        prefix = await self._think(turn) + prefix
        await asyncio.sleep(self._world.first_delay)
        await self._answer(turn, prefix)
        await self._end(turn)

    async def _introduce(self, turn: Turn) -> None:
        for step in ("step_start", "step_end"):
            await self.push(turn, "chat/process_step_callback", pushes.step(turn.ids, step))
        if not turn.earlier:
            await self.push(turn, "session/title/update", pushes.title(turn.ids, turn.session.title))

    async def _use_tools(self, turn: Turn) -> str:
        async def push(method: str, params: Mapping[str, Any], seconds: float | None) -> Reply | None:
            return await self.push(turn, method, params, seconds)

        used = await ToolUse(turn, self._desk, push, self._world.tool_timeout, self._world.read).all(
            turn.plan.script.tools
        )
        fenced = turn.faults.on("fenced-tools")
        return "".join(chunks.fenced_tool(name, call_id) for name, call_id in used) if fenced else ""

    async def _think(self, turn: Turn) -> str:
        thoughts = turn.plan.script.thoughts
        if not thoughts:
            return ""
        if turn.faults.on("fenced-thinking"):
            return chunks.fenced_thought("\n".join(thoughts), 1234)
        for thought in thoughts:
            await self.push(turn, "chat/think", pushes.think(turn.ids, thought, "start", now_ms()))
        await self.push(turn, "chat/think", pushes.think(turn.ids, "", "done", now_ms()))
        return ""

    async def _answer(self, turn: Turn, prefix: str) -> None:
        plan, faults = turn.plan.script, turn.faults
        if not plan.pieces:
            await self._middle(turn)
            return
        facts = Facts(self._world.uid(), turn.earlier, turn.ask.model, turn.session.tool_reply, turn.ask.image_urls)
        told = chunks.tell(prefix + script.answer(plan, facts), plan.chunks, faults)
        self._full_answer = told.full_answer
        pause = max(plan.delay_ms / 1000, faults.seconds("slow-chunks"), self._world.chunk_delay)
        first = next((number for number, chunk in enumerate(told.chunks) if chunk.text), 0)
        for number, chunk in enumerate(told.chunks):
            if number and pause:
                await asyncio.sleep(pause)
            turn.record.answer = chunk.text if chunk.overwrite else turn.record.answer + chunk.text
            params = pushes.answer(turn.ids, chunk.text, now_ms(), overwrite=chunk.overwrite)
            await self.push(turn, "chat/answer", params)
            if number == first:
                await self._middle(turn)
        if not told.chunks:
            await self._middle(turn)
        turn.record.answer = told.text

    async def _middle(self, turn: Turn) -> None:
        """What strikes after the first chunk."""
        faults = turn.faults
        if faults.text("session-change") == "middle":
            self._change_session(turn)
        if faults.on("malformed-frame"):
            self._hub.send_text(wire.MALFORMED_FRAMES[faults["malformed-frame"]])
        if faults.on("malformed-json"):
            body = wire.MALFORMED_BODIES[faults["malformed-json"]]
            self._hub.send_text(f"Content-Length: {len(body)}\r\n\r\n{body}")
        await self._push_strange(turn)
        if faults.text("crash") == "middle":
            self._world.crash()
        if faults.on("disconnect"):
            await self._lose(faults["disconnect"])

    async def _push_strange(self, turn: Turn) -> None:
        faults = turn.faults
        if faults.on("unknown-push"):
            self._hub.notify("lingma/unknownNotification", turn.ids.both)
            await self.push(turn, "lingma/unknownRequest", turn.ids.both)
        if faults.on("other-pushes"):
            for method, params in pushes.OTHERS:
                await self.push(turn, method, params)
        if faults.on("foreign-pushes"):
            await self.push(turn, "chat/answer", pushes.answer(FOREIGN, "not for you", now_ms()))
            await self.push(turn, "chat/think", pushes.think(FOREIGN, "not for you", "start", now_ms()))
            await self.push(turn, "tool/call/sync", pushes.tool_sync(FOREIGN, "call_other", "INIT", {}, [], ""))
            await self.push(turn, "chat/finish", pushes.finish(FOREIGN, reason="not yours", status=500))

    def _change_session(self, turn: Turn) -> None:
        self._world.rename(turn.session)
        turn.ids = TurnIds(turn.ids.request_id, turn.session.session_id, turn.ids.session_type)

    async def _lose(self, how: str) -> None:
        await self._hub.drop(how)
        raise _Lost

    async def _end(self, turn: Turn) -> None:
        reason, status = "success", FINISH_OK
        if turn.faults.on("finish-code"):
            code, _, reason = turn.faults["finish-code"].partition(" ")
            status = int(code)
        match turn.plan.script.ending:
            case Crash():
                self._world.crash()
            case Hang():
                await asyncio.get_running_loop().create_future()
            case Fail(code=number, message=message):
                reason, status = message, number
            case None:
                pass
        if not turn.faults.on("no-usage-log"):
            self._journal.usage(turn.ids.request_id, tokens(turn.ask.question), tokens(turn.record.answer))
        if turn.faults.on("context-usage"):
            used = tokens(turn.ask.question) + tokens(turn.record.answer)
            await self.push(turn, "context/usage/sync", pushes.context_usage(used, CONTEXT_LIMIT))
        await self._finish(turn, reason, status)

    async def _finish(self, turn: Turn, reason: str, status: int) -> None:
        if turn.faults.on("missing-finish"):
            return
        if turn.faults.text("session-change") == "finish":
            self._change_session(turn)
        finish = pushes.finish(turn.ids, reason=reason, status=status, full_answer=self._full_answer)
        await self.push(turn, "chat/finish", finish)
        if turn.faults.on("after-finish"):
            await self.push(turn, "chat/answer", pushes.answer(turn.ids, "too late", now_ms()))
            await self.push(turn, "chat/finish", pushes.finish(turn.ids, reason="once more", status=500))

    async def _repeat(self, turn: Turn, recorded: RecordedTurn) -> None:
        """Tell a turn of a capture, push by push."""
        for method, params in recorded.remapped(turn.ids.request_id, turn.ids.session_id):
            if method == "chat/answer" and isinstance(params.get("text"), str):
                turn.record.answer += params["text"]
            seconds = self._world.tool_timeout if method == "tool/invoke" else None
            await self.push(turn, method, params, seconds)


def tokens(text: str) -> int:
    """An estimate, as good as any."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def now_ms() -> int:
    """The time as Lingma writes it."""
    return int(time.time() * 1000)
