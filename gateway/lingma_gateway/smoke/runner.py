"""Takes the steps of the self-check, one after another, within a minute. What they mean is decided in `judging`."""

import asyncio
import contextlib
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lingma_gateway.errors import Conflict, NoReadyAccount, QueueFull, UpstreamError, UpstreamLost
from lingma_gateway.events import Usage
from lingma_gateway.lingma import calls, login, models, usagelog
from lingma_gateway.lingma.connection import Connection, open_connection
from lingma_gateway.smoke import judging, toolcheck
from lingma_gateway.smoke.heard import Heard
from lingma_gateway.smoke.hearing import hear
from lingma_gateway.smoke.report import Judgement, Name, Step, assemble, judged, names_in, not_tried
from lingma_gateway.smoke.toolcheck import Again, Finding, Task
from lingma_gateway.tokens import estimate
from lingma_gateway.tools import Grammar

BUDGET_S = 50.0
"""For the steps; what is left of the minute is for deleting the sessions that they made."""
TOOLS_BUDGET_S = 300.0
"""For the step with tools, if it is asked for: twenty questions, and one more for each mistake."""
_CLEANUP_S = 4.0
_STOPPING_S = 2.5
"""A turn that is too long is stopped; this is for waiting until it is."""
_SLOT_WAIT_S = 5.0
_RPC_TIMEOUT_S = 5.0
_LOG_WAIT_S = 0.5
"""The log's token count may be written just after the end of a turn."""

_TASK_S = 30.0
"""For one task with tools, however often the model is asked."""
_CHAT = "Reply with the single word: pong"
_COUNT = "Count from 1 to 20, one number a line."
_LONG = "Write a story of 2000 words about a lighthouse."
_TOOL = "Use the tool list_dir to list the workspace folder."


@asynccontextmanager
async def no_slots(_: int) -> AsyncIterator[None]:
    """For a Lingma that no pool uses."""
    yield


@dataclass(frozen=True, slots=True)
class Target:
    """Which Lingma is checked, and how."""

    port: int
    workspace: Path
    """An empty folder."""
    work_dir: Path | None = None
    """To look at its log; None: it is not looked at."""
    model: str = "org_auto"
    locale: str = "zh-CN"
    slots: Callable[[int], AbstractAsyncContextManager[None]] = no_slots
    """Takes slots for so many turns, as far as the account has them, until the block ends."""
    with_tools: bool = False
    """Also try how well the model calls tools."""
    used: Callable[[Usage, bool], None] = lambda usage, failed: None
    """Told of each turn: its tokens and whether it failed."""


class SmokeRunner:
    """One check at a time: two would disturb each other's measurements, and use up a quota."""

    def __init__(self) -> None:
        self._running = False

    async def run(self, target: Target) -> dict[str, Any]:
        """The report of one check.

        Raises:
            Conflict: one is running.
        """
        if self._running:
            raise Conflict("a self-check is running: wait for its end")
        self._running = True
        try:
            return await _Check(target).run()
        finally:
            self._running = False


@dataclass(slots=True)
class _Check:
    target: Target
    began: float = field(default_factory=time.monotonic)
    budget_s: float = BUDGET_S
    steps: list[Step] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    connection: Connection | None = None
    status: Any = None
    logged_in: bool = False
    chatted: bool = False
    simulated: bool = False
    model: str = ""
    names: list[str] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)

    async def run(self) -> dict[str, Any]:
        time_of_day = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self.model = self.target.model
        async with self.stack:
            await self._step(Name.INITIALIZE, 6, self._initialize)
            await self._step(Name.AUTH, 5, self._auth)
            await self._step(Name.MODELS, 5, self._models)
            await self._step(Name.CHAT, 15, self._chat)
            await self._step(Name.MEMORY, 15, self._memory)
            for name, count in ((Name.ONE_TURN, 1), (Name.TWO_TURNS, 2), (Name.FOUR_TURNS, 4)):
                await self._step(name, 12, self._turns(count))
            await self._step(Name.CANCEL, 8, self._cancel)
            await self._step(Name.REFRESH, 6, self._refresh)
            await self._step(Name.TOOL, 8, self._tool)
            if self.target.with_tools:
                self.budget_s += TOOLS_BUDGET_S
                await self._step(Name.TOOLS, TOOLS_BUDGET_S, self._tools)
            await self._clean_up()
        return assemble(self.steps, time_of_day, _ms(time.monotonic() - self.began), self.names)

    async def _step(self, name: Name, longest_s: float, work: Callable[[float], Awaitable[Judgement]]) -> None:
        left_s = self.budget_s - (time.monotonic() - self.began)
        began = time.monotonic()
        if (why := self._obstacle(name, left_s)) is not None:
            judgement = not_tried(why)
        else:
            judgement = await self._judged(min(longest_s, left_s), left_s, work)
        self.steps.append(Step(name, judgement, _ms(time.monotonic() - began)))

    def _obstacle(self, name: Name, left_s: float) -> str | None:
        """Why a step cannot be taken now."""
        if left_s < 1:
            return "the time was over"
        if name is not Name.INITIALIZE and self.connection is None:
            return "there is no connection"
        if name in (Name.INITIALIZE, Name.AUTH, Name.MODELS, Name.REFRESH):
            return None
        if not self.logged_in:
            return "nobody is logged in"
        if name is not Name.CHAT and not self.chatted:
            return "the tiny chat did not succeed"
        return None

    async def _judged(
        self, longest_s: float, left_s: float, work: Callable[[float], Awaitable[Judgement]]
    ) -> Judgement:
        try:
            # A turn ends by itself in `longest_s`, which begins when it has its slot.
            async with asyncio.timeout(min(longest_s + _SLOT_WAIT_S, left_s) + _STOPPING_S):
                return await work(longest_s)
        except (QueueFull, NoReadyAccount) as error:
            return not_tried(error.message)
        except UpstreamError as error:
            return judged([error.message], "")
        except TimeoutError:
            return judged([f"no end within {longest_s:g} seconds"], "")

    @asynccontextmanager
    async def _slots(self, count: int) -> AsyncIterator[None]:
        """Slots like any turn's, but not waited for any longer than a minute's check can."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(_SLOT_WAIT_S):
                    await stack.enter_async_context(self.target.slots(count))
            except TimeoutError as error:
                raise QueueFull(f"no slot was free within {_SLOT_WAIT_S:g} seconds") from error
            yield

    async def _initialize(self, _: float) -> Judgement:
        began = time.monotonic()
        connection = await self._open()
        took_ms = _ms(time.monotonic() - began)
        server = connection.server
        experimental = server.get("experimental") if isinstance(server, dict) else None
        self.simulated = isinstance(experimental, dict) and experimental.get("simulator") is True
        judgement = judging.initialize(server)
        facts = {**judgement.facts, "latency": {"initializeMs": took_ms}}
        return Judgement(judgement.outcome, judgement.finding, facts)

    async def _open(self) -> Connection:
        opening = open_connection(
            self.target.port,
            process_id=None,
            rpc_timeout_s=_RPC_TIMEOUT_S,
            on_push=lambda method, params: None,
            whole=True,
        )
        connection, _ = await self.stack.enter_async_context(opening)
        self.connection = connection
        return connection

    async def _auth(self, _: float) -> Judgement:
        self.status = await self._connected().request("auth/status", {})
        self.names += names_in(self.status)
        self.logged_in = isinstance(self.status, dict) and login.interpret(self.status).logged_in
        return judging.auth(self.status)

    async def _models(self, _: float) -> Judgement:
        result = await self._connected().request("config/queryModels", {})
        known = models.parse(result)
        keys = [model.key for model in known]
        if keys and self.model not in keys:
            self.model = next((model.key for model in known if model.is_default), keys[0])
        return judging.model_lists(result, logged_in=self.logged_in)

    async def _chat(self, longest_s: float) -> Judgement:
        async with self._slots(1):
            params = self._params(_CHAT)
            heard = await self._hear(params, longest_s, as_request=True)
        self.chatted = heard.succeeded
        return judging.chat(heard, await self._counted(params["requestId"]) if heard.succeeded else None)

    async def _counted(self, request_id: str) -> bool | None:
        if self.target.work_dir is None or not (self.target.work_dir / usagelog.LOG_NAME).exists():
            return None
        if usagelog.read(self.target.work_dir, request_id) is None:
            await asyncio.sleep(_LOG_WAIT_S)
        return usagelog.read(self.target.work_dir, request_id) is not None

    async def _memory(self, longest_s: float) -> Judgement:
        word = f"lantern{secrets.randbelow(9000) + 1000}"
        deadline = time.monotonic() + longest_s
        async with self._slots(1):
            first = await self._hear(self._params(f"Remember the word {word}. Reply with OK only."), longest_s)
            again = self._params("Which word did I ask you to remember? Reply with that word only.", "recall")
            again |= {"sessionId": first.session_id, "isReply": True}
            second = await self._hear(again, max(0.5, deadline - time.monotonic()))
        return judging.memory(first, second, word)

    def _turns(self, count: int) -> Callable[[float], Awaitable[Judgement]]:
        async def work(longest_s: float) -> Judgement:
            # More turns than slots are meant to meet: that is what is to be found out. The slots keep others away.
            async with self._slots(count):
                asked = [self._params(_COUNT, f"say {_COUNT}", "chunks 10", "delay 20") for _ in range(count)]
                return judging.at_once(await asyncio.gather(*(self._hear(one, longest_s) for one in asked)))

        return work

    async def _cancel(self, longest_s: float) -> Judgement:
        params = self._params(_LONG, f"say {_LONG * 4}", "chunks 200", "delay 50")
        async with self._slots(1):
            heard = await self._hear(params, longest_s, stop_when=lambda heard: len(heard.chunk_times) > 1)
        return judging.cancel(heard)

    async def _refresh(self, _: float) -> Judgement:
        await self.stack.aclose()
        self.connection = None
        began = time.monotonic()
        connection = await self._open()
        took_ms = _ms(time.monotonic() - began)
        return judging.refresh(self.status, await connection.request("auth/status", {}), took_ms)

    async def _tool(self, longest_s: float) -> Judgement:
        params = self._params(_TOOL, 'tool list_dir {"path": "."}')
        # As the earlier gateway asked in agent mode (parity, section 4). It ends with the first event, and what Lingma
        # wants to have run is denied.
        params |= {"mode": "agent", "sessionType": "developer"}
        params["pluginPayloadConfig"] = {**params["pluginPayloadConfig"], "isEnableAskAgent": True}
        async with self._slots(1):
            heard = await self._hear(params, longest_s, stop_when=lambda heard: bool(heard.tools))
        return judging.tool(heard)

    async def _tools(self, longest_s: float) -> Judgement:
        deadline = time.monotonic() + longest_s - _STOPPING_S
        found: list[tuple[Grammar, Finding]] = []
        for task in toolcheck.TASKS:
            for grammar in Grammar:
                left_s = deadline - time.monotonic()
                if left_s < 1:
                    break
                async with self._slots(1):
                    found.append((grammar, await self._done(task, grammar, min(_TASK_S, left_s))))
        return toolcheck.judgement(self.model, found)

    async def _done(self, task: Task, grammar: Grammar, longest_s: float) -> Finding:
        deadline = time.monotonic() + longest_s
        first = await self._hear(self._params(toolcheck.question(grammar, task), *task.directives()), longest_s)
        verdict = task.judge(first.text, cut=not first.succeeded)
        if not isinstance(verdict, Again):
            return verdict
        again = self._params(verdict.question) | {"sessionId": first.session_id, "isReply": True}
        second = await self._hear(again, max(0.5, deadline - time.monotonic()))
        bettered = task.judge(second.text, cut=not second.succeeded) in (Finding.VALID, Finding.REPAIRED)
        return Finding.ASKED_AGAIN if bettered else Finding.LOST

    def _params(self, question: str, *directives: str) -> dict[str, Any]:
        """Params of an ask. A simulator is told what to do as well: it says in `initialize` that it is one."""
        lines = [f"@sim {directive}" for directive in directives] if self.simulated else []
        ask = calls.Ask(str(uuid.uuid4()), self.model, str(self.target.workspace), self.target.locale)
        return calls.ask(ask, "\n".join([question, *lines]))

    async def _hear(
        self,
        params: dict[str, Any],
        longest_s: float,
        *,
        as_request: bool = False,
        stop_when: Callable[[Heard], bool] = lambda _: False,
    ) -> Heard:
        heard = await hear(self._connected(), params, longest_s, as_request=as_request, stop_when=stop_when)
        if heard.session_id:
            self.sessions.add(heard.session_id)
        usage = Usage(estimate(params["questionText"]), estimate(heard.text), estimated=True)
        self.target.used(usage, not heard.succeeded and heard.stopped is None)
        return heard

    def _connected(self) -> Connection:
        if self.connection is None:
            raise UpstreamLost("there is no connection to Lingma")
        return self.connection

    async def _clean_up(self) -> None:
        """Delete the sessions that were made. One that stays is only a row in Lingma's database."""
        if self.connection is None:
            return
        connection = self.connection
        deletions = (
            connection.request("chat/deleteSessionById", {"sessionId": session_id}, _CLEANUP_S)
            for session_id in self.sessions
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLEANUP_S):
                await asyncio.gather(*deletions, return_exceptions=True)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
