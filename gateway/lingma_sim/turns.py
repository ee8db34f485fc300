"""Running turns: the script's pushes one after another, each waiting for the client's reply to the one before."""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from lingma_sim import pushes, script
from lingma_sim.directives import Crash, Fail, Hang, Tool
from lingma_sim.hub import Hub
from lingma_sim.journal import Journal
from lingma_sim.pushes import TurnIds
from lingma_sim.rpc import Reply
from lingma_sim.script import Facts, Script
from lingma_sim.sessions import Record, Session

CHARACTERS_PER_TOKEN = 4
FINISH_OK = 200


@dataclass(frozen=True, slots=True)
class Ask:
    """What the simulator reads of chat/ask. The question is `questionText` alone, as in the plugin's fields."""

    request_id: str
    session_id: str
    session_type: str
    task: str
    question: str
    is_reply: bool
    model: str

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> "Ask":
        """The ask in `params`; fields that are missing or of another type are empty, as in Go."""

        def text(name: str) -> str:
            value = params.get(name)
            return value if isinstance(value, str) else ""

        extra = params.get("extra")
        config = extra.get("modelConfig") if isinstance(extra, dict) else None
        model = config.get("key") if isinstance(config, dict) else None
        return cls(
            request_id=text("requestId"),
            session_id=text("sessionId"),
            session_type=text("sessionType"),
            task=text("chatTask"),
            question=text("questionText"),
            is_reply=params.get("isReply") is True,
            model=model if isinstance(model, str) else "",
        )


@dataclass(frozen=True, slots=True)
class World:
    """What a turn may do to the process."""

    uid: Callable[[], str]
    logout: Callable[[], None]
    crash: Callable[[], None]
    ack_timeout: float
    """Seconds to wait for the reply to a push."""
    tool_timeout: float
    """Seconds to wait for the reply to tool/invoke."""


@dataclass(frozen=True, slots=True)
class _Running:
    ids: TurnIds
    task: asyncio.Task[None]


class Turns:
    """The turns in progress, by request id."""

    def __init__(self, hub: Hub, journal: Journal, world: World) -> None:
        self._hub = hub
        self._journal = journal
        self._world = world
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def is_running(self, request_id: str) -> bool:
        """Whether a turn of this id is in progress."""
        return request_id in self._running

    def session_ids(self) -> list[str]:
        """Sessions with a turn in progress."""
        return sorted({running.ids.session_id for running in self._running.values()})

    def start(self, ask: Ask, session: Session) -> None:
        """Begin a turn; its first push is sent after the caller yields, so an ack sent before it comes first."""
        ids = TurnIds(ask.request_id, session.session_id, ask.session_type)
        earlier = session.questions
        record = Record(ask.request_id, ask.task, ask.question)
        session.records.append(record)
        task = self.spawn(self._run(_Turn(ids, ask, session, record, earlier), script.write(ask.question)))
        self._running[ask.request_id] = _Running(ids, task)
        task.add_done_callback(lambda _: self._forget(ask.request_id, task))

    def refuse(self, ask: Ask, code: int, reason: str) -> None:
        """Answer an ask that gets no turn with chat/finish alone."""
        ids = TurnIds(ask.request_id, ask.session_id, ask.session_type)
        self.spawn(self._push("chat/finish", pushes.finish(ids, reason=reason, status=code)))

    def stop(self, *, request_id: str = "", session_id: str = "") -> None:
        """Cancel the turn of a request id, or all of a session; each then ends with chat/finish `cancelled`."""
        for running in list(self._running.values()):
            if running.ids.request_id == request_id or (session_id and running.ids.session_id == session_id):
                # Forgotten at once: a second stop must not bring a second chat/finish.
                self._forget(running.ids.request_id, running.task)
                running.task.cancel()
                self.spawn(self._finish_cancelled(running))

    def _forget(self, request_id: str, task: asyncio.Task[None]) -> None:
        # By task: the id may have been taken again since.
        if request_id in self._running and self._running[request_id].task is task:
            del self._running[request_id]

    def cancel_all(self) -> None:
        """Cancel everything silently: nobody is left to tell."""
        for task in tuple(self._tasks):
            task.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` beside the connections, until it ends or cancel_all()."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _finish_cancelled(self, running: _Running) -> None:
        await asyncio.wait({running.task})
        await self._push("chat/finish", pushes.finish(running.ids, reason="cancelled", status=FINISH_OK))

    async def _push(self, method: str, params: Mapping[str, Any]) -> None:
        await self._hub.call(method, params, self._world.ack_timeout)

    async def _run(self, turn: "_Turn", plan: Script) -> None:
        ids = turn.ids
        if isinstance(plan.ending, Crash) and not plan.pieces:
            self._world.crash()
        await self._push("chat/process_step_callback", pushes.step(ids, "step_start"))
        await self._push("chat/process_step_callback", pushes.step(ids, "step_end"))
        if not turn.earlier:
            await self._push("session/title/update", pushes.title(ids, turn.session.title))
        if plan.logout:
            self._world.logout()
        await self._use_tools(turn, plan.tools)
        await self._think(ids, plan.thoughts)
        await self._answer(turn, plan)
        await self._end(turn, plan)

    async def _think(self, ids: TurnIds, thoughts: tuple[str, ...]) -> None:
        if not thoughts:
            return
        for thought in thoughts:
            await self._push("chat/think", pushes.think(ids, thought, "start", _now_ms()))
        await self._push("chat/think", pushes.think(ids, "", "done", _now_ms()))

    async def _answer(self, turn: "_Turn", plan: Script) -> None:
        if not plan.pieces:
            return
        facts = Facts(self._world.uid(), turn.earlier, turn.ask.model, turn.session.tool_reply)
        for number, chunk in enumerate(script.split(script.answer(plan, facts), plan.chunks)):
            if number and plan.delay_ms:
                await asyncio.sleep(plan.delay_ms / 1000)
            turn.record.answer += chunk
            await self._push("chat/answer", pushes.answer(turn.ids, chunk, _now_ms()))

    async def _end(self, turn: "_Turn", plan: Script) -> None:
        reason, status = "success", FINISH_OK
        match plan.ending:
            case Crash():
                self._world.crash()
            case Hang():
                await asyncio.get_running_loop().create_future()
            case Fail(code=code, message=message):
                reason, status = message, code
            case None:
                pass
        self._journal.usage(turn.ids.request_id, _tokens(turn.ask.question), _tokens(turn.record.answer))
        await self._push("chat/finish", pushes.finish(turn.ids, reason=reason, status=status))

    async def _use_tools(self, turn: "_Turn", tools: tuple[Tool, ...]) -> None:
        call_id = ""
        for tool in tools:
            call_id = f"call_{uuid.uuid4().hex}"
            await self._use_tool(turn, tool, call_id)
        if call_id:
            await self._push("tool/call/sync", pushes.tool_sync(turn.ids, call_id, "REQUEST_FINISHED", {}, [], ""))

    async def _use_tool(self, turn: "_Turn", tool: Tool, call_id: str) -> None:
        async def sync(status: str, results: list[Any], error: str) -> None:
            params = pushes.tool_sync(turn.ids, call_id, status, tool.parameters, results, error)
            await self._push("tool/call/sync", params)

        await sync("INIT", [], "")
        await sync("RUNNING", [], "")
        if tool.name in pushes.RUN_INSIDE:
            await sync("FINISHED", [{"simulated": True}], "")
            return
        invoke = pushes.tool_invoke(turn.ids, call_id, tool.name, tool.parameters)
        reply = await self._hub.call("tool/invoke", invoke, self._world.tool_timeout)
        turn.session.tool_reply = _told(reply)
        error = _tool_error(reply)
        await sync("ERROR" if error else "FINISHED", [] if error else [turn.session.tool_reply], error)


@dataclass(frozen=True, slots=True)
class _Turn:
    ids: TurnIds
    ask: Ask
    session: Session
    record: Record
    earlier: list[str]


def _told(reply: Reply | None) -> Any:
    if reply is None:
        return None
    return reply.result if reply.error is None else {"error": reply.error}


def _tool_error(reply: Reply | None) -> str:
    """Why a tool failed; empty when it did not. `{}` is an empty result: the hazard of acking blindly."""
    if reply is None:
        return "no response from client, timeout reached"
    if reply.error is not None:
        return str(reply.error.get("message", "")) or "error" if isinstance(reply.error, dict) else "error"
    if isinstance(reply.result, dict) and reply.result.get("success") is False:
        return str(reply.result.get("errorMessage") or "tool failed")
    return ""


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _now_ms() -> int:
    return int(time.time() * 1000)
