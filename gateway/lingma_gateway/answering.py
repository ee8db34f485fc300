"""One turn on one account, from the first question to the end of the answer. It may take several questions, all in one
session of Lingma's and in the slot that the turn holds.
"""

import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, replace
from typing import Any, assert_never

from lingma_contract.jsonlog import event
from lingma_gateway.answers.answer import Answer, Ended, Wanted
from lingma_gateway.answers.asking_again import Again
from lingma_gateway.answers.owntools import OwnCall, OwnResult, OwnTools, Step, Unasked
from lingma_gateway.conversation import Media, Message, Role
from lingma_gateway.errors import UpstreamError, UpstreamProtocol
from lingma_gateway.events import Call, FinishReason, Result, StreamEvent, Usage
from lingma_gateway.lingma import calls, updates, usagelog
from lingma_gateway.lingma.exchange import Exchange, Manner, exchange
from lingma_gateway.lingma.instance import Instance
from lingma_gateway.lingma.thinking import Piece
from lingma_gateway.lingma.toolanswers import ToolAnswers
from lingma_gateway.lingma.updates import Anew
from lingma_gateway.outlet import Outlet
from lingma_gateway.prompting.prompt import reply, whole
from lingma_gateway.prompting.tools import ToolWords
from lingma_gateway.record import TurnRecord
from lingma_gateway.sessions.continuing import Place
from lingma_gateway.showing import Showing, Shown
from lingma_gateway.telemetry.metrics import Metrics
from lingma_gateway.telemetry.tooltrace import Conversation, ToolTrace
from lingma_gateway.tokens import request_tokens
from lingma_gateway.toolpolicy import DENY_ALL, ToolPolicy
from lingma_gateway.tools import CallFailed, Grammars

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What all turns are answered with."""

    manner: Manner
    locale: str
    metrics: Metrics
    showing: Showing
    trace: ToolTrace
    grammars: Grammars
    """In which each model is told to call tools."""
    description_tokens: int
    """Estimated tokens that a description of tools may take."""


@dataclass(frozen=True, slots=True)
class OwnToolUse:
    """What Lingma's own tools may do in a turn."""

    as_agent: calls.AsAgent | None = None
    """None: the turn is asked in chat mode."""
    policy: ToolPolicy = DENY_ALL
    theirs: frozenset[str] = frozenset()
    """Names of the client's tools that Lingma is told of."""


IN_CHAT = OwnToolUse()
"""Nothing."""


class Answering:
    """The turn of `place`, on the instance that gave it a slot."""

    __slots__ = (
        "_answer",
        "_asked_at",
        "_begun",
        "_complete",
        "_conversation",
        "_desk",
        "_exchange",
        "_held",
        "_instance",
        "_outlet",
        "_own",
        "_place",
        "_record",
        "_sent",
        "_steps",
        "_streams",
        "_usage",
        "_use",
        "_wanted",
    )

    def __init__(
        self,
        place: Place,
        wanted: Wanted,
        instance: Instance,
        conversation: Conversation,
        desk: Desk,
        use: OwnToolUse = IN_CHAT,
        outlet: Outlet | None = None,
    ) -> None:
        """With an `outlet`, events may go there instead of out of `events`."""
        self._place = place
        self._streams = place.turn.stream
        self._begun = False
        """Whether `events` has heard anything of the answer."""
        self._wanted = wanted
        self._instance = instance
        self._conversation = conversation
        self._record = conversation.record
        self._desk = desk
        self._use = use
        self._own = OwnTools(use.policy, self._record.mint_call, use.theirs)
        self._steps: list[OwnCall | OwnResult] = []
        """What Lingma's own tools did that the client is to be shown and was not shown yet."""
        self._outlet = outlet
        self._asked_at = 0.0
        self._exchange: Exchange | None = None
        self._answer = self._new_answer()
        self._held: list[StreamEvent] = []
        """Events of an answer that is given as a whole: until its end Lingma may replace it."""
        self._sent = False
        self._usage: Usage | None = None
        self._complete: Message | None = None

    @property
    def session_id(self) -> str:
        """Lingma's session as far as it is known."""
        return self._exchange.session_id if self._exchange is not None else self._place.session_id

    @property
    def complete(self) -> Message | None:
        """The answer, once the client has been given all that the session holds of it."""
        return self._complete

    async def events(self) -> AsyncGenerator[list[StreamEvent], None]:
        """The events of the turn. Closing the generator stops Lingma.

        Raises:
            GatewayError: it could not be asked, broke off, or is not what the client demands.
        """
        place = self._place
        shown = await self._desk.showing.show(place.unseen, self._instance, place.model, self._record)
        question = self._prompt(shown.label)
        while True:
            async with self._asked(question, shown.urls) as asked:
                self._exchange = asked
                async with aclosing(asked.pieces(self)) as heard:
                    async for pieces in heard:
                        if pieces:
                            self._begun = True
                            self._record.heard()
                        if produced := self._sendable(self._read(pieces)):
                            yield produced
                        if self._answer.cut:
                            break
                ended = self._end(asked)
                await (asked.stop() if ended.again is None else asked.settle())
            if ended.again is None:
                break
            if produced := self._sendable(ended.events):
                yield produced
            question, shown = self._again(ended.again), Shown()
        yield [*self._held, *ended.events]

    def close(self) -> None:
        """Whichever way the turn ended: log what became of Lingma's tools."""
        self._trace_own(self._own.end())

    def ready(self) -> bool:
        """Whether pieces can be heard at once: an answer that is given as a whole is only put together."""
        return self._begun and (not self._streams or (self._outlet is not None and self._outlet.ready()))

    def hear(self, pieces: list[Piece]) -> bool:
        """What Lingma says while `events` waits for it; False: it must not wait any longer."""
        if produced := self._sendable(self._read(pieces)):
            assert self._outlet is not None
            self._outlet.send(produced)
        return not self._answer.cut

    def _prompt(self, label: Callable[[Media], str]) -> str:
        """What the session has not seen; in a new one, all of it."""
        place, toolset = self._place, self._wanted.toolset
        words = ToolWords(self._desk.grammars.of(place.model), self._desk.description_tokens)
        knows_others = place.continued is not None and bool(place.continued.knowledge.tools)
        introduction = words.introduction(toolset, place.untold_tools, knows_others=knows_others)
        wording = replace(words.wording(place.turn, toolset), media=label)
        reminder = self._wanted.reminder
        if place.is_reply:
            return reply(place.unseen, wording, instructions=introduction, reminder=reminder)
        return whole(place.turn, wording, instructions=introduction, reminder=reminder)

    def _asked(self, question: str, image_urls: tuple[str, ...]) -> AbstractAsyncContextManager[Exchange]:
        place = self._place
        self._asked_at = time.monotonic()
        ask = calls.Ask(
            request_id=str(uuid.uuid4()),
            model_key=place.model,
            workspace=str(self._instance.workspace),
            locale=self._desk.locale,
            session_id=self.session_id,
            is_reply=bool(self.session_id),
            image_urls=image_urls,
            as_agent=self._use.as_agent,
        )
        tools = ToolAnswers(self._use.policy)
        return exchange(self._instance.connection(), ask, question, self._desk.manner, self._overheard, tools)

    def _new_answer(self) -> Answer:
        return Answer(self._place.model, request_tokens(self._place.turn), self._wanted, self._record.mint_call)

    def _read(self, pieces: list[Piece] | Anew) -> list[StreamEvent]:
        if not pieces:
            return self._show_own() if self._streams else []
        if isinstance(pieces, Anew):
            if self._sent or self._record.retries:
                raise UpstreamProtocol("Lingma replaced text of the answer that had already been sent")
            self._held.clear()
            self._answer = self._new_answer()
            pieces = pieces.pieces
        answer = self._answer
        if answer.calls is None:
            return answer.read(pieces)
        made = len(answer.made)
        produced = answer.read(pieces)
        self._trace_made(made)
        return produced

    def _sendable(self, produced: list[StreamEvent]) -> list[StreamEvent]:
        """The events that can be sent now."""
        if not self._streams:
            self._held += produced
            return []
        self._sent = self._sent or bool(produced)
        return produced

    def _end(self, asked: Exchange) -> Ended:
        """What is left to send, and whether the model is to be asked again. It is once at most."""
        self._count(asked.request_id)
        answer = self._answer
        made = len(answer.made)
        try:
            ended = answer.end(may_ask=self._record.retries == 0)
        except UpstreamError:
            self._trace_failed(answer.failed, finally_=True)
            raise
        self._trace_made(made)
        self._trace_failed(ended.failed, finally_=ended.again is None)
        if ended.again is not None:
            return ended
        self._trace_own(self._own.end())
        shown = self._show_own()
        if answer.reason in (FinishReason.STOP, FinishReason.TOOL_CALLS):
            self._complete = Message(Role.ASSISTANT, answer.parts)
        assert self._usage is not None
        self._record.finish = answer.reason
        return Ended([*ended.events, *shown, answer.finish(self._usage, self.session_id)])

    def _again(self, again: Again) -> str:
        """The question, in the session that knows what it is about."""
        self._record.retries += 1
        self._desk.metrics.retries.labels(again.why.value).inc()
        event(log, "asked_again", request_id=self._record.request_id, account=self._record.account, why=again.why.value)
        return again.question

    def _trace_made(self, before: int) -> None:
        """The calls that were completed since there were `before`."""
        for made in self._answer.made[before:]:
            self._desk.trace.made(self._conversation, made, (time.monotonic() - self._asked_at) * 1000)

    def _trace_failed(self, failed: Iterable[CallFailed], *, finally_: bool) -> None:
        for each in failed:
            tool = self._wanted.toolset.find(each.name)
            name = tool.name if tool is not None else None
            self._desk.trace.failed(self._conversation, name, each.reason.value, finally_=finally_)

    def _count(self, request_id: str) -> None:
        """Add what this question cost: by Lingma's own count, where its log has one."""
        estimated = self._answer.usage
        counted = usagelog.read(self._instance.settings.work_dir, request_id)
        one = estimated if counted is None else replace(counted, reasoning_tokens=estimated.reasoning_tokens)
        self._usage = one if self._usage is None else self._usage + one
        self._record.usage = self._usage

    def _overheard(self, method: str, params: dict[str, Any]) -> None:
        """What Lingma does beside answering."""
        if method == updates.STEP:
            _log_step(params, self._record)
        else:
            self._desk.metrics.tool_events.labels(method=method).inc()
            self._trace_own(self._own.read(method, params))

    def _trace_own(self, steps: list[Step]) -> None:
        """What Lingma's own tools did is logged at once, and kept for the client where it may be shown it."""
        trace, of = self._desk.trace, self._conversation
        for step in steps:
            match step:
                case OwnCall():
                    trace.own_call(of, step, (time.monotonic() - self._asked_at) * 1000)
                    self._steps += [step] if step.shown else []
                case OwnResult(call):
                    trace.own_result(of, step)
                    self._steps += [step] if call.shown else []
                case Unasked(call):
                    trace.own_unasked(of, call)
                case _:
                    assert_never(step)

    def _show_own(self) -> list[StreamEvent]:
        """The events of what the client was not shown yet."""
        events: list[StreamEvent] = []
        steps, self._steps = self._steps, []
        if steps:
            self._record.heard()
        for step in steps:
            match step:
                case OwnCall(id, name, arguments):
                    events += self._answer.show_call(Call(id, name, executed=not step.theirs), arguments)
                case OwnResult(call, text, is_error):
                    events += self._answer.show_result(Result(call.id, is_error), text)
                case _:
                    assert_never(step)
        return events


def _log_step(params: dict[str, Any], record: TurnRecord) -> None:
    """A step of Lingma's says nothing about the answer; its description and result may quote the prompt."""
    step, status = params.get("step"), params.get("status")
    event(log, "lingma_step", level=logging.DEBUG, request_id=record.request_id, step=step, status=status)
